"""Every state of a pipeline, a run, a stage run, a table and an alert, and which state may follow which.

`docs/states.md` is written from this module (`manage.py lakehouse states`), and the
database's check constraints hold the same values. `lakehouse_admin.transition` is the
only code that changes a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import TextChoices

StateT = TypeVar("StateT", bound=TextChoices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Generic[StateT]):
    """The states of one kind of row, what each means, and the moves between them."""

    title: str
    first: StateT
    meanings: Mapping[StateT, str]
    """Who sets the state, when, and what it promises; every state is listed, in display order."""
    moves: Mapping[StateT, frozenset[StateT]]
    """Allowed successors; a state without any is final."""

    def allows(self, before: StateT, after: StateT) -> bool:
        """Tell whether a row in ``before`` may become ``after``."""
        return after in self.moves.get(before, frozenset())

    @property
    def final(self) -> frozenset[StateT]:
        """The states nothing follows."""
        return frozenset(state for state in self.meanings if not self.moves.get(state))


class RunState(TextChoices):
    """Where a pipeline run is."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Needs you"
    CANCELLING = "cancelling", "Cancelling"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE_RUN_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING, RunState.CANCELLING)
"""Of what a run was asked for there is at most one run in these; a partial unique index says so."""

MOVING_RUN_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING)
"""Runs that `flow.advance` still has work with; the tick keeps them going."""

RUN = Machine(
    title="Pipeline run",
    first=RunState.QUEUED,
    meanings={
        RunState.QUEUED: "Asked for (`actions.trigger_run`, `actions.retry_run`); no worker has taken it yet.",
        RunState.RUNNING: "A worker has taken it; one of its stages is pending or running.",
        RunState.WAITING: "A stage met something only a person can change; the run says what. Retry or cancel it.",
        RunState.CANCELLING: "Someone asked to stop it (`actions.cancel_run`); its job is being ended.",
        RunState.SUCCEEDED: "Every table was reconciled and the run's gold is published; or the lake was maintained.",
        RunState.FAILED: "A stage failed for good. Nothing was published; readers keep the previous publication.",
        RunState.CANCELLED: "Stopped before publication. Readers keep the previous publication.",
    },
    moves={
        RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLING}),
        RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.WAITING, RunState.CANCELLING}),
        RunState.WAITING: frozenset({RunState.QUEUED, RunState.CANCELLING}),
        RunState.CANCELLING: frozenset({RunState.CANCELLED}),
        RunState.FAILED: frozenset({RunState.QUEUED}),
    },
)


class StageState(TextChoices):
    """Where one attempt at one stage is."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


STAGE = Machine(
    title="Stage run",
    first=StageState.PENDING,
    meanings={
        StageState.PENDING: "Waits for the stage before it or, for a later attempt, for its back-off to pass.",
        StageState.RUNNING: "Its job has been submitted and is being polled.",
        StageState.SUCCEEDED: "Its job ended well and its results are recorded.",
        StageState.FAILED: "This attempt ended with an error; another attempt may follow as a row of its own.",
        StageState.CANCELLED: "Its job was ended, or it never started: the run was cancelled, or one beside it failed.",
    },
    moves={
        StageState.PENDING: frozenset({StageState.RUNNING, StageState.FAILED, StageState.CANCELLED}),
        StageState.RUNNING: frozenset({StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED}),
    },
)


class PipelineState(TextChoices):
    """Whether a pipeline starts runs by itself."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"


PIPELINE = Machine(
    title="Pipeline",
    first=PipelineState.ACTIVE,
    meanings={
        PipelineState.ACTIVE: "Its schedules, if it has any, start runs.",
        PipelineState.PAUSED: "Only a person starts runs.",
    },
    moves={
        PipelineState.ACTIVE: frozenset({PipelineState.PAUSED}),
        PipelineState.PAUSED: frozenset({PipelineState.ACTIVE}),
    },
)


class FollowerPhase(TextChoices):
    """What the continuous follower is doing."""

    WAITING = "waiting", "Waiting for a first load"
    FOLLOWING = "following", "Following"
    YIELDING = "yielding", "Making way"
    FAILING = "failing", "Failing, tries again"
    STOPPED = "stopped", "Stopped"


class TablePhase(TextChoices):
    """Where a source table stands on its way through the lake."""

    LOADING = "loading", "Loading"
    FOLLOWING = "following", "Following"
    PAUSED = "paused", "Paused"
    SKIPPED = "skipped", "Left out"
    FAILED = "failed", "Failed"
    RESYNCING = "resyncing", "Resyncing"
    REMOVED = "removed", "Removed"


LEFT_OUT = (TablePhase.PAUSED, TablePhase.SKIPPED, TablePhase.REMOVED)
"""A run over all tables neither loads nor compares these; readers keep the rows they have."""

NOT_FOLLOWED = (*LEFT_OUT, TablePhase.LOADING, TablePhase.FAILED, TablePhase.RESYNCING)
"""Changes of these are not applied to silver; they stay in bronze until the table is taken up again."""

TABLE = Machine(
    title="Table",
    first=TablePhase.LOADING,
    meanings={
        TablePhase.LOADING: "Selected, but no load of it has been reconciled yet.",
        TablePhase.FOLLOWING: "A load of it was reconciled; later loads and changes are applied.",
        TablePhase.PAUSED: (
            "Someone paused it (`actions.change_table`): nothing is applied, bronze goes on, and resuming catches up."
        ),
        TablePhase.SKIPPED: "Someone left it out: other tables go on without it. A resync takes it up again.",
        TablePhase.FAILED: "It alone failed; the others go on. Resume it once the cause is gone, or resync it.",
        TablePhase.RESYNCING: "A new load of this table alone was asked for (`actions.resync_table`).",
        TablePhase.REMOVED: "No longer selected. Its rows stay in silver as they were; a resync selects it again.",
    },
    moves={
        TablePhase.LOADING: frozenset(
            {
                TablePhase.FOLLOWING,
                TablePhase.PAUSED,
                TablePhase.SKIPPED,
                TablePhase.FAILED,
                TablePhase.RESYNCING,
                TablePhase.REMOVED,
            }
        ),
        TablePhase.FOLLOWING: frozenset(
            {
                TablePhase.PAUSED,
                TablePhase.SKIPPED,
                TablePhase.FAILED,
                TablePhase.RESYNCING,
                TablePhase.REMOVED,
            }
        ),
        TablePhase.PAUSED: frozenset(
            {TablePhase.FOLLOWING, TablePhase.SKIPPED, TablePhase.RESYNCING, TablePhase.REMOVED}
        ),
        TablePhase.SKIPPED: frozenset({TablePhase.RESYNCING, TablePhase.REMOVED}),
        TablePhase.FAILED: frozenset(
            {
                TablePhase.FOLLOWING,
                TablePhase.PAUSED,
                TablePhase.SKIPPED,
                TablePhase.RESYNCING,
                TablePhase.REMOVED,
            }
        ),
        TablePhase.RESYNCING: frozenset({TablePhase.FOLLOWING, TablePhase.FAILED, TablePhase.SKIPPED}),
        TablePhase.REMOVED: frozenset({TablePhase.RESYNCING}),
    },
)


class Trigger(TextChoices):
    """What asked for a run."""

    CONSOLE = "console", "Console"
    COMMAND = "command", "Command line"
    SCHEDULE = "schedule", "Schedule"
    ARRIVAL = "arrival", "Data arrival"
    RESYNC = "resync", "Resync"
    MAINTENANCE = "maintenance", "Maintenance"


class ScheduleKind(TextChoices):
    """What a schedule starts; `lakehouse_admin.schedules.starters` says how."""

    PIPELINE = "pipeline", "Run of the pipeline"
    RESYNC = "resync", "Resync of tables"
    MAINTENANCE = "maintenance", "Maintenance of the lake"


PRIORITIES: Mapping[Trigger, int] = {
    Trigger.RESYNC: 40,
    Trigger.CONSOLE: 30,
    Trigger.COMMAND: 30,
    Trigger.ARRIVAL: 20,
    Trigger.SCHEDULE: 10,
    Trigger.MAINTENANCE: 5,
}
"""Who goes first when several runs wait for the lake: what a person waits for before what comes by itself."""


class Stage(TextChoices):
    """The stages of runs: those that bring data to readers, in order, then the only one of a maintenance."""

    REPLICATE = "replicate", "Replicate"
    SILVER = "silver", "Silver"
    QUALITY = "quality", "Quality"
    GOLD = "gold", "Gold"
    PUBLISH = "publish", "Publish"
    MAINTAIN = "maintain", "Maintain"


DATA_STAGES = (Stage.REPLICATE, Stage.SILVER, Stage.QUALITY, Stage.GOLD, Stage.PUBLISH)
"""The way of the data, in order."""


def stages_of(trigger: Trigger) -> tuple[Stage, ...]:
    """Return the stages of a run, by what asked for it."""
    return (Stage.MAINTAIN,) if trigger == Trigger.MAINTENANCE else DATA_STAGES


STAGE_NEEDS: Mapping[Stage, frozenset[Stage]] = {
    Stage.REPLICATE: frozenset(),
    Stage.SILVER: frozenset({Stage.REPLICATE}),
    Stage.QUALITY: frozenset({Stage.SILVER}),
    Stage.GOLD: frozenset({Stage.SILVER}),
    Stage.PUBLISH: frozenset({Stage.QUALITY, Stage.GOLD}),
    Stage.MAINTAIN: frozenset(),
}
"""What must have succeeded before a stage starts. QUALITY and GOLD only read silver, so they go side by side."""


class Reconciliation(TextChoices):
    """What comparing a table's silver rows with the source's found, as of one LSN."""

    UNKNOWN = "unknown", "Not compared"
    EQUAL = "equal", "Equal"
    DIFFERENT = "different", "Different"


class CheckVerdict(TextChoices):
    """What became of a check, as `etl.quality.execute.Verdict`."""

    PASSED = "passed", "Passed"
    WARNED = "warned", "Warns"
    BLOCKED = "blocked", "Blocks"
    NOT_JUDGED = "not_judged", "Not judged"


class Health(TextChoices):
    """How a pipeline is doing, worst first; derived from its runs and publications, never stored."""

    FAILING = "failing", "Failing"
    STUCK = "stuck", "Not moving"
    LATE = "late", "Late"
    UNKNOWN = "unknown", "Unknown"
    PAUSED = "paused", "Paused"
    RUNNING = "running", "Running"
    IDLE = "idle", "Idle"
    HEALTHY = "healthy", "Healthy"


HEALTH_MEANINGS: Mapping[Health, str] = {
    Health.FAILING: "The newest run failed or waits for a person, a table failed, or the replicator did.",
    Health.STUCK: "A run or the replicator is at work but gets no further, or has fallen silent.",
    Health.LATE: "What readers see is older than a gold table promises, or than twice the time between scheduled runs.",
    Health.UNKNOWN: "Nothing has been published yet, so there is nothing to judge by.",
    Health.PAUSED: "The pipeline is paused: no schedule of it starts anything.",
    Health.RUNNING: "A run is on its way.",
    Health.IDLE: "All that the source committed is published; it has been proven to have nothing new.",
    Health.HEALTHY: "The newest run was reconciled with the source and published.",
}


class AlertState(TextChoices):
    """Where an alert is."""

    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


ALERT = Machine(
    title="Alert",
    first=AlertState.OPEN,
    meanings={
        AlertState.OPEN: "A rule is broken and nobody has taken it on. It was sent to every route, unless muted.",
        AlertState.ACKNOWLEDGED: "Someone takes care of it; it is not sent again while the rule stays broken.",
        AlertState.RESOLVED: "The rule holds again. Broken once more, it opens a new alert.",
    },
    moves={
        AlertState.OPEN: frozenset({AlertState.ACKNOWLEDGED, AlertState.RESOLVED}),
        AlertState.ACKNOWLEDGED: frozenset({AlertState.RESOLVED}),
    },
)


class AlertRule(TextChoices):
    """What an alert watches."""

    RUN = "run", "Run failed"
    CHECK = "check", "Blocking check failed"
    DRIFT = "drift", "Silver differs from the source"
    FRESHNESS = "freshness", "Freshness promise broken"
    MOVEMENT = "movement", "Running but not moving"
    LAG = "lag", "Replication lags"
    SLOT = "slot", "Replication slot at risk"
    DISK = "disk", "Disk nearly full"
    TABLE = "table", "Table failed"
    COST = "cost", "Cost over budget"


class EventLevel(TextChoices):
    """How loud an event is."""

    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"


def values(states: Iterable[TextChoices]) -> list[str]:
    """Return the stored texts of some states, for constraints and filters."""
    return [str(state.value) for state in states]
