"""What becomes of each model when gold is brought up to date, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from etl.contracts.publication import TablePin
from etl.errors import OperatorError
from etl.quality.execute import CheckResult


class CheckFailedError(OperatorError):
    """New rows of a model break its checks, so the table keeps its last good version."""

    guidance: ClassVar[str] = "Run the check's SQL from the model file to see the rows, correct the cause, then retry."


class ModelComputationError(OperatorError):
    """The engine could not compute a model."""

    guidance: ClassVar[str] = "Correct the model file named in the message, then retry the run; its table is unchanged."


class GoldIncompleteError(OperatorError):
    """Some models could not be brought up to date; all others were."""

    results: tuple[ModelResult, ...] = ()
    """What became of every model, in the order computed."""

    guidance: ClassVar[str] = (
        "Correct what the message names, then retry the run: models already done are not repeated."
    )


class Outcome(StrEnum):
    """What became of a model."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """What it would be computed from says the same: the table stands as it is."""
    DEFERRED = "deferred"
    """Its inputs may have changed, but it is younger than half of what it promises."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It reads a model that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """One model, brought up to date or not."""

    table: str
    outcome: Outcome
    rows: int = 0
    seconds: float = 0.0
    tenants: int | None = None
    """How many tenants' rows were computed; None for all, or if nothing was."""
    pin: TablePin | None = None
    """The table's version to read; None if the model failed or was skipped."""
    checks: tuple[CheckResult, ...] = ()
    problem: str | None = None


def complete(results: tuple[ModelResult, ...]) -> tuple[ModelResult, ...]:
    """Return the results if every model stands.

    Raises:
        GoldIncompleteError: One failed, or was skipped for it.
    """
    broken = [result for result in results if result.outcome in {Outcome.FAILED, Outcome.SKIPPED}]
    if broken:
        error = GoldIncompleteError(" ".join(f"{each.table} {each.outcome}: {each.problem}" for each in broken))
        error.results = results
        raise error
    return results
