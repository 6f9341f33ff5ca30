"""What carries a replication on DMS, seen alike: a task on an instance, or a serverless replication.

States of a task, and what may follow, are DMS's own; here they come down to five that
decide what can be asked of it. Source: AWS DMS API reference, ``ReplicationTask``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from botocore.exceptions import ClientError

from etl.contracts.table import TableId
from etl.errors import OperatorError
from etl.ports.replicator import ReplicatorBusyError, SourceUnavailableError
from lakehouse_admin.adapters.aws.errors import aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_dms import DatabaseMigrationServiceClient
    from mypy_boto3_dms.type_defs import (
        DescribeReplicationTableStatisticsMessageTypeDef,
        ReplicationTaskTypeDef,
        ReplicationTypeDef,
        TableStatisticsTypeDef,
    )

StartType = Literal["start-replication", "resume-processing", "reload-target"]

_PAGE = 100


class TaskMissingError(OperatorError):
    """There is no such DMS task in this account and region."""

    guidance: ClassVar[str] = "Set LAKEHOUSE_DMS_TASK to the ARN that `terraform output` prints, then retry the run."


class TaskBusyError(ReplicatorBusyError):
    """The DMS task is between two states and takes no orders."""


class DmsUnavailableError(SourceUnavailableError):
    """DMS did not answer."""

    guidance: ClassVar[str] = "Nothing to do: the step is tried again on its own."


class Standing(StrEnum):
    """What a task can be asked."""

    READY = "ready"
    """Never ran: takes its first start."""
    BUSY = "busy"
    """On the way to another state; takes nothing."""
    RUNNING = "running"
    """Loads or follows changes: tables can be reloaded, the task can be stopped."""
    STOPPED = "stopped"
    """Ended in order, or was told to."""
    FAILED = "failed"
    """Ended with an error."""
    GONE = "gone"
    """Being deleted, or left broken by a move: of no more use."""


_STANDINGS: Mapping[str, Standing] = {
    "creating": Standing.BUSY,
    "ready": Standing.READY,
    "starting": Standing.BUSY,
    "running": Standing.RUNNING,
    "stopping": Standing.BUSY,
    "stopped": Standing.STOPPED,
    "modifying": Standing.BUSY,
    "moving": Standing.BUSY,
    "failed-move": Standing.GONE,
    "testing": Standing.BUSY,
    "deleting": Standing.GONE,
    "failed": Standing.FAILED,
}
"""Of a task. What DMS adds later counts as busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgress:
    """One table within a load, by DMS's own statistics."""

    table: TableId
    state: str
    rows: int
    error_rows: int
    started_at: datetime | None = None
    """When its load, or the last reload of it, began."""

    @property
    def is_loaded(self) -> bool:
        """Whether its full load is complete."""
        return self.state == "Table completed"

    @property
    def is_broken(self) -> bool:
        """Whether its full load will never be complete."""
        return self.state in {"Table error", "Table does not exist", "Table cancelled"} or self.error_rows > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task at one moment."""

    name: str
    """Its identifier, for sentences."""
    status: str
    """In DMS's word, for sentences."""
    standing: Standing
    ran_before: bool
    stop_reason: str = ""
    """Without the words ``Stop Reason``."""
    failure: str = ""
    load_started_at: datetime | None = None
    load_finished_at: datetime | None = None


class DmsTask(Protocol):
    """One replication. Every call is one or two short requests.

    Raises, from every call: `DmsUnavailableError`, `TaskMissingError`, and what `aws_errors`
    raises for a person to mend. Orders raise `TaskBusyError` if the state has changed meanwhile.
    """

    def view(self) -> TaskView:
        """Return the task as it is now."""

    def start(self, start_type: StartType) -> None:
        """Start it."""

    def stop(self) -> None:
        """Begin to stop it."""

    def reload(self, tables: Sequence[TableId]) -> None:
        """Load some tables again, while it runs."""

    def tables(self) -> Sequence[TableProgress]:
        """Return the statistics of every table, by name."""


class ProvisionedTask:
    """A replication task on a replication instance."""

    def __init__(self, client: DatabaseMigrationServiceClient, arn: str) -> None:
        """Remember which."""
        self._client = client
        self._arn = arn

    def view(self) -> TaskView:
        """Return the task as it is now."""
        with _dms_errors(self._arn):
            found = self._client.describe_replication_tasks(
                Filters=[{"Name": "replication-task-arn", "Values": [self._arn]}], WithoutSettings=True
            )["ReplicationTasks"]
        if not found:
            raise TaskMissingError(task=self._arn)
        return _task_view(found[0])

    def start(self, start_type: StartType) -> None:
        """Start it."""
        with _dms_errors(self._arn):
            self._client.start_replication_task(ReplicationTaskArn=self._arn, StartReplicationTaskType=start_type)

    def stop(self) -> None:
        """Begin to stop it."""
        with _dms_errors(self._arn):
            self._client.stop_replication_task(ReplicationTaskArn=self._arn)

    def reload(self, tables: Sequence[TableId]) -> None:
        """Load some tables again, while it runs."""
        with _dms_errors(self._arn):
            self._client.reload_tables(
                ReplicationTaskArn=self._arn,
                TablesToReload=[{"SchemaName": table.schema, "TableName": table.name} for table in tables],
                ReloadOption="data-reload",
            )

    def tables(self) -> Sequence[TableProgress]:
        """Return the statistics of every table, by name."""
        pages = self._client.get_paginator("describe_table_statistics").paginate(
            ReplicationTaskArn=self._arn, PaginationConfig={"PageSize": _PAGE}
        )
        try:
            with _dms_errors(self._arn):
                return _progress([each for page in pages for each in page["TableStatistics"]])
        except TaskBusyError:
            return ()  # No statistics yet.


class ServerlessReplication:
    """A serverless replication, started from its configuration.

    DMS publishes no list of its states. The ones named here decide; any other means that it
    is on the way, such as while capacity is being found.
    """

    def __init__(self, client: DatabaseMigrationServiceClient, arn: str) -> None:
        """Remember which replication configuration."""
        self._client = client
        self._arn = arn

    def view(self) -> TaskView:
        """Return the replication as it is now."""
        with _dms_errors(self._arn):
            found = self._client.describe_replications(
                Filters=[{"Name": "replication-config-arn", "Values": [self._arn]}]
            )["Replications"]
        if not found:
            raise TaskMissingError(task=self._arn)
        return _replication_view(found[0])

    def start(self, start_type: StartType) -> None:
        """Start it."""
        with _dms_errors(self._arn):
            self._client.start_replication(ReplicationConfigArn=self._arn, StartReplicationType=start_type)

    def stop(self) -> None:
        """Begin to stop it."""
        with _dms_errors(self._arn):
            self._client.stop_replication(ReplicationConfigArn=self._arn)

    def reload(self, tables: Sequence[TableId]) -> None:
        """Load some tables again, while it runs."""
        with _dms_errors(self._arn):
            self._client.reload_replication_tables(
                ReplicationConfigArn=self._arn,
                TablesToReload=[{"SchemaName": table.schema, "TableName": table.name} for table in tables],
                ReloadOption="data-reload",
            )

    def tables(self) -> Sequence[TableProgress]:
        """Return the statistics of every table, by name."""
        found: list[TableStatisticsTypeDef] = []
        asked: DescribeReplicationTableStatisticsMessageTypeDef = {
            "ReplicationConfigArn": self._arn,
            "MaxRecords": _PAGE,
        }
        try:
            while True:  # Botocore has no paginator for this.
                with _dms_errors(self._arn):
                    page = self._client.describe_replication_table_statistics(**asked)
                found += page["ReplicationTableStatistics"]
                if not page.get("Marker"):
                    return _progress(found)
                asked["Marker"] = page["Marker"]
        except TaskBusyError:
            return ()  # No statistics yet.


def dms_task(client: DatabaseMigrationServiceClient, arn: str) -> DmsTask:
    """Return what an ARN names: a task (``...:task:X``), or a serverless one (``...:replication-config:X``)."""
    if ":replication-config:" in arn:
        return ServerlessReplication(client, arn)
    return ProvisionedTask(client, arn)


def _task_view(task: ReplicationTaskTypeDef) -> TaskView:
    status = task["Status"]
    stats = task.get("ReplicationTaskStats", {})
    return TaskView(
        name=task["ReplicationTaskIdentifier"],
        status=status,
        standing=_STANDINGS.get(status, Standing.BUSY),
        ran_before="ReplicationTaskStartDate" in task,
        stop_reason=_stop_reason(task.get("StopReason", "")),
        failure=task.get("LastFailureMessage", ""),
        load_started_at=stats.get("FullLoadStartDate"),
        load_finished_at=stats.get("FullLoadFinishDate"),
    )


def _replication_view(replication: ReplicationTypeDef) -> TaskView:
    status = replication["Status"]
    stats = replication.get("ReplicationStats", {})
    standings = {
        "created": Standing.READY,
        "ready": Standing.READY,
        "running": Standing.RUNNING,
        "stopped": Standing.STOPPED,
        "failed": Standing.FAILED,
        "deleting": Standing.GONE,
    }
    return TaskView(
        name=replication["ReplicationConfigIdentifier"],
        status=status,
        standing=standings.get(status.lower(), Standing.BUSY),
        ran_before="StartDate" in stats or "ReplicationLastStopTime" in replication,
        stop_reason=_stop_reason(replication.get("StopReason", "")),
        failure=" ".join(replication.get("FailureMessages", [])),
        load_started_at=stats.get("FullLoadStartDate"),
        load_finished_at=stats.get("FullLoadFinishDate"),
    )


def _stop_reason(text: str) -> str:
    return text.removeprefix("Stop Reason ").strip()


def _progress(statistics: Sequence[TableStatisticsTypeDef]) -> tuple[TableProgress, ...]:
    found = (
        TableProgress(
            table=TableId(schema=each["SchemaName"], name=each["TableName"]),
            state=each.get("TableState", ""),
            rows=each.get("FullLoadRows", 0),
            error_rows=each.get("FullLoadErrorRows", 0),
            started_at=each.get("FullLoadStartTime"),
        )
        for each in statistics
        if not each["TableName"].startswith("awsdms_")  # DMS's own control tables.
    )
    return tuple(sorted(found, key=lambda each: each.table))


@contextmanager
def _dms_errors(arn: str) -> Iterator[None]:
    """Turn DMS's errors into ours."""
    with aws_errors("DMS cannot be asked", unavailable=DmsUnavailableError):
        try:
            yield
        except ClientError as error:
            code = code_of(error)
            if code == "ResourceNotFoundFault":
                raise TaskMissingError(task=arn) from error
            if code == "InvalidResourceStateFault":
                raise TaskBusyError(task=arn) from error
            raise
