"""What costs more than it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lakehouse_admin.costs.month import By, month_costs
from lakehouse_admin.costs.prices import PriceBook
from lakehouse_admin.costs.run_cost import run_cost
from lakehouse_admin.models import PipelineRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What one run, and a month, may cost; None for as much as they will."""

    run: Decimal | None = None
    month: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overspent:
    """A run or a month over its budget."""

    subject: str
    """``run`` or ``month 2026-11``."""
    what: str
    """For a person: ``Run 3`` or ``2026-11``."""
    amount: Decimal
    budget: Decimal
    prices: PriceBook


def overspent(
    runs: Sequence[PipelineRun], budgets: Budgets, *, prices: PriceBook, now: datetime
) -> tuple[Overspent, ...]:
    """Compare the newest run that has a cost, and the month so far, with their budgets.

    Args:
        runs: The latest, newest first.
        budgets: The installation's.
        prices: Of the month's hours and questions; what is not charged is compared as what it would cost.
        now: The time (UTC).
    """
    found = []
    if budgets.run is not None:
        costs = ((run, run_cost(run)) for run in runs)
        run, cost = next(((run, cost) for run, cost in costs if cost is not None), (None, None))
        if run is not None and cost is not None and cost.total > budgets.run:
            found.append(Overspent(subject="run", what=str(run), amount=cost.total, budget=budgets.run, prices=prices))
    if budgets.month is not None:
        month = month_costs(now.date(), by=By.SERVICE, prices=prices, now=now)
        if month.total > budgets.month:
            name = f"{month.month:%Y-%m}"
            found.append(
                Overspent(subject=f"month {name}", what=name, amount=month.total, budget=budgets.month, prices=prices)
            )
    return tuple(found)
