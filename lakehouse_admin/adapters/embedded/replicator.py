"""`Replicator` whose full load is the job ``full_load`` of our own replicator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etl.contracts.table import TableId
from etl.ports.job_runner import JobId, JobLostError, JobRunner, JobSpec, JobState, JobStatus
from etl.ports.replicator import LoadState, LoadStatus, TableLoad

_STATES: Mapping[JobState, LoadState] = {
    JobState.RUNNING: LoadState.RUNNING,
    JobState.SUCCEEDED: LoadState.SUCCEEDED,
    JobState.CANCELLED: LoadState.CANCELLED,
    JobState.FAILED: LoadState.FAILED,
    JobState.LOST: LoadState.FAILED,
}


class JobReplicator:
    """Runs full loads as jobs; a request id is the job's idempotency key."""

    def __init__(self, *, jobs: JobRunner, tables: Sequence[TableId], slot: str = "") -> None:
        """Prepare.

        Args:
            jobs: Runs the loads.
            tables: All tables selected for replication.
            slot: The slot whose changes continue the loads; empty if nothing does.
        """
        self._slot = slot
        self._jobs = jobs
        self._tables = tuple(tables)

    def start_full_load(self, *, request_id: str, tables: Sequence[TableId] = ()) -> None:
        """Submit the load, of all selected tables if none are named; returns at once.

        Raises:
            JobRefusedError: The job cannot be started.
        """
        names = [str(table) for table in tables or self._tables]
        arguments: dict[str, object] = {"request_id": request_id, "tables": names}
        if self._slot:
            arguments |= {"slot": self._slot, "slot_tables": [str(table) for table in self._tables]}
        self._jobs.submit(JobSpec(name="full_load", key=request_id, arguments=arguments))

    def load_status(self, request_id: str) -> LoadStatus:
        """Translate the job's status."""
        status = self._jobs.status(JobId(request_id))
        result: Mapping[str, Any] = status.result or {}
        return LoadStatus(
            state=_STATES[status.state],
            load_id=result.get("load_id"),
            tables=_tables(status),
            error_class=_error_class(status),
            error_message=status.error_message or status.exit_reason,
            log_tail=status.log_tail,
            heartbeat_at=status.heartbeat_at,
            usage=status.usage,
        )

    def cancel_full_load(self, request_id: str) -> None:
        """End the job; files without a load manifest are ignored by readers."""
        self._jobs.cancel(JobId(request_id))


def _tables(status: JobStatus) -> tuple[TableLoad, ...]:
    """Return rows by table: the result's once there is one, else the latest progress."""
    if status.result is not None:
        done: list[dict[str, Any]] = list(status.result["tables"])  # type: ignore[call-overload]
        return tuple(
            TableLoad(table=TableId.parse(each["table"]), rows=each["rows"], size_bytes=each["size_bytes"])
            for each in done
        )
    progress: Mapping[str, Any] = status.progress or {}
    rows: Mapping[str, int] = progress.get("rows", {})
    return tuple(TableLoad(table=TableId.parse(name), rows=count, size_bytes=0) for name, count in sorted(rows.items()))


def _error_class(status: JobStatus) -> str | None:
    if status.state is JobState.LOST:
        return f"{JobLostError.__module__}.{JobLostError.__qualname__}"
    return status.error_class
