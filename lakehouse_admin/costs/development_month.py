"""What a month of a small installation on AWS costs, from inputs that stand in a file beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from lakehouse_admin.costs.prices import STANDARD_BOOK, PriceBook, read_book

_INPUTS = Path(__file__).with_name("development_month.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentLine:
    """One service, from the least to the most."""

    title: str
    inputs: str
    stated: tuple[Decimal, Decimal]
    """What the report that the month is taken from says, rounded as it rounds."""
    low: Decimal
    high: Decimal
    is_priced: bool
    """Whether the amounts follow from quantities; else they are taken as stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentMonth:
    """Every line of it."""

    currency: str
    lines: tuple[DevelopmentLine, ...]

    @property
    def low(self) -> Decimal:
        """The least that it costs."""
        return sum((line.low for line in self.lines), Decimal(0))

    @property
    def high(self) -> Decimal:
        """The most."""
        return sum((line.high for line in self.lines), Decimal(0))


def development_month() -> DevelopmentMonth:
    """Price the month by the price book that comes with Lakeside."""
    prices = read_book(STANDARD_BOOK)
    document = tomllib.loads(_INPUTS.read_text(encoding="utf-8"), parse_float=Decimal)
    lines = []
    for entry in document["line"]:
        stated = (Decimal(entry["stated"][0]), Decimal(entry["stated"][1]))
        is_priced = "low" in entry
        low, high = (_priced(entry[end], prices) for end in ("low", "high")) if is_priced else stated
        lines.append(
            DevelopmentLine(
                title=entry["title"], inputs=entry["inputs"], stated=stated, low=low, high=high, is_priced=is_priced
            )
        )
    return DevelopmentMonth(currency=prices.currency, lines=tuple(lines))


def _priced(quantities: Mapping[str, int | Decimal], prices: PriceBook) -> Decimal:
    return prices.cost_of({item: Decimal(quantity) for item, quantity in quantities.items()})
