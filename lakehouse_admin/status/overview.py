"""How a pipeline is doing: its health, what readers see and its latest runs. A handful of indexed queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.states import Health, PipelineState, RunState

LATEST_RUNS = 30


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


def overview(pipeline: Pipeline, *, now: datetime) -> Overview:
    """Look at a pipeline as it is now."""
    publication = PublicationRecord.objects.select_related("run").first()
    latest = pipeline.runs.select_related("requested_by", "publication").prefetch_related("stage_runs")
    runs = tuple(latest[:LATEST_RUNS])
    freshness = None if publication is None else now - publication.as_of
    health, reason = _health(pipeline, runs, freshness)
    return Overview(
        pipeline=pipeline,
        health=health,
        reason=reason,
        publication=publication,
        freshness_seconds=None if freshness is None else freshness.total_seconds(),
        runs=runs,
    )


def _health(  # noqa: PLR0911 - one rule a line, worst first
    pipeline: Pipeline, runs: tuple[PipelineRun, ...], freshness: timedelta | None
) -> tuple[Health, str]:
    newest = runs[0] if runs else None
    ended = next((run for run in runs if run.state in {RunState.SUCCEEDED, RunState.FAILED}), None)
    if newest is not None and newest.state == RunState.WAITING:
        return Health.FAILING, f"{newest} waits for you: {newest.error_message}"
    if newest is not None and newest.state in {RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING}:
        return Health.RUNNING, f"{newest} is {RunState(newest.state).label.lower()}."
    if ended is not None and ended.state == RunState.FAILED:
        return Health.FAILING, f"{ended} failed: {ended.error_message}"
    if freshness is None:
        return Health.UNKNOWN, "Nothing has been published yet."
    if pipeline.state == PipelineState.PAUSED:
        return Health.PAUSED, "The schedule is paused."
    if pipeline.run_every_seconds and freshness > 2 * timedelta(seconds=pipeline.run_every_seconds):
        return Health.LATE, "The newest publication is older than the schedule promises."
    return Health.HEALTHY, "The newest run was reconciled and published."
