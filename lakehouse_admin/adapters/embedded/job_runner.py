"""`JobRunner` whose jobs are child processes: ``python -m etl.jobs NAME``.

A job is a folder, so any worker can answer for it, also one that started later::

    jobs/<job id>/
        spec.json       what was asked; never a secret
        process.json    who runs it: process id and its creation time
        progress.json   heartbeat and progress, written by the job
        result.json     how it ended, written by the job
        exit.json       the exit status, written by whoever reaped the process
        cancelled       someone asked to end it
        log             its standard error

Making the folder decides who starts the job. Secrets travel on the child's standard input
and are never written down. The child waits for that input, and gets it only after
``process.json`` exists: a worker that dies in between leaves a child that ends by itself.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from etl.ports.job_runner import JobId, JobRefusedError, JobSpec, JobState, JobStatus
from lakehouse_admin.adapters.embedded.warm_start import PROJECT, WarmStart

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_LOG_TAIL_BYTES = 8 * 1024
_START_PATIENCE = timedelta(seconds=10)
"""From making the folder to naming the process: milliseconds, unless the worker died between."""
_END_PATIENCE_SECONDS = 5.0
_KEEP = timedelta(days=7)
_KEEP_JOBS = 500
_CREATION_TOLERANCE_SECONDS = 1.0
_ADDRESS_SPACE_HEADROOM_BYTES = 2 * 1024**3
"""Above DuckDB's own limit: Python, Arrow, and buffers that DuckDB's limit does not count."""


class ChildProcessRunner:
    """Runs jobs as processes of this machine, each in a process group of its own."""

    def __init__(
        self,
        *,
        folder: Path,
        defaults: Mapping[str, object],
        secrets: Mapping[str, str],
        environment: Mapping[str, str],
        memory_limit_bytes: int,
        command: Sequence[str] = (sys.executable, "-m", "etl.jobs"),
        warm: WarmStart | None = None,
    ) -> None:
        """Remember what every job is given.

        Args:
            folder: Where the jobs' folders are kept.
            defaults: Arguments every job gets unless its spec says otherwise, e.g. ``lake_uri``.
            secrets: Connection URLs by argument name.
            environment: The children's whole environment.
            memory_limit_bytes: What DuckDB may use; the process may use somewhat more.
            command: Runs the job whose name follows.
            warm: Forks jobs in milliseconds instead, whenever it is ready.
        """
        self._folder = folder
        self._defaults = defaults
        self._secrets = secrets
        self._environment = environment
        self._memory_limit_bytes = memory_limit_bytes
        self._command = tuple(command)
        self._warm = warm
        self._children: dict[JobId, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def submit(self, spec: JobSpec) -> JobId:
        """Start the job and return at once; a key seen before starts nothing.

        Raises:
            JobRefusedError: The key is no file name, or the process cannot be started.
        """
        if not _KEY.fullmatch(spec.key):
            raise JobRefusedError(f"{spec.key!r} cannot name a job: use letters, digits, dots, dashes.")
        self._reap()
        job = JobId(spec.key)
        folder = self._folder / job
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._prune()
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return job
        except OSError as error:
            raise JobRefusedError(f"The job's folder cannot be made: {error.strerror}.", folder=folder) from error
        try:
            self._start(spec, folder)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise JobRefusedError(f"The job's process cannot be started: {error.strerror}.", job=spec.name) from error
        return job

    def status(self, job: JobId) -> JobStatus:
        """Return where the job is, from its folder and its process."""
        self._reap()
        folder = self._folder / job
        alive = _process(folder) is not None
        result = _read(folder / "result.json")  # after asking for the process: a result may come just before its end
        beat = _read(folder / "progress.json") or {}
        known: dict[str, Any] = {
            "started_at": _made_at(folder),
            "heartbeat_at": datetime.fromisoformat(beat["heartbeat_at"]) if "heartbeat_at" in beat else None,
            "progress": beat.get("progress"),
            "log_tail": _tail(folder / "log"),
        }
        if result is not None and result["state"] == "succeeded":
            return JobStatus(state=JobState.SUCCEEDED, result=result["result"], **known)
        if result is not None:
            return JobStatus(
                state=JobState.FAILED,
                error_class=result["error_class"],
                error_message=result["error_message"],
                **known,
            )
        if alive or self._is_starting(folder):
            return JobStatus(state=JobState.RUNNING, **known)
        if (folder / "cancelled").exists():
            return JobStatus(state=JobState.CANCELLED, exit_reason="cancelled", **known)
        return JobStatus(state=JobState.LOST, exit_reason=_exit_reason(folder), **known)

    def cancel(self, job: JobId) -> None:
        """End the job's process group; a job that has its result keeps it."""
        folder = self._folder / job
        if self.status(job).state is not JobState.RUNNING:
            return
        (folder / "cancelled").touch()
        if not _claim_process(folder, {"pid": None}):
            _end(_process(folder))
        self._reap()

    def running(self) -> tuple[JobId, ...]:
        """Return the jobs whose processes live."""
        if not self._folder.exists():
            return ()
        return tuple(JobId(folder.name) for folder in sorted(self._folder.iterdir()) if _process(folder) is not None)

    def _start(self, spec: JobSpec, folder: Path) -> None:
        arguments = {**self._defaults, **spec.arguments}
        asked = {"name": spec.name, "key": spec.key, "arguments": arguments}
        (folder / "spec.json").write_text(json.dumps(asked, indent=1), encoding="utf-8")
        document = {
            "arguments": arguments,
            "secrets": dict(self._secrets),
            "result_path": str(folder / "result.json"),
            "progress_path": str(folder / "progress.json"),
        }
        job = (self._warm and self._warm.fork(spec.name, folder)) or self._spawn(spec, folder)
        given = None
        try:
            # A job that ended before reading has left its reason in the log.
            _limit_memory(job.pid, self._memory_limit_bytes + _ADDRESS_SPACE_HEADROOM_BYTES)
            if _claim_process(folder, {"pid": job.pid, "created_at": _created_at(job.pid)}):
                given = json.dumps(document)
        finally:
            job.give(given)

    def _spawn(self, spec: JobSpec, folder: Path) -> _ColdJob:
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                [*self._command, spec.name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=PROJECT,
                env=dict(self._environment),
                start_new_session=True,
            )
        with self._lock:
            self._children[JobId(spec.key)] = child
        return _ColdJob(child)

    def _is_starting(self, folder: Path) -> bool:
        """Tell whether another worker may still be between making the folder and naming the process.

        Past its patience the job is lost, and naming the process is made impossible, so
        that the other worker, should it wake up, gives the child nothing to do.
        """
        made_at = _made_at(folder)
        if made_at is None or (folder / "process.json").exists():
            return False
        if datetime.now(UTC) - made_at < _START_PATIENCE:
            return True
        return not _claim_process(folder, {"pid": None})

    def _reap(self) -> None:
        """Collect the exit statuses of our own ended children."""
        with self._lock:
            for job, child in list(self._children.items()):
                if child.poll() is not None:
                    del self._children[job]
                    with suppress(OSError):
                        (self._folder / job / "exit.json").write_text(json.dumps({"status": child.returncode}))

    def _prune(self) -> None:
        """Remove the folders of jobs that ended long ago, and of those beyond the newest few hundred."""
        oldest = datetime.now(UTC) - _KEEP
        by_age = sorted(((_made_at(folder) or oldest, folder) for folder in self._folder.iterdir()), reverse=True)
        for number, (made_at, folder) in enumerate(by_age):
            if (number >= _KEEP_JOBS or made_at < oldest) and _process(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)


class _ColdJob:
    """A job's new process, which waits for its document."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.pid = child.pid
        self._child = child

    def give(self, document: str | None) -> None:
        """Hand the job its document, or drop it with None."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError), self._child.stdin:
            self._child.stdin.write((document or "").encode())


def _claim_process(folder: Path, process: Mapping[str, object]) -> bool:
    """Write ``process.json`` whole, unless it exists; tell whether it was written."""
    draft = folder / f"process.json.{os.getpid()}.{threading.get_ident()}"
    draft.write_text(json.dumps(process))
    try:
        os.link(draft, folder / "process.json")
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _process(folder: Path) -> psutil.Process | None:
    """Return the job's living process, told from a stranger with the same id by its creation time."""
    known = _read(folder / "process.json")
    if known is None or known["pid"] is None:
        return None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(known["pid"])
        is_ours = abs(process.create_time() - known["created_at"]) < _CREATION_TOLERANCE_SECONDS
        if is_ours and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _created_at(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _end(process: psutil.Process | None) -> None:
    """Kill the process and its group. Jobs commit atomically, so an abrupt end leaves nothing half done."""
    if process is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    deadline_waits = 100
    for _ in range(deadline_waits):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return
        with suppress(psutil.TimeoutExpired):
            process.wait(timeout=_END_PATIENCE_SECONDS / deadline_waits)


def _limit_memory(pid: int, limit_bytes: int) -> None:
    """Bound the private memory of a process, so that it fails alone instead of taking the machine along.

    Source: setrlimit(2): since Linux 4.7 RLIMIT_DATA counts private writable mappings.
    Elsewhere DuckDB's own limit is the only one.
    """
    if sys.platform == "linux":
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def _exit_reason(folder: Path) -> str:
    """Say how a process ended that left no result."""
    known = _read(folder / "exit.json")
    if known is None:
        known = {"status": _zombie_status(folder)}
    status = known["status"]
    if status is None:
        return "the process is gone"
    if status >= 0:
        return f"exit code {status} without a result"
    name = signal.Signals(-status).name
    hint = ", perhaps for memory" if -status == signal.SIGKILL else ""
    return f"killed by {name}{hint}"


def _zombie_status(folder: Path) -> int | None:
    """Return the exit status of an ended process that another worker of ours has yet to reap; None if unknown.

    Source: proc(5), the last field of /proc/pid/stat, in the form of waitpid.
    """
    process = _read(folder / "process.json")
    if process is None or process["pid"] is None:
        return None
    try:
        fields = Path(f"/proc/{process['pid']}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return os.waitstatus_to_exitcode(int(fields[-1])) if fields[0] == "Z" else None


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON document; None if it is not there, or not whole."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document


def _made_at(folder: Path) -> datetime | None:
    """Return when the job was asked for; None if it never was."""
    for path in (folder / "spec.json", folder):
        with suppress(OSError):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return None


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")
    except OSError:
        return ""
