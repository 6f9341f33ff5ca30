"""Runs real stacks for tests: `manage.py up` and `manage.py demo`, each in a home of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from config import env
from config.embedded.demo import DemoUser, read_users, users_file
from config.embedded.run_folder import RunFolder, StackRecord, StackState

_POLL_SECONDS = 0.05
_STOP_SECONDS = 60.0


class Stack:
    """One `manage.py up` or `manage.py demo` process and what it runs."""

    def __init__(self, home: Path, *arguments: str, values: Mapping[str, str] | None = None, account: str = "") -> None:
        """Start the process; use `wait_until_ready` before anything else.

        Args:
            home: Its LAKEHOUSE_HOME.
            arguments: The command and its options.
            values: Further variables.
            account: The user to run as, if we are root.
        """
        self.home = home
        self.folder = RunFolder(home)
        self._values = dict(values or {})
        self.output_file = Path(tempfile.mkstemp(prefix="lakeside-stack-", suffix=".log")[1])
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(env.PROJECT / "manage.py"), *arguments],
                env=self.environment(),
                cwd=env.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account or None,
            )

    @property
    def output(self) -> str:
        """What it has written to the terminal so far."""
        return self.output_file.read_text(encoding="utf-8")

    @property
    def record(self) -> StackRecord:
        """What it recorded about itself."""
        record = self.folder.record()
        assert record is not None, self.output
        return record

    @property
    def url(self) -> str:
        """Where it answers, ending in a slash."""
        return self.record.url

    @property
    def users(self) -> list[DemoUser]:
        """Whom to sign in as: the staff user first, then an owner for every tenant."""
        return read_users(users_file(self.home))

    def environment(self) -> dict[str, str]:
        """Return the environment it runs in: this checkout's `.env` has no part in tests."""
        basics = {name: text for name, text in env.child_environment({}).items() if name != "DJANGO_SETTINGS_MODULE"}
        return {**basics, "LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(self.home), **self._values}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `manage.py` command beside it, with the URLs that it offers to such commands."""
        urls = self.folder.environment_file
        lines = urls.read_text(encoding="utf-8").splitlines() if urls.exists() else []
        values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        return subprocess.run(
            [sys.executable, str(env.PROJECT / "manage.py"), *arguments],
            env={**self.environment(), **values},
            cwd=env.PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def wait_until_ready(self, *, timeout_seconds: float = 120.0) -> None:
        """Wait for everything to answer; fail with its output if the process ends or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not self._says_that_it_is_ready():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(_POLL_SECONDS)

    def _says_that_it_is_ready(self) -> bool:
        record = self.folder.record()
        return record is not None and record.supervisor.pid == self.process.pid and record.state is StackState.READY

    def health(self) -> tuple[int, str]:
        """Return the status and body of `/healthz`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.record.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            return response.status, response.read().decode()

    def send(self, number: signal.Signals) -> None:
        """Send the supervisor, and nobody else, a signal."""
        os.kill(self.process.pid, number)

    def wait(self, *, timeout_seconds: float = _STOP_SECONDS) -> int:
        """Return its exit code once it has ended."""
        return self.process.wait(timeout=timeout_seconds)

    def stop(self) -> int:
        """Stop it as Ctrl+C does; return its exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGINT)
        return self.wait()


@contextmanager
def running(home: Path, *arguments: str, values: Mapping[str, str] | None = None, account: str = "") -> Iterator[Stack]:
    """Start a stack, and make sure that it has ended when the block does."""
    stack = Stack(home, *arguments, values=values, account=account)
    try:
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            stack.process.kill()
            stack.output_file.unlink(missing_ok=True)


@contextmanager
def new_home() -> Iterator[Path]:
    """Make a LAKEHOUSE_HOME that PostgreSQL's account may enter (pytest's own folders are closed to it)."""
    with tempfile.TemporaryDirectory(prefix="lakeside-home-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
