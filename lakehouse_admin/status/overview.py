"""How a pipeline is doing: its health, what readers see and its latest runs. A handful of indexed queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from etl.replicate.status import Standing
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord, TableState
from lakehouse_admin.states import MOVING_RUN_STATES, Health, PipelineState, RunState, ScheduleKind, TablePhase
from lakehouse_admin.status.follower import Follower, follower_now
from lakehouse_admin.status.promises import Promise, complete_until, promises
from lakehouse_admin.status.publications import HeldBack, held_back
from lakehouse_admin.status.replication import ABSENT, Replication

LATEST_RUNS = 30
UNMOVED = timedelta(seconds=60)
"""A run that is overdue for this long has no worker: a living tick picks one up within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One pipeline now."""

    pipeline: Pipeline
    health: Health
    reason: str
    """One sentence: why this health and no other."""
    publication: PublicationRecord | None
    freshness_seconds: float | None
    """Age of the newest published data; None before the first publication."""
    runs: tuple[PipelineRun, ...]
    """Newest first."""
    tables: tuple[TableState, ...]
    promises: tuple[Promise, ...]
    """Every gold table's, the most broken first."""
    replication: Replication
    follower: Follower
    held_back: HeldBack | None
    """What is newer than readers see, and kept from them."""


def overview(pipeline: Pipeline, *, now: datetime, replication: Replication | None = None) -> Overview:
    """Look at a pipeline as it is now.

    Args:
        pipeline: Which.
        now: The time (UTC).
        replication: What the replicator says; None if nobody asked it.
    """
    replication = replication or ABSENT
    follower = follower_now(now=now)
    publication = PublicationRecord.objects.select_related("run").first()
    latest = pipeline.runs.select_related("requested_by", "publication").prefetch_related("stage_runs")
    runs = tuple(latest[:LATEST_RUNS])
    tables = tuple(TableState.objects.all())
    age = None if publication is None else now - complete_until(publication.as_of, replication)
    found = _Found(
        pipeline=pipeline,
        runs=runs,
        tables=tables,
        as_of=publication.as_of if publication else None,
        age=age,
        promises=promises(publication, replication, now=now),
        replication=replication,
        pace=_pace(pipeline, now),
        follower=follower,
    )
    health, reason = _health(found, now)
    return Overview(
        pipeline=pipeline,
        health=health,
        reason=reason,
        publication=publication,
        freshness_seconds=None if age is None else age.total_seconds(),
        runs=runs,
        tables=tables,
        promises=found.promises,
        replication=replication,
        follower=follower,
        held_back=held_back(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a verdict is made of."""

    pipeline: Pipeline
    runs: tuple[PipelineRun, ...]
    tables: tuple[TableState, ...]
    as_of: datetime | None
    age: timedelta | None
    promises: tuple[Promise, ...]
    replication: Replication
    pace: timedelta | None
    follower: Follower


def _pace(pipeline: Pipeline, now: datetime) -> timedelta | None:
    """Return how far apart the pipeline's scheduled runs are around now; None if nothing starts it by itself."""
    schedules = pipeline.schedules.filter(is_enabled=True, kind=ScheduleKind.PIPELINE)
    return min((each.pace(now=now) for each in schedules.select_related("crontab", "interval")), default=None)


def _health(found: _Found, now: datetime) -> tuple[Health, str]:
    """Return the worst that is true, and why."""
    for verdict in (_failing, _stuck, _on_its_way, _unpublished, _late, _at_rest):
        reason = verdict(found, now)
        if reason is not None:
            return reason
    return Health.HEALTHY, "The newest publication was reconciled, and every promise is kept."


_Verdict = tuple[Health, str] | None


def _failing(found: _Found, _now: datetime) -> _Verdict:
    newest = found.runs[0] if found.runs else None
    if newest is not None and newest.state == RunState.WAITING:
        return Health.FAILING, f"{newest} waits for you: {newest.error_message}"
    ended = next((run for run in found.runs if run.state in {RunState.SUCCEEDED, RunState.FAILED}), None)
    is_moving = newest is not None and newest.state in MOVING_RUN_STATES
    if ended is not None and ended.state == RunState.FAILED and not is_moving:
        return Health.FAILING, f"{ended} failed: {ended.error_message}"
    if found.replication.standing is Standing.FAILED:
        return Health.FAILING, f"The replicator failed: {found.replication.message}"
    if found.follower.standing is Standing.FAILED:
        return Health.FAILING, f"The follower fails: {found.follower.message}"
    failed = [table for table in found.tables if table.state == TablePhase.FAILED]
    if failed and not is_moving:
        return Health.FAILING, f"{failed[0]} failed: {failed[0].reason}"
    return None


def _stuck(found: _Found, now: datetime) -> _Verdict:
    newest = found.runs[0] if found.runs else None
    if newest is not None and newest.state in MOVING_RUN_STATES:
        due_at = newest.lease_expires_at or newest.advance_due_at or newest.requested_at
        if now - due_at > UNMOVED:
            return Health.STUCK, f"{newest} is {newest.state_choice.label.lower()}, but no worker moves it."
    if found.replication.standing is Standing.NOT_MOVING:
        return Health.STUCK, "The replicator runs and is behind, but gets no further."
    if found.replication.standing is Standing.SILENT:
        return Health.STUCK, "The replicator says that it runs, and has said nothing since."
    if found.follower.standing is Standing.SILENT:
        return Health.STUCK, "The follower says that it runs, and has said nothing since."
    return None


def _on_its_way(found: _Found, _now: datetime) -> _Verdict:
    newest = found.runs[0] if found.runs else None
    if newest is not None and newest.state in MOVING_RUN_STATES:
        return Health.RUNNING, f"{newest} is {newest.state_choice.label.lower()}."
    return None


def _unpublished(found: _Found, _now: datetime) -> _Verdict:
    return (Health.UNKNOWN, "Nothing has been published yet.") if found.age is None else None


def _late(found: _Found, _now: datetime) -> _Verdict:
    if found.pipeline.state == PipelineState.PAUSED:
        return Health.PAUSED, "The schedule is paused."
    if found.pace is not None and found.age is not None and found.age > 2 * found.pace:
        return Health.LATE, "The newest publication is older than the schedule promises."
    broken = [each for each in found.promises if each.age_seconds is not None and not each.is_kept]
    if broken:
        worst = broken[0]
        return (
            Health.LATE,
            f"{worst.table} is {_span(worst.age_seconds or 0)} old and promises {_span(worst.promised_seconds)}.",
        )
    return None


def _at_rest(found: _Found, _now: datetime) -> _Verdict:
    replication = found.replication
    if replication.standing is Standing.STOPPED:
        return Health.UNKNOWN, "The replicator was stopped: what the source did since is not known."
    if found.as_of is not None and complete_until(found.as_of, replication) > found.as_of:
        return Health.IDLE, "Everything that the source committed is published."
    return None


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
