"""The stack's Python processes, each with the environment it needs and no more."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config import env
from config.embedded.processes import end, spawn

_OWNER_ONLY = {"DATABASE_URL"}
_SOURCE_AND_CATALOG = {"LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL"}
_ALL_URLS = _OWNER_ONLY | _SOURCE_AND_CATALOG | {"APP_DATABASE_URL", "REDIS_URL"}

Ladder = Sequence[tuple[signal.Signals, float]]


class Service(Protocol):
    """Something the supervisor keeps running: a server or a Python process."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def log(self) -> Path:
        """Its log file."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """Its process, once started."""

    def start(self) -> None:
        """Start it.

        Raises:
            StackError: It cannot be started.
        """

    def stop(self) -> None:
        """Stop it within a bounded time. Idempotent."""


@dataclass(slots=True, kw_only=True)
class PythonProcess:
    """A long-running Python module of ours."""

    name: str
    home: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    stop_ladder: Ladder
    death_signal: signal.Signals = signal.SIGQUIT
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Its log file."""
        return self.home / "log" / f"{self.name}.log"

    def start(self) -> None:
        """Start the process; it gets ready on its own."""
        self.process = spawn(
            [sys.executable, "-m", *self.arguments],
            log=self.log,
            environment=self.environment,
            folder=env.PROJECT,
            death_signal=self.death_signal,
            pass_fds=self.pass_fds,
        )

    def stop(self) -> None:
        """Stop the process: gently, then by force. Idempotent."""
        if self.process is not None:
            end(self.process, self.stop_ladder)
            self.process = None


def worker(home: Path, values: Mapping[str, str]) -> PythonProcess:
    """Return the Celery worker: it alone reaches the catalog, and the source besides the replicator."""
    return PythonProcess(
        name="worker",
        home=home,
        arguments=_celery("worker", "--concurrency=2", "--without-gossip", "--without-mingle"),
        environment=_environment(home, values, hidden=_OWNER_ONLY, asks_aws=True),
        # Gently: finish the short tasks at hand. SIGQUIT gives them back to the broker.
        stop_ladder=((signal.SIGTERM, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)),
        # A gentler signal would have it wait for a broker that ends at the same moment; its pool notices and ends.
        death_signal=signal.SIGKILL,
    )


def replicator(home: Path, values: Mapping[str, str]) -> PythonProcess:
    """Return the process that follows the source: it needs the source's URL and no other."""
    return PythonProcess(
        name="replicator",
        home=home,
        arguments=["manage", "lakehouse", "replicate"],
        environment=_environment(home, values, hidden=_ALL_URLS - {"LAKEHOUSE_SOURCE_URL"}),
        # Gently: land what was received. What is cut off comes again.
        stop_ladder=((signal.SIGTERM, 12.0), (signal.SIGKILL, 5.0)),
        death_signal=signal.SIGTERM,
    )


def follower(home: Path, values: Mapping[str, str]) -> PythonProcess:
    """Return the process that publishes changes as they come: it needs the catalog, not the source."""
    return PythonProcess(
        name="follower",
        home=home,
        arguments=["manage", "lakehouse", "follow"],
        environment=_environment(home, values, hidden=_OWNER_ONLY | {"LAKEHOUSE_SOURCE_URL"}),
        # Gently: end the cycle at hand. What is cut off is done again.
        stop_ladder=((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)),
        death_signal=signal.SIGTERM,
    )


def beat(home: Path, values: Mapping[str, str]) -> PythonProcess:
    """Return Celery's clock."""
    return PythonProcess(
        name="beat",
        home=home,
        arguments=_celery("beat", "--pidfile="),
        environment=_environment(home, values, hidden=_OWNER_ONLY | _SOURCE_AND_CATALOG),
        stop_ladder=((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)),
        death_signal=signal.SIGTERM,
    )


def web(home: Path, values: Mapping[str, str], *, descriptor: int) -> PythonProcess:
    """Return the web server.

    Args:
        home: The stack's home.
        values: All configured variables.
        descriptor: The bound socket to listen on.
    """
    return PythonProcess(
        name="web",
        home=home,
        arguments=["gunicorn", f"--bind=fd://{descriptor}", "config.wsgi"],
        environment=_environment(home, values, hidden=_OWNER_ONLY | _SOURCE_AND_CATALOG, asks_aws=True),
        stop_ladder=((signal.SIGTERM, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)),
        pass_fds=[descriptor],
    )


def owner_environment(home: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command that migrates or seeds."""
    return _environment(home, values, hidden=set())


def worker_environment(home: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command that drives the data path."""
    return _environment(home, values, hidden=_OWNER_ONLY, asks_aws=True)


def _celery(*arguments: str) -> list[str]:
    return ["celery", "--app=config.celery", *arguments, "--loglevel=INFO"]


def _environment(home: Path, values: Mapping[str, str], *, hidden: set[str], asks_aws: bool = False) -> dict[str, str]:
    visible = {name: text for name, text in values.items() if name not in hidden}
    if asks_aws and values.get("LAKEHOUSE_BACKEND") == env.Backend.AWS:
        visible |= env.aws_credentials()
    return env.child_environment({**visible, "LAKEHOUSE_HOME": str(home), "LAKEHOUSE_SUPERVISED": "true"})
