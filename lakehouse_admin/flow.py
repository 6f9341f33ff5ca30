"""The way of a run. Read this first.

`advance` is called again and again until it answers None: by Celery (`tasks.advance_run`),
or by anyone else. Each call claims the run, takes the steps that are due, and says when to
come back. It never waits. What to do next is decided from the database alone, so it does
not matter which worker calls, how often, or what happened to the one before.

    QUEUED -> RUNNING: REPLICATE -> SILVER -> QUALITY and GOLD -> PUBLISH -> SUCCEEDED

A run that maintains the lake goes the same way with one stage, MAINTAIN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.db import OperationalError
from structlog.contextvars import bound_contextvars

from etl.errors import TransientError
from etl.ports import Lakehouse
from etl.ports.job_runner import JobHungError
from lakehouse_admin.actions.publish import publish
from lakehouse_admin.actions.settle_tables import settle_tables
from lakehouse_admin.claim import Claim, ClaimLostError, claim_run, holding, release
from lakehouse_admin.costs.record import record_costs
from lakehouse_admin.lease import LAKE, Held, ask_for, keep, run_holder, take, withdraw
from lakehouse_admin.models import PipelineRun, StageRun, TableResult
from lakehouse_admin.record_checks import record_checks
from lakehouse_admin.record_event import record_event
from lakehouse_admin.retry import Verdict, guidance_for, policy_for
from lakehouse_admin.stages.gold import Gold
from lakehouse_admin.stages.maintain import Maintain
from lakehouse_admin.stages.publish import Publish
from lakehouse_admin.stages.quality import Quality
from lakehouse_admin.stages.replicate import Replicate
from lakehouse_admin.stages.silver import Silver
from lakehouse_admin.stages.work import Done, Facts, Failure, Outcome, Work, Working
from lakehouse_admin.states import STAGE_NEEDS, EventLevel, RunState, Stage, StageState
from lakehouse_admin.status.kept import what_was_kept
from lakehouse_admin.transition import transition

STAGES: Mapping[Stage, Work] = {
    Stage.REPLICATE: Replicate(),
    Stage.SILVER: Silver(),
    Stage.QUALITY: Quality(),
    Stage.GOLD: Gold(),
    Stage.PUBLISH: Publish(),
    Stage.MAINTAIN: Maintain(),
}
"""How each stage is done; `states.STAGE_NEEDS` says when."""

_POLL_PATIENCE = timedelta(minutes=10)
"""How long a job may be unreachable before its attempt counts as failed."""
_LAKE_PATIENCE_SECONDS = 0.25
"""How soon to ask again for a lake that somebody else writes: the follower gives it up within a cycle."""
_HEARTBEAT_PATIENCE = timedelta(seconds=45)
"""A job beats twice a second; one this silent is stopped or stuck. Longer than a machine's worst pause."""
_STEPS_A_CALL = 2 * len(STAGES) + 1
"""Enough for stages that end at once; a bound, so that one call stays short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Call `advance` again."""

    token: int
    delay_seconds: float


def advance(run_id: int, *, lakehouse: Lakehouse, now: datetime, token: int | None = None) -> Next | None:
    """Move a run as far as it goes without waiting.

    Idempotent, and safe to call from many workers at once: one claims the run, the others
    return None. Blocks for the ports' own short calls only.

    Args:
        run_id: The run.
        lakehouse: The backend its stages use.
        now: The time (UTC), read once by the caller.
        token: The fencing token the caller believes current; None means whichever it is.

    Returns:
        When to call again; None if there is nothing for this caller to do.
    """
    claim = claim_run(run_id, now=now, token=token)
    if claim is None:
        return None
    try:
        delay_seconds: float | None = 0
        for _ in range(_STEPS_A_CALL):
            delay_seconds = _step(claim, lakehouse, now)
            if delay_seconds != 0:
                break
    except ClaimLostError:
        return None
    if delay_seconds is None:
        withdraw(LAKE, holder=run_holder(run_id))
    due_at = None if delay_seconds is None else now + timedelta(seconds=delay_seconds)
    still_ours = release(claim, due_at=due_at)
    if delay_seconds is None or not still_ours:
        return None
    return Next(token=claim.token, delay_seconds=delay_seconds)


def current_attempts(run: PipelineRun) -> dict[Stage, StageRun]:
    """Return each stage's latest attempt, in stage order."""
    latest = {attempt.stage: attempt for attempt in run.stage_runs.order_by("attempt")}
    return {stage: latest[stage] for stage in STAGES if stage in latest}


def _step(claim: Claim, lakehouse: Lakehouse, now: datetime) -> float | None:
    """Take one step; return the seconds until the next is due, None if there is no next."""
    with holding(claim) as run:
        if run.state in {RunState.QUEUED, RunState.RUNNING} and not _has_lake(run, now):
            return _LAKE_PATIENCE_SECONDS
        if run.state == RunState.QUEUED:
            transition(run, to=RunState.RUNNING, started_at=run.started_at or now)
            record_event(run, "run_started", "A worker has taken the run.", at=now)
    if run.state == RunState.CANCELLING:
        return _cancel(claim, run, lakehouse, now)
    if run.state != RunState.RUNNING:
        return None
    delays_seconds = []
    for attempt in _due(run):
        step = _start if attempt.state == StageState.PENDING else _poll
        delay_seconds = step(claim, attempt, lakehouse, now)
        if delay_seconds == 0:
            return 0  # Something changed: look at everything anew.
        delays_seconds.append(delay_seconds)
    return min(delays_seconds)


def _has_lake(run: PipelineRun, now: datetime) -> bool:
    """Keep or take the lease on the lake for the run; if somebody else has it, ask for it."""
    if run.state == RunState.QUEUED and PipelineRun.objects.ahead_of(run).exists():
        return False  # It waits its turn, and asks nobody to make way.
    if run.lake_token is not None:
        held = Held(name=LAKE, holder=run_holder(run.pk), token=run.lake_token)
        if keep(held, now=now).ours:
            return True
    taken = take(LAKE, holder=run_holder(run.pk), now=now)
    if taken is None:
        ask_for(LAKE, holder=run_holder(run.pk), now=now)
        return False
    run.lake_token = taken.token
    run.save(update_fields=["lake_token"])
    return True


def _due(run: PipelineRun) -> Iterator[StageRun]:
    """Yield the attempts, in stage order, that wait for no other stage."""
    attempts = current_attempts(run)
    done = {stage for stage, attempt in attempts.items() if attempt.state == StageState.SUCCEEDED}
    for stage, attempt in attempts.items():
        if stage not in done and STAGE_NEEDS[stage] <= done:
            yield attempt


def _start(claim: Claim, attempt: StageRun, lakehouse: Lakehouse, now: datetime) -> float:
    if attempt.not_before_at is not None and attempt.not_before_at > now:
        return (attempt.not_before_at - now).total_seconds()
    stage = Stage(attempt.stage)
    with holding(claim) as run:
        if run.state != RunState.RUNNING:
            return 0
        transition(attempt, to=StageState.RUNNING, started_at=now, polled_at=now)
        again = f", attempt {attempt.attempt}" if attempt.attempt > 1 else ""
        message = f"{stage.label} started{again}."
        record_event(run, "stage_started", message, at=now, stage=stage, attempt=attempt.attempt)
    return _submit(claim, attempt, lakehouse, now)


def _submit(claim: Claim, attempt: StageRun, lakehouse: Lakehouse, now: datetime) -> float:
    """Start the attempt's job. Repeated after a crash, because the job's key makes that harmless."""
    try:
        with bound_contextvars(stage=attempt.stage, attempt=attempt.attempt):
            job_id = STAGES[Stage(attempt.stage)].start(attempt, lakehouse)
    except Exception as error:  # noqa: BLE001 - whatever it is, `retry.py` decides; a run must never hang
        return _record(claim, attempt, Failure.of(error), lakehouse, now)
    with holding(claim):
        StageRun.objects.filter(pk=attempt.pk).update(job_id=job_id)
    return 0


def _poll(claim: Claim, attempt: StageRun, lakehouse: Lakehouse, now: datetime) -> float:
    if not attempt.job_id:
        return _submit(claim, attempt, lakehouse, now)
    try:
        with bound_contextvars(stage=attempt.stage, attempt=attempt.attempt):
            outcome = STAGES[Stage(attempt.stage)].poll(attempt, lakehouse)
    except TransientError as error:
        if attempt.polled_at is not None and now - attempt.polled_at < _POLL_PATIENCE:
            return 1.0  # The job itself may be well: ask again before giving up on it.
        outcome = Failure.of(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, `retry.py` decides; a run must never hang
        outcome = Failure.of(error)
    return _record(claim, attempt, outcome, lakehouse, now)


def _record(claim: Claim, attempt: StageRun, outcome: Outcome, lakehouse: Lakehouse, now: datetime) -> float:
    """Write down what a stage reported, if the claim still holds; return the seconds until the next step."""
    if isinstance(outcome, Working) and _is_hung(outcome, now):
        outcome = _end_hung(attempt, lakehouse, outcome, now)
    if isinstance(outcome, Working):
        with holding(claim):
            StageRun.objects.filter(pk=attempt.pk).update(
                progress=outcome.progress, usage=dict(outcome.usage), polled_at=now
            )
        return _poll_delay_seconds(attempt, now)
    if isinstance(outcome, Done):
        try:
            with holding(claim) as run:
                _record_done(run, attempt, outcome, now)
        except (ClaimLostError, OperationalError):
            raise
        except Exception as error:  # noqa: BLE001 - e.g. publication refused: nothing of the stage was kept
            outcome = Failure.of(error)
            attempt.refresh_from_db()
    if isinstance(outcome, Failure):
        return _fail(claim, attempt, outcome, lakehouse, now)
    return 0


def _fail(claim: Claim, attempt: StageRun, failure: Failure, lakehouse: Lakehouse, now: datetime) -> float:
    """Record a failure; one that ends the run also ends the stages beside it, before anyone is told."""
    beside: list[StageRun] = []
    if policy_for(failure.error_class).backoff_before(attempt.retries + 1) is None:
        beside = [each for each in _open_attempts(attempt.run) if each.pk != attempt.pk]
        if not _end_jobs(beside, lakehouse):
            return 1.0  # Asked again, the stage gives the same answer.
    with holding(claim) as run:
        _record_failure(run, attempt, failure, now)
        if run.state != RunState.RUNNING:
            for each in beside:
                if each.state == StageState.RUNNING:
                    transition(each, to=StageState.CANCELLED, finished_at=now)
    return 0


def _open_attempts(run: PipelineRun) -> list[StageRun]:
    """Return the attempts that run, or wait to."""
    waiting = {StageState.PENDING, StageState.RUNNING}
    return [attempt for attempt in current_attempts(run).values() if attempt.state in waiting]


def _end_jobs(attempts: Sequence[StageRun], lakehouse: Lakehouse) -> bool:
    """End the long work of those that run; tell whether all of it has ended."""
    try:
        for attempt in attempts:
            if attempt.state == StageState.RUNNING:
                STAGES[Stage(attempt.stage)].cancel(attempt, lakehouse)
    except TransientError:
        return False
    return True


def _is_hung(working: Working, now: datetime) -> bool:
    return working.heartbeat_at is not None and now - working.heartbeat_at > _HEARTBEAT_PATIENCE


def _end_hung(attempt: StageRun, lakehouse: Lakehouse, working: Working, now: datetime) -> Outcome:
    """End a job that lives without showing life; should it resist, ask again soon."""
    try:
        STAGES[Stage(attempt.stage)].cancel(attempt, lakehouse)
    except TransientError:
        return working
    assert working.heartbeat_at is not None
    silent_seconds = (now - working.heartbeat_at).total_seconds()
    return Failure.of(JobHungError(f"The job showed no life for {silent_seconds:.0f} s and was ended."))


def _record_done(run: PipelineRun, attempt: StageRun, done: Done, now: datetime) -> None:
    stage = Stage(attempt.stage)
    if stage is Stage.PUBLISH and run.state != RunState.RUNNING:
        return  # Cancelled while pinning: the next step ends it, nothing is published.
    transition(
        attempt, to=StageState.SUCCEEDED, result=done.result, usage=dict(done.usage), polled_at=now, finished_at=now
    )
    _record_tables(run, done.tables)
    record_checks(run, stage, done.checks, at=now)
    if done.run:
        PipelineRun.objects.filter(pk=run.pk).update(**done.run)
        run.refresh_from_db(fields=list(done.run))
    record_event(run, "stage_succeeded", done.summary, at=now, stage=stage)
    if stage is Stage.PUBLISH:
        publish(run=run, pins=cast("Sequence[Facts]", done.result["pins"]), now=now)
        settle_tables(run, now=now)
        record_costs(run, now=now)
    if stage is Stage.MAINTAIN and run.state == RunState.RUNNING:
        transition(run, to=RunState.SUCCEEDED, finished_at=now)
        record_costs(run, now=now)


def _record_tables(run: PipelineRun, tables: Mapping[str, Facts]) -> None:
    for table, fields in tables.items():
        TableResult.objects.update_or_create(run=run, table=table, defaults=fields)


def _record_failure(run: PipelineRun, attempt: StageRun, failure: Failure, now: datetime) -> None:
    """Fail the attempt; then, by `retry.py`: try again later, wait for a person, or fail the run."""
    stage = Stage(attempt.stage)
    transition(
        attempt,
        to=StageState.FAILED,
        finished_at=now,
        error_class=failure.error_class,
        error_message=failure.message,
        exit_reason=failure.exit_reason,
        log_tail=failure.log_tail,
        result=failure.result,
        usage=dict(failure.usage) or attempt.usage,
    )
    _record_tables(run, failure.tables)
    record_checks(run, stage, failure.checks, at=now)
    reason = f" ({failure.exit_reason})" if failure.exit_reason else ""
    record_event(
        run,
        "stage_failed",
        f"{stage.label} failed: {failure.message}{reason}",
        at=now,
        stage=stage,
        level=EventLevel.ERROR,
        error_class=failure.error_class,
    )
    if run.state != RunState.RUNNING:
        return  # Being cancelled: the next step ends the run.
    policy = policy_for(failure.error_class)
    backoff_seconds = policy.backoff_before(attempt.retries + 1)
    if backoff_seconds is not None:
        StageRun.objects.create(
            run=run,
            stage=stage,
            attempt=attempt.attempt + 1,
            retries=attempt.retries + 1,
            not_before_at=now + timedelta(seconds=backoff_seconds),
        )
        message = f"{stage.label} is tried again in {backoff_seconds:g} s."
        record_event(run, "retry_scheduled", message, at=now, stage=stage, level=EventLevel.WARNING)
        return
    waits = policy.verdict is Verdict.WAIT_FOR_OPERATOR
    guidance = guidance_for(failure.error_class)
    transition(
        run,
        to=RunState.WAITING if waits else RunState.FAILED,
        finished_at=None if waits else now,
        error_class=failure.error_class,
        error_message=failure.message,
        guidance=guidance,
    )
    name = "run_waits" if waits else "run_failed"
    verdict = "The run waits for you" if waits else "The run has failed"
    record_event(run, name, f"{verdict}. {guidance}", at=now, stage=stage, level=EventLevel.ERROR)
    settle_tables(run, now=now)
    record_costs(run, now=now)


def _cancel(claim: Claim, run: PipelineRun, lakehouse: Lakehouse, now: datetime) -> float | None:
    """End what runs, then the run."""
    open_attempts = _open_attempts(run)
    if not _end_jobs(open_attempts, lakehouse):
        return 1.0  # Not cancelled before its jobs have ended.
    with holding(claim) as held:
        for attempt in open_attempts:
            transition(attempt, to=StageState.CANCELLED, finished_at=now)
        transition(held, to=RunState.CANCELLED, finished_at=now)
        record_event(held, "run_cancelled", f"Stopped. {what_was_kept(held)}", at=now)
        settle_tables(held, now=now)
        record_costs(held, now=now)
    return None


def _poll_delay_seconds(attempt: StageRun, now: datetime) -> float:
    """Ask often while a job is young: most are short, and someone may be watching."""
    age = now - (attempt.started_at or now)
    if age < timedelta(seconds=3):
        return 0.1
    return 0.25 if age < timedelta(minutes=2) else 1.0
