"""What `etl.gold.materialise` needs of an engine: DuckDB where the platform runs on one machine, Spark on AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, Self

from pyiceberg.table import Table

from etl.gold.compile import CompiledModel
from etl.quality.execute import CheckResult


class ModelEngine(Protocol):
    """Computes models over tables that are pinned to the snapshots they had when they were shown."""

    def fork(self) -> AbstractContextManager[Self]:
        """Return one that a thread of its own may use; what either shows or computes, both read."""

    def show(self, tables: Mapping[str, Table]) -> None:
        """Make tables readable at their current snapshots, by qualified name.

        Raises:
            DeleteFilesError: One has deletes that the engine does not apply.
        """

    def latest_commit(self, tables: Sequence[str]) -> datetime | None:
        """Return the latest source commit time in shown tables of silver; None if they are empty."""

    def compute(self, compiled: CompiledModel, *, as_of: datetime) -> int:
        """Compute a model's rows, readable under the name of its table, and return their number; nothing is committed.

        Raises:
            ModelComputationError: The engine cannot.
            OperatorError: The engine lacks memory or room.
        """

    def check(self, compiled: CompiledModel, *, as_of: datetime, history: Sequence[int]) -> tuple[CheckResult, ...]:
        """Run the model's checks on the computed rows; see `etl.quality.execute.run_checks`.

        Raises:
            CheckNotComputedError: The engine refused a check's SQL.
        """

    def drop(self, table: str) -> None:
        """Forget the computed rows."""

    def commit(self, table: Table, compiled: CompiledModel, properties: Mapping[str, str]) -> None:
        """Replace the table's rows by the computed ones in one snapshot.

        Raises:
            CommitConflictError: Someone else committed first.
            CommitUnknownError: The catalog went away during the commit.
            StoreFullError: No room.
        """
