"""Port: runs a transform outside the worker. A child process, or a Glue Spark job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NewType, Protocol

from etl.errors import LakehouseError, OperatorError, TransientError

JobId = NewType("JobId", str)


class JobLostError(TransientError):
    """The job ended without leaving a result."""

    guidance: ClassVar[str] = "The process was killed, perhaps for memory: the step is tried again on its own."


class JobHungError(TransientError):
    """The job lived without showing life, and was ended."""

    guidance: ClassVar[str] = "It was stopped, or waits for something for ever: the step is tried again on its own."


class JobFailedError(LakehouseError):
    """The job ended with an error of its own."""


class JobRefusedError(OperatorError):
    """The runner would not start the job."""


class JobRunnerUnavailableError(TransientError):
    """The job runner did not answer."""


class JobState(StrEnum):
    """Where a job is. Final states never change."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Gone without a result: killed, or its machine went down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What to run: a job of `etl.jobs` by name, and its JSON-ready arguments (no secrets)."""

    name: str
    """Module below `etl.jobs`: ``full_load``, ``bronze_to_silver``, ``reconcile``, ``silver_to_gold``."""
    key: str
    """Idempotency key: submitting the same key again returns the job already there."""
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What is known about a job now."""

    state: JobState
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    progress: Mapping[str, object] | None = None
    """Latest progress the job reported, e.g. rows done by table."""
    result: Mapping[str, object] | None = None
    """The job's JSON result, once succeeded."""
    error_class: str | None = None
    """Qualified name of the exception, once failed; a key of `lakehouse_admin.retry`."""
    error_message: str | None = None
    exit_reason: str | None = None
    log_tail: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What it has used so far that costs money, by unit, e.g. ``dpu_seconds``; empty where nothing is metered."""


class JobRunner(Protocol):
    """Submits, watches and cancels jobs; never blocks on one."""

    def submit(self, spec: JobSpec) -> JobId:
        """Start the job and return at once (under 200 ms embedded).

        Idempotent by ``spec.key``: a key seen before starts nothing and returns its job.

        Raises:
            JobRefusedError: It cannot be started.
            JobRunnerUnavailableError: No answer.
        """

    def status(self, job: JobId) -> JobStatus:
        """Return where the job is; never raises for a job that failed.

        Raises:
            JobRunnerUnavailableError: No answer.
        """

    def cancel(self, job: JobId) -> None:
        """End the job; afterwards its state is final. Idempotent."""

    def running(self) -> Sequence[JobId]:
        """Return the jobs that run now, whoever submitted them, so that those no run wants can be ended."""
