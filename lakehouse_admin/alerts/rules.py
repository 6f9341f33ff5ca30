"""The rules: every promise that is broken now, one finding a rule and subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etl.replicate.status import Standing
from lakehouse_admin.costs.budget import Overspent
from lakehouse_admin.costs.money import shown
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import MOVING_RUN_STATES, AlertRule, EventLevel, Health, RunState, TablePhase
from lakehouse_admin.status.overview import Overview

_DRIFT = "NotReconciledError"
_HALTED = frozenset({Standing.NOT_MOVING, Standing.SILENT})
_ABOUT_RUNS = (AlertRule.RUN, AlertRule.CHECK, AlertRule.DRIFT)
_CHECKS = ("SilverCheckFailedError", "CheckFailedError", "GoldIncompleteError")
"""By the last part of their names: some live in modules that load engines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that is broken now."""

    rule: AlertRule
    subject: str
    title: str
    detail: str = ""
    guidance: str = ""
    level: EventLevel = EventLevel.ERROR

    @property
    def key(self) -> str:
        """What is grouped: however often it is found, it is one alert."""
        return f"{self.rule.value}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When too much is too much."""

    lag_bytes: int
    left_bytes: int
    """Of the lake's disk, or of the log that the slot may keep."""


def findings(
    overview: Overview, *, limits: Limits, disk_free_bytes: int | None, spent: Sequence[Overspent] = ()
) -> tuple[Finding, ...]:
    """Apply every rule.

    Args:
        overview: The pipeline now.
        limits: The installation's.
        disk_free_bytes: What the lake's disk has left; None if it has no end.
        spent: What costs more than its budget.
    """
    found = [*_runs(overview), *_tables(overview), *_promises(overview), *_replication(overview, limits)]
    found += _follower(overview)
    found += [_over_budget(each) for each in spent]
    if disk_free_bytes is not None and disk_free_bytes < limits.left_bytes:
        found.append(
            Finding(
                rule=AlertRule.DISK,
                subject="lake",
                title=f"The lake's disk has {_size(disk_free_bytes)} left",
                guidance="Make room, or move the lake to a larger disk; loads stop when it is full.",
            )
        )
    if overview.health is Health.STUCK and not _HALTED & {overview.replication.standing, overview.follower.standing}:
        found.append(
            Finding(
                rule=AlertRule.MOVEMENT,
                subject=overview.pipeline.key,
                title="Running, but not moving",
                detail=overview.reason,
                guidance="Look at the logs of worker and replicator; `manage.py up` restarts what has ended.",
            )
        )
    return tuple(found)


def undecided(overview: Overview) -> frozenset[str]:
    """Return the keys of which only the end of a run that is on its way will tell whether they hold again."""
    asked_for = {run.request_key for run in overview.runs if run.state in MOVING_RUN_STATES}
    return frozenset(f"{rule.value}:{key}" for rule in _ABOUT_RUNS for key in asked_for)


def _runs(overview: Overview) -> Iterator[Finding]:
    """The newest run of each thing that was asked for, if it ended badly."""
    seen: set[str] = set()
    for run in overview.runs:
        if run.request_key in seen or run.state == RunState.CANCELLED:
            continue
        seen.add(run.request_key)  # Of one that moves nothing is known yet, and older ones tell nothing.
        if run.state in {RunState.FAILED, RunState.WAITING}:
            yield Finding(
                rule=_rule_of(run),
                subject=run.request_key,
                title=f"{run} {'waits for you' if run.state == RunState.WAITING else 'failed'}",
                detail=run.error_message,
                guidance=run.guidance,
            )


def _rule_of(run: PipelineRun) -> AlertRule:
    name = run.error_class.rpartition(".")[2]
    if name == _DRIFT:
        return AlertRule.DRIFT
    return AlertRule.CHECK if name in _CHECKS else AlertRule.RUN


def _tables(overview: Overview) -> Iterator[Finding]:
    for table in overview.tables:
        if table.state == TablePhase.FAILED:
            yield Finding(
                rule=AlertRule.TABLE,
                subject=table.table,
                title=f"{table.table} failed; the others go on",
                detail=table.reason,
                guidance=table.guidance,
            )
    for trouble in overview.replication.tables:
        yield Finding(
            rule=AlertRule.TABLE,
            subject=f"{trouble.table}, at the source",
            title=f"{trouble.table} is not wholly replicated",
            detail=trouble.message,
            guidance=trouble.guidance,
        )


def _promises(overview: Overview) -> Iterator[Finding]:
    """All that is too old, in one finding: one publication that does not come breaks every promise."""
    broken = [each for each in overview.promises if each.age_seconds is not None and not each.is_kept]
    if broken:
        names = "1 gold table is" if len(broken) == 1 else f"{len(broken)} gold tables are"
        yield Finding(
            rule=AlertRule.FRESHNESS,
            subject=overview.pipeline.key,
            title=f"{names} older than promised",
            detail="\n".join(f"{each.table}: at most {each.promised_seconds:,} s old" for each in broken),
            guidance="Start a run, or look at why none goes: `manage.py lakehouse status`.",
            level=EventLevel.WARNING,
        )


def _replication(overview: Overview, limits: Limits) -> Iterator[Finding]:
    now = overview.replication
    if now.standing in _HALTED:
        yield Finding(
            rule=AlertRule.MOVEMENT,
            subject="replicator",
            title="The replicator says that it runs, but gets no further",
            detail=now.message,
            guidance="Look at the replicator's log; `manage.py up` restarts what has ended.",
        )
    if now.standing in {Standing.FAILED, Standing.WAITING}:
        yield Finding(
            rule=AlertRule.LAG,
            subject="replicator",
            title=f"The replicator is {'not running' if now.standing is Standing.FAILED else 'waiting'}",
            detail=now.message,
            guidance=now.guidance,
        )
    elif now.lag_bytes > limits.lag_bytes:
        yield Finding(
            rule=AlertRule.LAG,
            subject="replicator",
            title=f"Bronze is more than {_size(limits.lag_bytes)} behind the source",
            guidance="Look at the replicator's log; a very large transaction ends by itself.",
            level=EventLevel.WARNING,
        )
    if now.log_left_bytes is not None and now.log_left_bytes < limits.left_bytes // 2:
        yield Finding(
            rule=AlertRule.SLOT,
            subject="slot",
            title="The source is about to give up the replication slot",
            detail=f"It may write {_size(now.log_left_bytes)} more.",
            guidance="Let the replicator catch up, or raise max_slot_wal_keep_size; a lost slot means a new full load.",
        )


def _over_budget(spent: Overspent) -> Finding:
    currency = spent.prices.currency
    costs = "costs" if spent.prices.is_charged else "would cost, on AWS,"
    return Finding(
        rule=AlertRule.COST,
        subject=spent.subject,
        title=f"{spent.what} {costs} {shown(spent.amount)} {currency}: more than the budget of {spent.budget:,}",
        detail=f"At {spent.prices.origin}.",
        guidance="`manage.py lakehouse costs --by run` shows the dearest; run less often, or raise the budget.",
        level=EventLevel.WARNING,
    )


def _follower(overview: Overview) -> Iterator[Finding]:
    """What keeps changes from becoming what readers see, beside what keeps them from bronze."""
    now = overview.follower
    if now.standing in {Standing.FAILED, Standing.SILENT}:
        silent = now.standing is Standing.SILENT
        yield Finding(
            rule=AlertRule.MOVEMENT,
            subject="follower",
            title="The follower says that it runs, and has said nothing since" if silent else "The follower fails",
            detail=now.message,
            guidance=now.guidance or "Look at the follower's log; `manage.py up` restarts what has ended.",
        )
    for table, why in now.failed_tables.items():
        yield Finding(
            rule=AlertRule.TABLE,
            subject=f"{table}, followed",
            title=f"{table} is not followed to the end; the others go on",
            detail=why,
            guidance="Readers see the table as it was. `manage.py lakehouse tables` says where each table stands.",
        )
    for model, why in now.failed_models.items():
        yield Finding(
            rule=AlertRule.CHECK,
            subject=f"{model}, followed",
            title=f"{model} is held back: readers see its last good version",
            detail=why,
            guidance="Correct the cause; the follower publishes the model with the next change that passes.",
        )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"
