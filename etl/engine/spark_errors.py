"""What can go wrong on Spark; importable where Spark is not installed, as where a job's result is read."""

from __future__ import annotations

from typing import ClassVar

from etl.errors import OperatorError, TransientError


class SparkComputationError(OperatorError):
    """Spark could not compute a query."""

    guidance: ClassVar[str] = "Read the job's log for the query, correct its cause, then retry the run."


class SparkUnavailableError(TransientError):
    """Spark lost an executor or could not reach the lake."""
