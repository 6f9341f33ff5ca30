"""Port: brings the source's rows and changes to bronze. Our own replicator, or AWS DMS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from etl.contracts.table import TableId
from etl.errors import OperatorError, TransientError


class SourceUnavailableError(TransientError):
    """The source database did not answer."""

    guidance: ClassVar[str] = "Check that PostgreSQL runs and LAKEHOUSE_SOURCE_URL is right; the step is tried again."


class ReplicatorBusyError(TransientError):
    """The replicator is busy with something else and takes no orders."""

    guidance: ClassVar[str] = "Nothing to do: the step is tried again on its own, over some minutes."


class SourceNotReadyError(OperatorError):
    """The source lacks something replication needs."""

    guidance: ClassVar[str] = "Run the SQL that the message gives, on the source, then retry the run."


class UnsupportedColumnError(OperatorError):
    """A table has a column that cannot be carried without changing its values."""

    guidance: ClassVar[str] = "Leave the table out of the selection, or change the column's type."


class LoadState(StrEnum):
    """Where a full load is; the last three are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLoad:
    """One table within a full load."""

    table: TableId
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStatus:
    """What is known about a full load now."""

    state: LoadState
    load_id: str | None
    """Set once succeeded: names the `LoadManifest` in bronze."""
    tables: tuple[TableLoad, ...] = ()
    error_class: str | None = None
    error_message: str | None = None
    log_tail: str = ""
    heartbeat_at: datetime | None = None
    """When the load last showed life; None if it cannot."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What its job has used so far that costs money, as `JobStatus.usage`."""


class Replicator(Protocol):
    """Lands full loads (and, continuously, changes) in bronze."""

    def start_full_load(self, *, request_id: str, tables: Sequence[TableId] = ()) -> None:
        """Begin one consistent copy of the tables (all selected ones if empty); returns at once.

        Idempotent by ``request_id``: a repeated request starts nothing.

        Raises:
            SourceUnavailableError: No answer from the source.
            SourceNotReadyError: A setting or grant is missing.
            ReplicatorBusyError: It cannot be begun at this moment.
        """

    def load_status(self, request_id: str) -> LoadStatus:
        """Return where that full load is."""

    def cancel_full_load(self, request_id: str) -> None:
        """Stop it; files without a load manifest are ignored by readers and cleaned later. Idempotent."""
