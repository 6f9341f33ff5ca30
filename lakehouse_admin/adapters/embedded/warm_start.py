"""The near end of ``python -m etl.jobs.warm``: jobs as forks of a process that has imported everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import etl

PROJECT = Path(etl.__file__).resolve().parent.parent


class WarmStart:
    """Forks jobs once the process behind it is ready; until then, and should it die, it says so.

    The process is started with this object and ends with ours, when its standard input
    closes; the jobs it forked go on.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start the process and return at once; it takes about a second to get ready.

        Args:
            environment: Its, and so the jobs', whole environment.
        """
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._ready = False
        self._server = self._open()

    def fork(self, name: str, folder: Path) -> WarmJob | None:
        """Fork a job that waits for its document; None if that cannot be done now.

        The other requests of this process wait until `WarmJob.give` has been called.
        """
        request = {"name": name, "log": str(folder / "log"), "exit": str(folder / "exit.json")}
        job = None
        self._lock.acquire()
        try:
            if self._is_ready():
                self._send(request)
                if "pid" in (answer := self._receive()):
                    job = WarmJob(pid=int(answer["pid"]), start=self)
        except OSError:
            self._restart()
        finally:
            if job is None:
                self._lock.release()
        return job

    def give(self, document: str | None) -> None:
        """Hand the forked job its document, or drop it with None."""
        try:
            self._send({"document": document})
        except OSError:
            self._restart()
        finally:
            self._lock.release()

    def wait_until_ready(self) -> None:
        """Return once jobs can be forked, for who would rather wait than start one cold."""
        with self._lock:
            if not self._ready:
                self._ready = "ready" in self._receive()

    def close(self) -> None:
        """End the process; the jobs it forked go on. Happens by itself when this object is no longer used."""
        self._end()

    def _open(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(
            [sys.executable, "-m", "etl.jobs.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env=self._environment,
            start_new_session=True,
        )
        self._end = weakref.finalize(self, _end, server, os.getpid())
        return server

    def _is_ready(self) -> bool:
        """Tell whether a fork can be asked for, without waiting."""
        if self._owner != os.getpid():
            return False  # Our process was forked: the pipes are its parent's.
        if self._server.poll() is not None:
            self._restart()
        if not self._ready:
            assert self._server.stdout is not None
            os.set_blocking(self._server.stdout.fileno(), False)
            try:
                self._ready = bool(self._server.stdout.readline())
            finally:
                os.set_blocking(self._server.stdout.fileno(), True)
        return self._ready

    def _restart(self) -> None:
        self._ready = False
        self._end()
        self._server = self._open()

    def _send(self, line: Mapping[str, object]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(line).encode() + b"\n")
        self._server.stdin.flush()

    def _receive(self) -> dict[str, int | bool]:
        assert self._server.stdout is not None
        answer: dict[str, int | bool] = json.loads(self._server.stdout.readline() or b"{}")
        return answer


def _end(server: subprocess.Popen[bytes], owner: int) -> None:
    """End and collect the process and close its pipes, unless we are a fork of who owns them."""
    if os.getpid() != owner:
        return
    server.kill()
    for pipe in (server.stdin, server.stdout):
        assert pipe is not None
        with suppress(OSError):
            pipe.close()
    server.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmJob:
    """A forked job that waits for its document."""

    pid: int
    start: WarmStart

    def give(self, document: str | None) -> None:
        """Hand the job its document, or drop it with None; to be called exactly once."""
        self.start.give(document)
