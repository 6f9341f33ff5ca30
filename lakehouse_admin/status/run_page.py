"""Everything the page of one run shows, worked out once, so that its template only prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse_admin.costs.run_cost import RunCost, run_cost
from lakehouse_admin.models import PipelineRun, PublicationRecord, RunEvent, StageRun, TableResult
from lakehouse_admin.states import MOVING_RUN_STATES, RUN, Reconciliation, RunState, Stage, StageState
from lakehouse_admin.status.checks import RunChecks, run_checks

_VISIBLE_PERCENT = 0.5
"""A stage that took no time still shows on the timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """One attempt: where its bar stands on the timeline, and what to say about it."""

    attempt: StageRun
    label: str
    state: StageState
    seconds: float | None
    start_percent: float
    width_percent: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLine:
    """One table's rows along the path; None where not known yet."""

    table: str
    source_rows: int | None
    bronze_rows: int | None
    silver_rows: int | None
    rejected_rows: int | None
    reconciliation: Reconciliation
    source_hash: str
    silver_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A run as it is now."""

    run: PipelineRun
    state: RunState
    is_moving: bool
    can_cancel: bool
    can_retry: bool
    seconds: float | None
    stages: tuple[StageLine, ...]
    tables: tuple[TableLine, ...]
    totals: TableLine | None
    checks: RunChecks
    events: tuple[RunEvent, ...]
    publication: PublicationRecord | None
    cost: RunCost | None
    """None before the run has come to rest."""
    failed: StageRun | None
    """The attempt that stopped the run, with its log; its error is the run's, so its line does not repeat it."""


def run_page(run: PipelineRun, *, now: datetime) -> RunPage:
    """Gather a run's page: at most eight queries."""
    state = RunState(run.state)
    attempts = tuple(run.stage_runs.order_by("id"))
    tables = _tables(tuple(run.table_results.all()), attempts)
    stopped = state in {RunState.FAILED, RunState.WAITING}
    failed = [attempt for attempt in attempts if attempt.state == StageState.FAILED]
    stopped_by = failed[-1] if stopped and failed else None
    ended = run.finished_at or now
    return RunPage(
        run=run,
        state=state,
        is_moving=state in MOVING_RUN_STATES,
        can_cancel=RUN.allows(state, RunState.CANCELLING),
        can_retry=RUN.allows(state, RunState.QUEUED)
        and not PipelineRun.objects.filter(request_key=run.request_key, pk__gt=run.pk).exists(),
        seconds=(ended - run.started_at).total_seconds() if run.started_at else None,
        stages=_stages(attempts, stopped_by=stopped_by, now=now),
        tables=tables,
        totals=_totals(tables) if tables else None,
        checks=run_checks(run),
        events=tuple(run.events.order_by("-id")[:200]),
        publication=PublicationRecord.objects.filter(run=run).first(),
        cost=run_cost(run),
        failed=stopped_by,
    )


def _stages(attempts: Sequence[StageRun], *, stopped_by: StageRun | None, now: datetime) -> tuple[StageLine, ...]:
    """Place every attempt on a timeline that ends now, or with the last of them."""
    starts = [attempt.started_at for attempt in attempts if attempt.started_at]
    begin = min(starts, default=now)
    end = max((attempt.finished_at or now for attempt in attempts if attempt.started_at), default=now)
    whole = max((end - begin).total_seconds(), 0.001)
    order = list(Stage)
    lines = []
    for attempt in sorted(attempts, key=lambda each: (order.index(Stage(each.stage)), each.attempt)):
        seconds, start = None, 0.0
        if attempt.started_at:
            seconds = ((attempt.finished_at or now) - attempt.started_at).total_seconds()
            start = (attempt.started_at - begin).total_seconds()
        lines.append(
            StageLine(
                attempt=attempt,
                label=Stage(attempt.stage).label,
                state=StageState(attempt.state),
                seconds=seconds,
                start_percent=round(min(100 * start / whole, 100 - _VISIBLE_PERCENT), 2),
                width_percent=round(max(100 * (seconds or 0) / whole, _VISIBLE_PERCENT), 2),
                note="" if attempt is stopped_by else _note(attempt),
            )
        )
    return tuple(lines)


def _note(attempt: StageRun) -> str:  # noqa: PLR0911 - one stage a line
    """Say how far an attempt is, from what its job reported."""
    if attempt.state == StageState.FAILED:
        return str(attempt.error_message)
    if attempt.state != StageState.RUNNING:
        return ""
    progress: Mapping[str, Any] = attempt.progress
    match Stage(attempt.stage):
        case Stage.REPLICATE:
            return f"{sum(progress.get('tables', {}).values()):,} rows"
        case Stage.SILVER:
            done = progress.get("rows", {})
            return f"{sum(done.values()):,} rows, {len(done)} tables done"
        case Stage.QUALITY:
            return f"{len(progress.get('equal', {}))} tables compared"
        case Stage.GOLD if progress.get("models"):
            return f"{', '.join(progress['models'])} ({progress.get('done', 0)} of {progress.get('of', '?')} done)"
        case _:
            return ""


def _tables(results: Sequence[TableResult], attempts: Sequence[StageRun]) -> tuple[TableLine, ...]:
    """Return a line per table, filled up with what running jobs have reported so far."""
    recorded = {result.table: result for result in results}
    live = {Stage(attempt.stage): attempt.progress for attempt in attempts if attempt.state == StageState.RUNNING}
    bronze: Mapping[str, int] = live.get(Stage.REPLICATE, {}).get("tables", {})
    silver: Mapping[str, int] = live.get(Stage.SILVER, {}).get("rows", {})
    equal: Mapping[str, bool] = live.get(Stage.QUALITY, {}).get("equal", {})
    lines = []
    for table in sorted({*recorded, *bronze, *silver}):
        result = recorded.get(table, TableResult(table=table))
        reconciliation = Reconciliation(result.reconciliation)
        if table in equal:
            reconciliation = Reconciliation.EQUAL if equal[table] else Reconciliation.DIFFERENT
        lines.append(
            TableLine(
                table=table,
                source_rows=result.source_rows,
                bronze_rows=bronze.get(table, result.bronze_rows),
                silver_rows=silver.get(table, result.silver_rows),
                rejected_rows=result.rejected_rows,
                reconciliation=reconciliation,
                source_hash=result.source_hash,
                silver_hash=result.silver_hash,
            )
        )
    return tuple(lines)


def _totals(tables: Sequence[TableLine]) -> TableLine:
    found = {table.reconciliation for table in tables}
    worst = next(
        each for each in (Reconciliation.DIFFERENT, Reconciliation.UNKNOWN, Reconciliation.EQUAL) if each in found
    )
    return TableLine(
        table="All tables",
        source_rows=_sum([table.source_rows for table in tables]),
        bronze_rows=_sum([table.bronze_rows for table in tables]),
        silver_rows=_sum([table.silver_rows for table in tables]),
        rejected_rows=_sum([table.rejected_rows for table in tables]),
        reconciliation=worst,
        source_hash="",
        silver_hash="",
    )


def _sum(rows: Sequence[int | None]) -> int | None:
    known = [each for each in rows if each is not None]
    return sum(known) if known else None
