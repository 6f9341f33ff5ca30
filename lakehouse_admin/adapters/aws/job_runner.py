"""`JobRunner` on AWS Glue: every job is one run of one Glue job, told what to do by a document in S3.

A job is a folder in the lake, so any worker can answer for it::

    jobs/<key>/
        spec.json       what was asked, and when; never a secret
        run.json        which run of the Glue job does it
        progress.json   heartbeat and progress, replaced by the job
        result.json     how it ended, written by the job
        cancelled       someone asked to end it

Glue takes no idempotency token, so the folder is it: whoever puts ``spec.json`` starts the
run, and whoever puts ``run.json`` decides which run counts. A worker that dies between the
two leaves a run that names its key among its arguments; it is found by that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from etl.errors import OperatorError
from etl.ports.job_runner import (
    JobId,
    JobLostError,
    JobRefusedError,
    JobRunnerUnavailableError,
    JobSpec,
    JobState,
    JobStatus,
)
from etl.ports.object_store import ObjectExistsError, ObjectMissingError, ObjectStore
from lakehouse_admin.adapters.aws.errors import PermissionDeniedError, QuotaExceededError, aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobRunTypeDef

KEY_ARGUMENT = "--lakeside_key"
SPEC_ARGUMENT = "--lakeside_spec"
"""Address of ``spec.json``; results go beside it."""
SECRET_ARGUMENT = "--lakeside_source_secret"  # noqa: S105 - the name of an argument
"""Secrets Manager's name for the source's URL: the job fetches it itself, under its own role."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_START_PATIENCE = timedelta(minutes=2)
"""From putting ``spec.json`` to the run being listed: seconds, unless the worker died between."""
_RUNNING = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
_RECENT_RUNS = 200
_ABSENT = "EntityNotFoundException"
_DENIED = re.compile(r"access ?denied|not authorized|is not authorized to perform", re.IGNORECASE)


class JobTimedOutError(OperatorError):
    """The Glue job was stopped at its time limit."""

    guidance: ClassVar[str] = (
        "Raise the Glue job's timeout or its number of workers, then retry the run; "
        "what it had not committed is not visible."
    )


class RunnerBusyError(JobRunnerUnavailableError):
    """The Glue job has as many runs as it may have at once."""

    guidance: ClassVar[str] = (
        "Nothing to do: tried again on its own. If it stays so, raise the job's maximum concurrency."
    )


class GlueJobRunner:
    """Runs jobs as runs of one Glue job. Every call is a few short requests."""

    def __init__(
        self,
        client: GlueClient,
        *,
        store: ObjectStore,
        job_name: str,
        defaults: Mapping[str, object],
        source_secret: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember what every job is given.

        Args:
            client: boto3's Glue client.
            store: Where the jobs' folders are kept.
            job_name: The Glue job, whose script is `lakehouse_admin.adapters.aws.glue_main`.
            defaults: Arguments every job gets unless its spec says otherwise, e.g. ``lake_uri``.
            source_secret: Secrets Manager's name for the source's URL.
            now: The clock.
        """
        self._client = client
        self._store = store
        self._job_name = job_name
        self._defaults = defaults
        self._source_secret = source_secret
        self._now = now

    def submit(self, spec: JobSpec) -> JobId:
        """Start a run and return at once; a key seen before starts nothing.

        Raises:
            JobRefusedError: The key is no file name, or there is no such Glue job.
            RunnerBusyError: As many runs as allowed are under way.
            JobRunnerUnavailableError: Glue did not answer.
            StoreUnavailableError: S3 did not answer.
            OperatorError: Whatever else `aws_errors` raises for a person to mend.
        """
        if not _KEY.fullmatch(spec.key):
            raise JobRefusedError(f"{spec.key!r} cannot name a job: use letters, digits, dots, dashes.")
        job = JobId(spec.key)
        asked = {
            "name": spec.name,
            "key": spec.key,
            "asked_at": self._now().isoformat(),
            "arguments": {**self._defaults, **spec.arguments},
        }
        if self._read(job, "spec.json") is not None:
            return job
        try:
            self._store.put(f"{job}/spec.json", json.dumps(asked, indent=1).encode())
        except ObjectExistsError:
            return job  # Another worker was quicker by a moment.
        self._start(job)
        return job

    def status(self, job: JobId) -> JobStatus:  # noqa: PLR0911 - one a state
        """Return where the job is, from its folder and its run."""
        spec = self._read(job, "spec.json")
        if spec is None:
            return JobStatus(state=JobState.LOST, exit_reason="no such job was submitted")
        beat = self._read(job, "progress.json") or {}
        run = self._run(job, spec)
        known: dict[str, Any] = {
            "started_at": datetime.fromisoformat(spec["asked_at"]),
            "heartbeat_at": datetime.fromisoformat(beat["heartbeat_at"]) if "heartbeat_at" in beat else None,
            "progress": beat.get("progress"),
            "usage": _usage(run) if run else {},
            "log_tail": _log(run) if run else "",
        }
        result = self._read(job, "result.json")
        if result is not None and result["state"] == "succeeded":
            return JobStatus(state=JobState.SUCCEEDED, result=result["result"], **known)
        if result is not None:
            return JobStatus(
                state=JobState.FAILED,
                error_class=result["error_class"],
                error_message=result["error_message"],
                **known,
            )
        if run is None:
            return self._without_run(job, spec, known)
        if run["JobRunState"] in _RUNNING:
            return JobStatus(state=JobState.RUNNING, **known)
        if self._is_cancelled(job):
            return JobStatus(state=JobState.CANCELLED, exit_reason="cancelled", **known)
        return _ended_without_result(run, known)

    def cancel(self, job: JobId) -> None:
        """Ask Glue to stop the run; a job that has its result keeps it.

        Glue takes a while to stop. The job counts as running until it has, so that what is
        cancelled can no longer commit.
        """
        if self.status(job).state is not JobState.RUNNING:
            return
        self._store.put(f"{job}/cancelled", b"")
        spec = self._read(job, "spec.json")
        run = self._run(job, spec) if spec else None
        if run is None:
            self._claim(job, None)  # Not started, and now nobody will.
        elif run["JobRunState"] != "STOPPING":
            self._stop(run["Id"])

    def running(self) -> Sequence[JobId]:
        """Return the jobs whose runs go on, by the keys among their arguments."""
        return [
            JobId(run["Arguments"][KEY_ARGUMENT])
            for run in self._recent_runs()
            if run["JobRunState"] in _RUNNING and KEY_ARGUMENT in run.get("Arguments", {})
        ]

    def _start(self, job: JobId) -> None:
        arguments = {KEY_ARGUMENT: job, SPEC_ARGUMENT: self._store.uri(f"{job}/spec.json")}
        if self._source_secret:
            arguments[SECRET_ARGUMENT] = self._source_secret
        try:
            with aws_errors("The Glue job cannot be started", unavailable=JobRunnerUnavailableError):
                run_id = self._request_run(arguments)
        except JobRunnerUnavailableError as error:
            if isinstance(error, RunnerBusyError) or _certainly_not_started(error):
                self._store.delete(f"{job}/spec.json")
            # Otherwise it may have been started: the key among the run's arguments will tell.
            raise
        except OperatorError:
            self._store.delete(f"{job}/spec.json")
            raise
        if not self._claim(job, run_id):
            self._stop(run_id)

    def _request_run(self, arguments: Mapping[str, str]) -> str:
        try:
            started = self._client.start_job_run(JobName=self._job_name, Arguments=arguments, JobRunQueuingEnabled=True)
        except ClientError as error:
            code = code_of(error)
            if code == "ConcurrentRunsExceededException":
                raise RunnerBusyError from error
            if code == _ABSENT:
                raise JobRefusedError(
                    f"There is no Glue job {self._job_name} in this account and region: set LAKEHOUSE_GLUE_JOB."
                ) from error
            raise
        return started["JobRunId"]

    def _run(self, job: JobId, spec: Mapping[str, Any]) -> JobRunTypeDef | None:
        """Return the run that counts for the job; None if there is none, yet or for ever."""
        claimed = self._read(job, "run.json")
        if claimed is not None:
            return None if claimed["run_id"] is None else self._get_run(claimed["run_id"])
        asked_at = datetime.fromisoformat(spec["asked_at"])
        for run in self._recent_runs(since=asked_at - _START_PATIENCE):
            if run.get("Arguments", {}).get(KEY_ARGUMENT) == job:
                self._claim(job, run["Id"])
                return run
        return None

    def _without_run(self, job: JobId, spec: Mapping[str, Any], known: Mapping[str, Any]) -> JobStatus:
        """Tell a job that is being started from one that never will be.

        Past its patience the job is lost, and counting another run for it is made
        impossible, so that a worker that wakes up late stops what it started.
        """
        if self._is_cancelled(job):
            return JobStatus(state=JobState.CANCELLED, exit_reason="cancelled", **known)
        age = self._now() - datetime.fromisoformat(spec["asked_at"])
        if age >= _START_PATIENCE and (self._read(job, "run.json") is not None or self._claim(job, None)):
            return JobStatus(state=JobState.LOST, exit_reason="it was never started", **known)
        return JobStatus(state=JobState.RUNNING, **known)

    def _get_run(self, run_id: str) -> JobRunTypeDef:
        with aws_errors("The Glue job's run cannot be looked at", unavailable=JobRunnerUnavailableError):
            return self._client.get_job_run(JobName=self._job_name, RunId=run_id)["JobRun"]

    def _recent_runs(self, *, since: datetime | None = None) -> Iterator[JobRunTypeDef]:
        """Yield runs of the Glue job, newest first, as far back as ``since``."""
        with aws_errors("The Glue job's runs cannot be listed", unavailable=JobRunnerUnavailableError):
            pages = self._client.get_paginator("get_job_runs").paginate(
                JobName=self._job_name, PaginationConfig={"MaxItems": _RECENT_RUNS, "PageSize": 50}
            )
            for page in pages:
                for run in page["JobRuns"]:
                    if since is not None and run.get("StartedOn", since) < since:
                        return
                    yield run

    def _stop(self, run_id: str) -> None:
        with aws_errors("The Glue job's run cannot be stopped", unavailable=JobRunnerUnavailableError):
            # Errors that come per run say that it has ended by itself: nothing is left to stop.
            self._client.batch_stop_job_run(JobName=self._job_name, JobRunIds=[run_id])

    def _claim(self, job: JobId, run_id: str | None) -> bool:
        """Say which run counts for the job, unless that is said already; tell whether it is this one now."""
        try:
            self._store.put(f"{job}/run.json", json.dumps({"run_id": run_id}).encode())
        except ObjectExistsError:
            return False
        return True

    def _is_cancelled(self, job: JobId) -> bool:
        try:
            self._store.get(f"{job}/cancelled")
        except ObjectMissingError:
            return False
        return True

    def _read(self, job: JobId, name: str) -> dict[str, Any] | None:
        with suppress(ObjectMissingError):
            document: dict[str, Any] = json.loads(self._store.get(f"{job}/{name}"))
            return document
        return None


def _certainly_not_started(error: JobRunnerUnavailableError) -> bool:
    """Tell a request that AWS turned away from one whose answer was lost."""
    return isinstance(error.__cause__, ClientError) and (
        error.__cause__.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 500  # noqa: PLR2004 - HTTP
    )


def _ended_without_result(run: JobRunTypeDef, known: Mapping[str, Any]) -> JobStatus:
    """Say why a run is over that left no result: Glue's own reasons, not the job's."""
    state, said = run["JobRunState"], run.get("ErrorMessage", "")
    error: type[OperatorError] | None = None
    if state == "TIMEOUT":
        error = JobTimedOutError
    elif _DENIED.search(said):
        error = PermissionDeniedError
    elif "quota" in said.lower() or "limit exceeded" in said.lower():
        error = QuotaExceededError
    if error is not None:
        message = said or str(error())
        qualified = f"{error.__module__}.{error.__qualname__}"
        return JobStatus(state=JobState.FAILED, error_class=qualified, error_message=message, **known)
    reasons = {
        "STOPPED": "somebody stopped the run in Glue",
        "EXPIRED": "it waited in Glue's queue until it expired",
        "SUCCEEDED": f"{JobLostError().message} Glue calls it succeeded.",
    }
    return JobStatus(state=JobState.LOST, exit_reason=said or reasons.get(state, f"Glue says {state}"), **known)


def _usage(run: JobRunTypeDef) -> Mapping[str, float]:
    """Return what the run has used so far: DPU-seconds, as Glue bills them, and seconds."""
    seconds = float(run.get("ExecutionTime", 0))
    # Glue reports DPU-seconds only where capacity varies; elsewhere they are capacity times time.
    dpu_seconds = run.get("DPUSeconds") or run.get("MaxCapacity", 0.0) * seconds
    return {"dpu_seconds": float(dpu_seconds), "seconds": seconds}


def _log(run: JobRunTypeDef) -> str:
    """Say where the run's log is; CloudWatch keeps it."""
    group = run.get("LogGroupName", "/aws-glue/jobs")
    said = run.get("ErrorMessage", "")
    return f"{said}\n".lstrip() + f"CloudWatch log group {group}/error, stream {run['Id']}"
