"""DMS: one task on an instance and one serverless replication, each a table of states and orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.aws.service import ACCOUNT, REGION, Clock, FakeService, Fault

TASK = f"arn:aws:dms:{REGION}:{ACCOUNT}:task:LAKESIDEDEVTASK"
REPLICATION = f"arn:aws:dms:{REGION}:{ACCOUNT}:replication-config:LAKESIDEDEVCONFIG"
INSTANCE = f"arn:aws:dms:{REGION}:{ACCOUNT}:rep:LAKESIDEDEV"
SOURCE = f"arn:aws:dms:{REGION}:{ACCOUNT}:endpoint:SOURCE"
TARGET = f"arn:aws:dms:{REGION}:{ACCOUNT}:endpoint:TARGET"

MOVES: dict[str, dict[str, str]] = {
    "creating": {"made": "ready"},
    "ready": {"start-replication": "starting", "modify": "modifying", "move": "moving", "assess": "testing"},
    "starting": {"started": "running", "failed": "failed"},
    "running": {"stop": "stopping", "finished": "stopped", "failed": "failed"},
    "stopping": {"stopped": "stopped"},
    "stopped": {
        "reload-target": "starting",
        "resume-processing": "starting",
        "modify": "modifying",
        "move": "moving",
        "delete": "deleting",
    },
    "failed": {"reload-target": "starting", "resume-processing": "starting", "delete": "deleting"},
    "modifying": {"modified": "stopped"},
    "moving": {"moved": "stopped", "failed": "failed-move"},
    "failed-move": {"delete": "deleting"},
    "testing": {"tested": "ready"},
    "deleting": {},
}
"""State and event give the next state; an order missing here is InvalidResourceStateFault."""


class FakeDms(FakeService):
    name = "dms"

    def __init__(self, clock: Clock | None = None, *, status: str = "ready") -> None:
        super().__init__(clock)
        self.status = status
        self.exists = True
        self.ran_before = False
        self.fresh_start: Any = None
        self.load_started: Any = None
        self.load_finished: Any = None
        self.stop_reason = ""
        self.failure = ""
        self.statistics: dict[str, dict[str, Any]] = {}
        self.connections: dict[str, str] = {}

    # --- what a test lets happen

    def event(self, name: str, *, reason: str = "", failure: str = "") -> None:
        """Let something happen to the task."""
        self.status = MOVES[self.status][name]
        if name == "started":
            self.load_started = self.clock.now()
        if reason:
            self.stop_reason = f"Stop Reason {reason}"
        if failure:
            self.failure = failure

    def load(self, table: str, *, rows: int, state: str = "Table completed", error_rows: int = 0) -> None:
        """Say how far a table's load is."""
        self.statistics[table] = {
            "SchemaName": "public",
            "TableName": table,
            "TableState": state,
            "FullLoadRows": rows,
            "FullLoadErrorRows": error_rows,
            "FullLoadStartTime": self.clock.now(),
            "FullLoadReloaded": False,
        }

    def finish_load(self) -> None:
        """Complete the load as a whole."""
        self.load_finished = self.clock.now()

    # --- a task

    def describe_replication_tasks(self, *, Filters: list[Any], WithoutSettings: bool = False) -> dict[str, Any]:
        assert WithoutSettings, "settings may be long, and are nobody's business"
        if not self.exists or Filters != [{"Name": "replication-task-arn", "Values": [TASK]}]:
            raise Fault("ResourceNotFoundFault", "No Tasks found matching provided filters")
        return {"ReplicationTasks": [self._task()]}

    def start_replication_task(self, *, ReplicationTaskArn: str, StartReplicationTaskType: str) -> dict[str, Any]:
        self._order(ReplicationTaskArn, TASK, StartReplicationTaskType)
        return {"ReplicationTask": self._task()}

    def stop_replication_task(self, *, ReplicationTaskArn: str) -> dict[str, Any]:
        self._order(ReplicationTaskArn, TASK, "stop")
        return {"ReplicationTask": self._task()}

    def reload_tables(
        self,
        *,
        ReplicationTaskArn: str,
        TablesToReload: list[dict[str, str]],
        ReloadOption: str,
    ) -> dict[str, Any]:
        self._reload(ReplicationTaskArn, TASK, TablesToReload, ReloadOption)
        return {"ReplicationTaskArn": ReplicationTaskArn}

    def describe_table_statistics(
        self,
        *,
        ReplicationTaskArn: str,
        MaxRecords: int = 100,
        Marker: str = "0",
    ) -> dict[str, Any]:
        page, more = self._statistics(MaxRecords, Marker)
        return {"ReplicationTaskArn": ReplicationTaskArn, "TableStatistics": page, **more}

    # --- a serverless replication

    def describe_replications(self, *, Filters: list[Any]) -> dict[str, Any]:
        if not self.exists or Filters != [{"Name": "replication-config-arn", "Values": [REPLICATION]}]:
            raise Fault("ResourceNotFoundFault")
        return {"Replications": [self._replication()]}

    def start_replication(self, *, ReplicationConfigArn: str, StartReplicationType: str) -> dict[str, Any]:
        self._order(ReplicationConfigArn, REPLICATION, StartReplicationType)
        return {"Replication": self._replication()}

    def stop_replication(self, *, ReplicationConfigArn: str) -> dict[str, Any]:
        self._order(ReplicationConfigArn, REPLICATION, "stop")
        return {"Replication": self._replication()}

    def reload_replication_tables(
        self,
        *,
        ReplicationConfigArn: str,
        TablesToReload: list[dict[str, str]],
        ReloadOption: str,
    ) -> dict[str, Any]:
        self._reload(ReplicationConfigArn, REPLICATION, TablesToReload, ReloadOption)
        return {"ReplicationConfigArn": ReplicationConfigArn}

    def describe_replication_table_statistics(
        self,
        *,
        ReplicationConfigArn: str,
        MaxRecords: int = 100,
        Marker: str = "0",
    ) -> dict[str, Any]:
        page, more = self._statistics(MaxRecords, Marker)
        return {"ReplicationConfigArn": ReplicationConfigArn, "ReplicationTableStatistics": page, **more}

    # --- connections

    def test_connection(self, *, ReplicationInstanceArn: str, EndpointArn: str) -> dict[str, Any]:
        if self.connections.get(EndpointArn) == "testing":
            raise Fault("InvalidResourceStateFault", "A connection test is under way")
        self.connections[EndpointArn] = "testing"
        return {"Connection": self._connection(EndpointArn)}

    def describe_connections(self, *, Filters: list[Any]) -> dict[str, Any]:
        wanted = Filters[0]["Values"]
        found = [self._connection(endpoint) for endpoint in self.connections if endpoint in wanted]
        if not found:
            raise Fault("ResourceNotFoundFault")
        return {"Connections": found}

    def _connection(self, endpoint: str) -> dict[str, Any]:
        status = self.connections[endpoint]
        failure = {"LastFailureMessage": "timeout expired"} if status == "failed" else {}
        return {"ReplicationInstanceArn": INSTANCE, "EndpointArn": endpoint, "Status": status, **failure}

    def _order(self, arn: str, ours: str, order: str) -> None:
        if not self.exists or arn != ours:
            raise Fault("ResourceNotFoundFault")
        if order == "start-replication" and self.ran_before:
            raise Fault("InvalidResourceStateFault", "A task that ran is resumed or reloaded")
        if order not in MOVES[self.status]:
            raise Fault("InvalidResourceStateFault", f"{order} is nothing for a task that is {self.status}")
        self.status = MOVES[self.status][order]
        if order in {"start-replication", "reload-target"}:
            self.ran_before = True
            self.fresh_start = self.clock.now()
            self.load_started = self.load_finished = None
            self.statistics, self.stop_reason, self.failure = {}, "", ""

    def _reload(self, arn: str, ours: str, tables: list[dict[str, str]], option: str) -> None:
        if arn != ours:
            raise Fault("ResourceNotFoundFault")
        assert option == "data-reload"
        if self.status != "running":
            raise Fault("InvalidResourceStateFault", "Tables are reloaded while the task runs")
        for table in tables:
            self.load(table["TableName"], rows=0, state="Table is being reloaded")

    def _statistics(self, size: int, marker: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
        assert size >= 20, "DMS's own minimum"
        start = int(marker)
        every = list(self.statistics.values())
        return every[start : start + size], ({"Marker": str(start + size)} if start + size < len(every) else {})

    def _stats(self) -> dict[str, Any]:
        times = {
            "FreshStartDate": self.fresh_start,
            "StartDate": self.fresh_start,
            "FullLoadStartDate": self.load_started,
            "FullLoadFinishDate": self.load_finished,
        }
        return {"FullLoadProgressPercent": 0, **{name: at for name, at in times.items() if at is not None}}

    def _task(self) -> dict[str, Any]:
        return {
            "ReplicationTaskIdentifier": "lakeside-dev",
            "ReplicationTaskArn": TASK,
            "SourceEndpointArn": SOURCE,
            "TargetEndpointArn": TARGET,
            "ReplicationInstanceArn": INSTANCE,
            "MigrationType": "full-load",
            "Status": self.status,
            "ReplicationTaskCreationDate": self.clock.now() - timedelta(days=1),
            "ReplicationTaskStats": self._stats(),
            **({"ReplicationTaskStartDate": self.fresh_start} if self.ran_before else {}),
            **({"StopReason": self.stop_reason} if self.stop_reason else {}),
            **({"LastFailureMessage": self.failure} if self.failure else {}),
        }

    def _replication(self) -> dict[str, Any]:
        return {
            "ReplicationConfigIdentifier": "lakeside-dev",
            "ReplicationConfigArn": REPLICATION,
            "SourceEndpointArn": SOURCE,
            "TargetEndpointArn": TARGET,
            "ReplicationType": "full-load",
            "Status": self.status,
            "ReplicationStats": self._stats(),
            **({"StopReason": self.stop_reason} if self.stop_reason else {}),
            **({"FailureMessages": [self.failure]} if self.failure else {}),
        }
