"""The embedded Valkey: the broker and the cache, on loopback with a password, kept across restarts."""

from __future__ import annotations

import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import redis

from config import env
from config.embedded.binaries import find_valkey
from config.embedded.errors import StackError, log_tail
from config.embedded.ports import LOOPBACK, free_port
from config.embedded.processes import end, spawn
from config.private_files import private_folder, read_or_create, write_private

_START_SECONDS = 15.0
_POLL_SECONDS = 0.02


@dataclass(slots=True, kw_only=True)
class Valkey:
    """One server over `<home>/valkey`."""

    home: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    name: ClassVar[str] = "Valkey"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home / "log" / "valkey.log"

    @property
    def url(self) -> str:
        """The URL, with the password."""
        return f"redis://:{self._password()}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            StackError: It cannot be started; the message says why.
        """
        program = find_valkey()
        self.port = self.port or free_port()
        configuration = private_folder(self.home / "valkey") / "valkey.conf"
        write_private(configuration, self._configuration())
        environment = env.child_environment({"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(self.home)})
        self.process = spawn([program, configuration], log=self.log, environment=environment)
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server: it writes what it holds first. Idempotent."""
        if self.process is not None:
            end(self.process)
            self.process = None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(_POLL_SECONDS)
                else:
                    return
        self.stop()
        raise StackError(f"Valkey did not start; {self.log} ends with:\n{log_tail(self.log)}")

    def _configuration(self) -> str:
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "requirepass": self._password(),
            "dir": f'"{self.home / "valkey"}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "logfile": '""',
            "daemonize": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _password(self) -> str:
        return read_or_create(self.home / "private" / "valkey_password", lambda: secrets.token_urlsafe(24))
