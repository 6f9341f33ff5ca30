"""`<home>/run`: who runs the stack, where, and the URLs of its servers."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from config.private_files import private_folder, write_private

_POLL_SECONDS = 0.1


class StackState(StrEnum):
    """What a running supervisor is doing."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process of the stack."""

    name: str
    pid: int
    created_at: float
    """Seconds since 1970, as the kernel counts them: with the pid, names one process for ever."""

    @classmethod
    def of(cls, name: str, pid: int) -> Child:
        """Describe a process that runs now."""
        return cls(name=name, pid=pid, created_at=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """Return the process, or `None` if it is gone, even if its pid names another one by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_at) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if same else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """What `stack.json` says about the stack."""

    state: StackState
    supervisor: Child
    port: int
    children: tuple[Child, ...] = ()

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}/"


class AlreadyRunningError(Exception):
    """Another supervisor runs a stack in this home."""


class RunFolder:
    """The folder and the lock in it, which the kernel releases whenever its holder ends."""

    def __init__(self, home: Path) -> None:
        """Name the folder; nothing is created yet."""
        self.path = home / "run"
        self.environment_file = self.path / "embedded.env"
        self._record_file = self.path / "stack.json"
        self._lock_file = self.path / "lock"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Be the only supervisor of this home within the block; afterwards only the lock's file remains.

        Raises:
            AlreadyRunningError: There is one.
        """
        private_folder(self.path)
        with self._lock_file.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunningError from error
            try:
                yield
            finally:
                self.forget()

    def forget(self) -> StackRecord | None:
        """Remove what tells others about the stack; return what it said, if a killed supervisor left it behind."""
        record = self.record()
        self.environment_file.unlink(missing_ok=True)
        self._record_file.unlink(missing_ok=True)
        return record

    def is_claimed(self) -> bool:
        """Tell whether a supervisor runs now."""
        try:
            with self._lock_file.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def wait_until_free(self, *, timeout_seconds: float) -> bool:
        """Wait for the supervisor to end; tell whether it did in time."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_claimed():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def record(self) -> StackRecord | None:
        """Return what the last supervisor recorded, or `None`."""
        try:
            data = json.loads(self._record_file.read_text(encoding="utf-8"))
            return StackRecord(
                state=StackState(data["state"]),
                supervisor=Child(**data["supervisor"]),
                port=data["port"],
                children=tuple(Child(**child) for child in data["children"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write_record(self, record: StackRecord) -> None:
        """Replace the record."""
        write_private(self._record_file, json.dumps(asdict(record), indent=1))

    def write_environment(self, urls: Mapping[str, str]) -> None:
        """Tell other commands where the servers are."""
        lines = [f"{name}={url}\n" for name, url in urls.items()]
        write_private(self.environment_file, "# Written by `manage.py up` while it runs.\n" + "".join(lines))


def this_process() -> Child:
    """Describe the calling process, as the stack's supervisor."""
    return Child.of("supervisor", os.getpid())
