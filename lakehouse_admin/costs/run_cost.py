"""What one run cost, as its page and the command line show it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lakehouse_admin.costs.estimate import cost_label
from lakehouse_admin.models import CostEntry, PipelineRun
from lakehouse_admin.states import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """A run's recorded cost."""

    entries: tuple[CostEntry, ...]
    """In stage order."""

    @property
    def total(self) -> Decimal:
        """All of it."""
        return sum((entry.amount for entry in self.entries), Decimal(0))

    @property
    def currency(self) -> str:
        """Of every amount."""
        return self.entries[0].currency

    @property
    def label(self) -> str:
        """Name the amounts."""
        return cost_label(is_charged=self.entries[0].is_charged)

    @property
    def is_charged(self) -> bool:
        """Whether AWS charges it."""
        return self.entries[0].is_charged


def run_cost(run: PipelineRun) -> RunCost | None:
    """Return what a run cost; None before it came to rest."""
    order = list(Stage)
    entries = sorted(run.costs.all(), key=lambda entry: (order.index(Stage(entry.stage)), entry.item))
    return RunCost(entries=tuple(entries)) if entries else None
