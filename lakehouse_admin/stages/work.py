"""What every stage offers to `lakehouse_admin.flow`, and what it reports back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from etl.errors import LakehouseError
from etl.ports import Lakehouse
from etl.ports.job_runner import JobId, JobLostError, JobSpec, JobState, JobStatus
from lakehouse_admin.models import StageRun

Facts = Mapping[str, object]
"""JSON-ready fields by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The attempt's job still runs."""

    progress: Facts
    heartbeat_at: datetime | None = None
    """When it last showed life; None if it cannot."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What it has used so far that costs money, as `JobStatus.usage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The attempt succeeded."""

    summary: str
    """One sentence for the run's events."""
    result: Facts
    """Kept with the attempt, for later stages and for readers."""
    run: Facts = field(default_factory=dict)
    """Fields of the `PipelineRun` that this stage found out."""
    tables: Mapping[str, Facts] = field(default_factory=dict)
    """Fields of `TableResult` by table."""
    checks: Sequence[Facts] = ()
    """Fields of the `CheckResult` of every check that was run."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What it used that costs money, as `JobStatus.usage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The attempt failed; the error as it crosses a process border: names and sentences."""

    error_class: str
    """Qualified name, a key of `lakehouse_admin.retry`."""
    message: str
    exit_reason: str = ""
    log_tail: str = ""
    result: Facts = field(default_factory=dict)
    """What was found out all the same, kept with the attempt."""
    tables: Mapping[str, Facts] = field(default_factory=dict)
    """Fields of `TableResult` by table."""
    checks: Sequence[Facts] = ()
    """Fields of the `CheckResult` of every check that was run."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What it used that costs money, as `JobStatus.usage`."""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an exception caught here."""
        kind = type(error)
        is_ours = isinstance(error, LakehouseError)
        message = str(error) if is_ours else f"{kind.__name__}: {error}"
        return cls(error_class=f"{kind.__module__}.{kind.__qualname__}", message=message)


Outcome = Working | Done | Failure


class Work(Protocol):
    """One stage. All three calls are short, and repeating them is harmless."""

    def start(self, attempt: StageRun, lakehouse: Lakehouse) -> str:
        """Begin the attempt's long work and return the job's id, empty if it has none.

        Raises:
            LakehouseError: It cannot begin.
        """

    def poll(self, attempt: StageRun, lakehouse: Lakehouse) -> Outcome:
        """Ask how the attempt is doing.

        Raises:
            LakehouseError: The answer could not be had, or is not what it must be.
        """

    def cancel(self, attempt: StageRun, lakehouse: Lakehouse) -> None:
        """End the attempt's long work, if any runs."""


class JobWork:
    """A stage that is one job of the `JobRunner`."""

    job: str
    """The job's name below `etl.jobs`."""

    def arguments(self, attempt: StageRun) -> Facts:
        """Return the job's arguments."""
        raise NotImplementedError

    def done(self, attempt: StageRun, result: Facts) -> Done | Failure:
        """Read the job's result."""
        raise NotImplementedError

    def start(self, attempt: StageRun, lakehouse: Lakehouse) -> str:
        """Submit the job, or find it submitted."""
        spec = JobSpec(name=self.job, key=attempt.key, arguments={**attempt.run.settings, **self.arguments(attempt)})
        return lakehouse.jobs.submit(spec)

    def poll(self, attempt: StageRun, lakehouse: Lakehouse) -> Outcome:
        """Translate the job's status."""
        status = lakehouse.jobs.status(JobId(attempt.job_id))
        if status.state is JobState.RUNNING:
            return Working(progress=status.progress or {}, heartbeat_at=status.heartbeat_at, usage=status.usage)
        if status.state is JobState.SUCCEEDED:
            return replace(self.done(attempt, status.result or {}), usage=status.usage)
        return job_failure(status)

    def cancel(self, attempt: StageRun, lakehouse: Lakehouse) -> None:
        """End the job, finding it by its key if its id was never recorded."""
        lakehouse.jobs.cancel(JobId(attempt.job_id or self.start(attempt, lakehouse)))


def job_failure(status: JobStatus) -> Failure:
    """Return the error of a job that ended without a result."""
    if status.state is JobState.FAILED and status.error_class:
        return Failure(
            error_class=status.error_class,
            message=status.error_message or "The job failed.",
            log_tail=status.log_tail,
            usage=status.usage,
        )
    lost = Failure.of(JobLostError())
    reason = status.exit_reason or status.state.value
    return replace(lost, exit_reason=reason, log_tail=status.log_tail, usage=status.usage)
