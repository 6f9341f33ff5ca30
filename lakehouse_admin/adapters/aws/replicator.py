"""`Replicator` on AWS DMS: the task loads, then a job takes what it landed into bronze.

DMS has no idempotency token, and one task serves every request. A request is therefore a
folder of its own, beside the jobs' folders: whoever puts ``load.json`` gives DMS the order,
and a load counts for a request only if DMS began it after the request was made. DMS's
files become a load of ours, whole and checked, by the job ``dms_intake``: until that has
committed its manifest, no reader sees anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from etl.contracts.table import TableId
from etl.errors import LakehouseError, OperatorError, TransientError
from etl.ports.job_runner import JobId, JobLostError, JobRunner, JobSpec
from etl.ports.object_store import ObjectExistsError, ObjectMissingError, ObjectStore
from etl.ports.replicator import LoadState, LoadStatus, TableLoad
from lakehouse_admin.adapters.aws.dms import (
    DmsTask,
    Standing,
    StartType,
    TableProgress,
    TaskBusyError,
    TaskView,
)
from lakehouse_admin.adapters.embedded.replicator import JobReplicator

_START_PATIENCE = timedelta(minutes=30)
"""From the order to the load's beginning. A serverless replication first looks for capacity."""
_CLOCK_SKEW = timedelta(seconds=5)
"""DMS rounds to seconds, and its clock is not ours."""
_COMPLETE = frozenset({"FULL_LOAD_ONLY_FINISHED", "STOPPED_AFTER_FULL_LOAD", "STOPPED_AFTER_CACHED_EVENTS"})
_STARVED = frozenset({"STOPPED_DUE_TO_LOW_MEMORY", "STOPPED_DUE_TO_LOW_DISK", "EXPRESS_LICENSE_LIMITS_REACHED"})
_PASSING = frozenset({"RECOVERABLE_ERROR", "RECONFIGURATION_RESTART", "RECYCLE_TASK"})


class TaskUnusableError(OperatorError):
    """The DMS task is in a state from which it cannot be started."""

    guidance: ClassVar[str] = "Make the task anew (`terraform apply` in infra/terraform), then retry the run."


class TaskFailedError(OperatorError):
    """The DMS task ended with an error."""

    guidance: ClassVar[str] = (
        "Read the task's log in CloudWatch, correct what it names, then retry the run; docs/aws-checklist.md says how."
    )


class TaskStoppedError(OperatorError):
    """Somebody stopped the DMS task before its load was complete."""

    guidance: ClassVar[str] = "Retry the run if the task may run again; readers keep the previous publication."


class TaskStarvedError(OperatorError):
    """The DMS instance ran out of memory, disk or licence."""

    guidance: ClassVar[str] = "Choose a larger instance class or more storage for DMS, then retry the run."


class TaskInterruptedError(TransientError):
    """DMS interrupted the load by itself."""


class TableNotLoadedError(OperatorError):
    """DMS could not load every row of every table."""

    guidance: ClassVar[str] = (
        "Look at the tables named, and at what the task's log says of them; then retry the run. "
        "Nothing of it is visible."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What `load.json` remembers."""

    asked_at: datetime
    tables: tuple[TableId, ...]


class DmsReplicator:
    """Orders full loads of one DMS task. Every call is a few short requests; nothing waits."""

    def __init__(
        self,
        task: DmsTask,
        *,
        jobs: JobRunner,
        store: ObjectStore,
        tables: Sequence[TableId],
        landing_uri: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember what to order.

        Args:
            task: The replication.
            jobs: Runs ``dms_intake``.
            store: Keeps the requests' folders.
            tables: The tables selected for replication.
            landing_uri: Where the task's target endpoint writes, ``s3://bucket/prefix``.
            now: The clock.
        """
        self._task = task
        self._jobs = jobs
        self._intake = JobReplicator(jobs=jobs, tables=tables)
        self._store = store
        self._tables = tuple(tables)
        self._landing_uri = landing_uri
        self._now = now

    def start_full_load(self, *, request_id: str, tables: Sequence[TableId] = ()) -> None:
        """Give the order that the task's history asks for; returns at once.

        The first start is ``start-replication``. A task that ran before reloads its target; one
        that runs, to follow changes, reloads the tables and goes on.

        Raises:
            TaskBusyError: The task takes no orders at this moment.
            TaskUnusableError: It never will again.
            TaskMissingError: There is none.
            DmsUnavailableError: DMS did not answer.
            StoreUnavailableError: S3 did not answer.
            OperatorError: Whatever `aws_errors` raises for a person to mend.
        """
        if self._request(request_id) is not None:
            return
        wanted = tuple(tables) or self._tables
        view = self._task.view()
        _check_takes_orders(view)
        request = {"asked_at": self._now().isoformat(), "tables": [str(table) for table in wanted]}
        try:
            self._store.put(f"{request_id}/load.json", json.dumps(request).encode())
        except ObjectExistsError:
            return  # Another worker was quicker by a moment.
        try:
            self._order(view, wanted)
        except LakehouseError:
            # An order whose answer was lost may be carried out: its load is then found anew, and repeated.
            self._store.delete(f"{request_id}/load.json")
            raise

    def load_status(self, request_id: str) -> LoadStatus:  # noqa: PLR0911 - one a step of the way
        """Return where that load is: with DMS, or with the job that takes it in."""
        request = self._request(request_id)
        if request is None:
            return _failed(JobLostError("No such load was asked for."))
        if self._exists(f"{request_id}/load-cancelled"):
            return LoadStatus(state=LoadState.CANCELLED, load_id=None)
        if self._exists(f"{request_id}/spec.json"):
            return self._intake.load_status(request_id)
        view = self._task.view()
        progress = [each for each in self._task.tables() if each.table in request.tables]
        started_at = _began_at(view, progress, request.asked_at)
        if started_at is None:
            return self._not_begun(view, request)
        failure = _failure(view, progress)
        if failure is not None:
            return failure
        is_complete = view.load_finished_at is not None and all(each.is_loaded for each in progress)
        if not is_complete or view.standing is Standing.BUSY:
            loads = tuple(TableLoad(table=each.table, rows=each.rows, size_bytes=0) for each in progress)
            return LoadStatus(state=LoadState.RUNNING, load_id=None, tables=loads)
        self._take_in(request_id, request, view.name, progress, started_at)
        return self._intake.load_status(request_id)

    def cancel_full_load(self, request_id: str) -> None:
        """Stop it; without a load manifest, readers ignore what was landed. Idempotent.

        A task that was loading for this request is stopped. One that also follows changes is
        left running: what it loads is taken in by nobody.
        """
        request = self._request(request_id)
        if request is None or self.load_status(request_id).state is not LoadState.RUNNING:
            return
        if self._exists(f"{request_id}/spec.json"):
            self._jobs.cancel(JobId(request_id))
            return
        self._store.put(f"{request_id}/load-cancelled", b"")
        view = self._task.view()
        loads = _began_at(view, (), request.asked_at) is not None and view.load_finished_at is None
        if view.standing is Standing.RUNNING and loads:
            with suppress(TaskBusyError):  # It ends by itself at this moment.
                self._task.stop()

    def reload(self, tables: Sequence[TableId]) -> None:
        """Have some tables loaded again while the task follows changes.

        Raises:
            TaskBusyError: The task does not run.
        """
        view = self._task.view()
        if view.standing is not Standing.RUNNING:
            raise TaskBusyError(f"Tables can be reloaded while the task runs; it is {view.status}.", task=view.name)
        self._task.reload(tables)

    def _order(self, view: TaskView, tables: Sequence[TableId]) -> None:
        if view.standing is Standing.RUNNING:
            self._task.reload(tables)
            return
        start_type: StartType = "reload-target" if view.ran_before else "start-replication"
        self._task.start(start_type)

    def _take_in(
        self,
        request_id: str,
        request: _Request,
        task: str,
        progress: Sequence[TableProgress],
        started_at: datetime,
    ) -> None:
        """Submit the job that makes a load of ours from what DMS landed."""
        rows = {each.table: each.rows for each in progress}
        arguments = {
            "request_id": request_id,
            "landing_uri": self._landing_uri,
            "task": task,
            "started_at": started_at.astimezone(UTC).isoformat(),
            "tables": [str(table) for table in request.tables],
            "rows": [rows.get(table, 0) for table in request.tables],
        }
        self._jobs.submit(JobSpec(name="dms_intake", key=request_id, arguments=arguments))

    def _not_begun(self, view: TaskView, request: _Request) -> LoadStatus:
        """Judge a task that has not begun the load it was told to."""
        if view.standing is Standing.FAILED:
            return _failed(TaskFailedError(_sentence(view)))
        if view.standing is Standing.GONE:
            return _failed(TaskUnusableError(f"The DMS task {view.name} is {view.status}."))
        if self._now() - request.asked_at > _START_PATIENCE:
            return _failed(
                TaskInterruptedError(f"The DMS task {view.name} did not begin its load; it is {view.status}.")
            )
        return LoadStatus(state=LoadState.RUNNING, load_id=None)

    def _request(self, request_id: str) -> _Request | None:
        try:
            found: dict[str, Any] = json.loads(self._store.get(f"{request_id}/load.json"))
        except ObjectMissingError:
            return None
        return _Request(
            asked_at=datetime.fromisoformat(found["asked_at"]),
            tables=tuple(TableId.parse(name) for name in found["tables"]),
        )

    def _exists(self, key: str) -> bool:
        return any(info.key == key for info in self._store.list(key))


def _check_takes_orders(view: TaskView) -> None:
    """Refuse a task that cannot be started or told to reload.

    Raises:
        TaskBusyError: Not at this moment.
        TaskUnusableError: Never again.
    """
    is_loading = view.standing is Standing.RUNNING and view.load_finished_at is None
    if view.standing is Standing.BUSY or is_loading:
        raise TaskBusyError(f"The DMS task {view.name} is {view.status} and takes no orders.")
    if view.standing is Standing.GONE:
        raise TaskUnusableError(f"The DMS task {view.name} is {view.status}.")


def _began_at(view: TaskView, progress: Sequence[TableProgress], asked_at: datetime) -> datetime | None:
    """Return when the load that was asked for began: the task's, or a reload of every table; None if not yet."""
    earliest = asked_at - _CLOCK_SKEW
    if view.load_started_at is not None and view.load_started_at >= earliest:
        return view.load_started_at
    starts = [each.started_at for each in progress if each.started_at is not None and each.started_at >= earliest]
    return min(starts) if starts and len(starts) == len(progress) else None


def _failure(view: TaskView, progress: Sequence[TableProgress]) -> LoadStatus | None:  # noqa: PLR0911 - one a cause
    """Return why a load that began will not be complete; None if it still may, or is."""
    if view.standing is Standing.FAILED:
        return _failed(TaskFailedError(_sentence(view)))
    broken = [str(each.table) for each in progress if each.is_broken]
    if broken:
        return _failed(TableNotLoadedError(f"DMS did not load {', '.join(broken)}."))
    if view.standing is Standing.GONE:
        return _failed(TaskUnusableError(f"The DMS task {view.name} is {view.status}."))
    if view.standing is Standing.READY:
        return _failed(TaskInterruptedError(f"The DMS task {view.name} was reset while it loaded."))
    if view.standing is not Standing.STOPPED or view.stop_reason in _COMPLETE:
        return None
    errors: dict[str, LakehouseError] = {
        **{reason: TaskStarvedError(_sentence(view)) for reason in _STARVED},
        **{reason: TaskInterruptedError(_sentence(view)) for reason in _PASSING},
        "NORMAL": TaskStoppedError(_sentence(view)),
        "": TaskStoppedError(_sentence(view)),
    }
    if view.load_finished_at is not None and view.stop_reason in {"", "NORMAL"}:
        return None  # Stopped while it followed changes: the load before that is whole.
    return _failed(errors.get(view.stop_reason, TaskFailedError(_sentence(view))))


def _sentence(view: TaskView) -> str:
    reason = view.failure or view.stop_reason.replace("_", " ").lower() or "no reason given"
    return f"The DMS task {view.name} is {view.status}: {reason.strip().rstrip('.')}."


def _failed(error: LakehouseError) -> LoadStatus:
    kind = type(error)
    return LoadStatus(
        state=LoadState.FAILED,
        load_id=None,
        error_class=f"{kind.__module__}.{kind.__qualname__}",
        error_message=str(error),
    )
