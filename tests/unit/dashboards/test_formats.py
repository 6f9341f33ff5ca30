"""Numbers as people read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboards import formats
from dashboards.formats import Money


@pytest.mark.parametrize(
    ("currency", "amount", "full", "short"),
    [
        ("EUR", "1234.5", "€1,234.50", "€1.23k"),
        ("EUR", "0", "€0.00", "€0"),
        ("USD", "-12.345", "\N{MINUS SIGN}$12.35", "\N{MINUS SIGN}$12"),
        ("JPY", "123456.4", "¥123,456", "¥123k"),
        ("CHF", "5", "CHF\N{NO-BREAK SPACE}5.00", "CHF\N{NO-BREAK SPACE}5"),
        ("EUR", "999.5", "€999.50", "€1.00k"),
        ("EUR", "1234567.89", "€1,234,567.89", "€1.23M"),
        ("EUR", "12345678901.20", "€12,345,678,901.20", "€12.3bn"),
        ("EUR", "0.005", "€0.01", "€0"),
    ],
)
def test_money(currency: str, amount: str, full: str, short: str) -> None:
    assert Money(currency).full(Decimal(amount)) == full
    assert Money(currency).short(Decimal(amount)) == short


def test_what_does_not_exist_is_a_dash() -> None:
    written = [Money("EUR").full(None), Money("EUR").short(None), formats.count(None), formats.percent(None)]
    assert written == [formats.NOTHING] * 4


@pytest.mark.parametrize(
    ("ratio", "text"),
    [("0.12345", "12.3%"), ("0.12350", "12.4%"), ("-0.5", "\N{MINUS SIGN}50.0%"), ("12.5", "1,250.0%"), ("0", "0.0%")],
)
def test_percent_rounds_half_up(ratio: str, text: str) -> None:
    assert formats.percent(Decimal(ratio)) == text


def test_days_and_ranges() -> None:
    assert formats.day(date(2026, 11, 3)) == "3 Nov 2026"
    assert formats.short_day(date(2026, 11, 3)) == "Tue 3 Nov"
    assert formats.short_range(date(2026, 10, 24), date(2026, 11, 22)) == "24 Oct \N{EN DASH} 22 Nov"
    assert formats.short_range(date(2026, 11, 1), date(2026, 11, 7)) == "1 \N{EN DASH} 7 Nov"


def test_plural() -> None:
    assert [formats.plural(number, "order") for number in (0, 1, 2000)] == ["0 orders", "1 order", "2,000 orders"]
    assert formats.plural(2, "person", "people") == "2 people"
