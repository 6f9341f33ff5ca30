"""Say what a month costs, split by service, run, table or tenant; or what it would cost on AWS."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import date
from typing import cast

from django.conf import settings
from django.utils import timezone

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.costs.development_month import development_month
from lakehouse_admin.costs.money import shown
from lakehouse_admin.costs.month import By, MonthCosts, month_costs
from lakehouse_admin.wiring import price_book


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--month", type=_month, help="as YYYY-MM; this month unless given")
    parser.add_argument("--by", choices=[str(by) for by in By], default=str(By.SERVICE), help="how it is split")
    parser.add_argument(
        "--development-month", action="store_true", help="instead, what a month of a small installation on AWS costs"
    )


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print the parts, the dearest first, and their sum.

    Raises:
        PriceBookError: The file of LAKEHOUSE_PRICE_BOOK is missing or wrong.
    """
    if options["development_month"]:
        return _development_month(output)
    now = timezone.now()
    month = cast("date | None", options["month"]) or now.date()
    costs = month_costs(month, by=By(str(options["by"])), prices=price_book(), now=now)
    if output.as_json:
        output.document(costs_document(costs))
    else:
        _print(costs, output)
    return SUCCESS


def costs_document(costs: MonthCosts) -> dict[str, object]:
    """Return a month as a JSON-ready document; amounts are texts, exact to the last digit."""
    budget = settings.LAKEHOUSE.budget_month
    return {
        "month": f"{costs.month:%Y-%m}",
        "charged": costs.prices.is_charged,
        "currency": costs.prices.currency,
        "prices": costs.prices.origin,
        "total": f"{costs.total:f}",
        "budget": None if budget is None else f"{budget:f}",
        "runs": costs.runs,
        "by": costs.by.value,
        "parts": [{"key": line.key, "label": line.label, "amount": f"{line.amount:f}"} for line in costs.lines],
    }


def _print(costs: MonthCosts, output: Output) -> None:
    currency = costs.prices.currency
    output.lines(f"{costs.month:%Y-%m}, {costs.runs} runs. {costs.label}, by {costs.by}:")
    rows = [(line.label, f"{shown(line.amount)}") for line in costs.lines]
    output.table((str(costs.by), currency), [*rows, ("all", shown(costs.total))], right=frozenset({1}))
    output.lines(f"At {costs.prices.origin}.")
    if settings.LAKEHOUSE.budget_month is not None:
        output.lines(f"The month's budget is {settings.LAKEHOUSE.budget_month:,} {currency}.")


def _development_month(output: Output) -> int:
    found = development_month()
    if output.as_json:
        output.document(
            {
                "currency": found.currency,
                "lines": [
                    {"title": line.title, "inputs": line.inputs, "low": f"{line.low:f}", "high": f"{line.high:f}"}
                    for line in found.lines
                ],
                "low": f"{found.low:f}",
                "high": f"{found.high:f}",
            }
        )
        return SUCCESS
    rows = [(line.title, line.inputs, f"{line.low:.2f}", f"{line.high:.2f}") for line in found.lines]
    output.table(
        ("line", "inputs", "from", f"to {found.currency}"),
        [*rows, ("all", "", f"{found.low:.2f}", f"{found.high:.2f}")],
        right=frozenset({2, 3}),
    )
    return SUCCESS


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no month; write it as YYYY-MM") from error
