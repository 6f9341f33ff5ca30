"""What a run will cost, before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lakehouse_admin.costs.counting import Moved, Spent, stage_use
from lakehouse_admin.costs.money import shown
from lakehouse_admin.costs.prices import PriceBook
from lakehouse_admin.states import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An amount, and what it is an amount of."""

    amount: Decimal
    prices: PriceBook

    @property
    def sentence(self) -> str:
        """Say what it costs; of an embedded lake, that nobody is charged."""
        money = f"{shown(self.amount)} {self.prices.currency}"
        if self.prices.is_charged:
            return f"Costs about {money} ({self.prices.origin})."
        return f"Would cost about {money} on AWS ({self.prices.origin}); here nobody charges for it."

    @property
    def label(self) -> str:
        """Name the amount."""
        return cost_label(is_charged=self.prices.is_charged)


def cost_label(*, is_charged: bool) -> str:
    """Name an amount: what is paid, or what AWS would charge for the same."""
    return "Costs" if is_charged else "Would cost on AWS"


def estimate(stage_seconds: Mapping[Stage, float], moved: Moved, prices: PriceBook) -> Estimate:
    """Estimate a run from how long its stages take and what they work on, by the rules that record its cost."""
    amount = sum(
        (prices.cost_of(stage_use(stage, Spent(seconds=seconds), moved)) for stage, seconds in stage_seconds.items()),
        Decimal(0),
    )
    return Estimate(amount=amount, prices=prices)
