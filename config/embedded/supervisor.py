"""Starts the whole stack in order, keeps it running, and stops everything it started.

PostgreSQL, Valkey, roles, migrations, worker and beat, follower, web, then the replicator. A signal asks it to stop:
the handler only notes that, and the loops look at the note, so that no process is ever forgotten
between its start and its entry in a list.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from config import env
from config.embedded import python_services, web_port
from config.embedded.errors import StackError, log_tail
from config.embedded.leftovers import end_processes, find_leftovers
from config.embedded.ports import LOOPBACK
from config.embedded.postgres import Postgres
from config.embedded.processes import adopt_orphans, end, spawn
from config.embedded.python_services import Service
from config.embedded.report import Report
from config.embedded.run_folder import Child, RunFolder, StackRecord, StackState, this_process
from config.embedded.valkey import Valkey
from config.provisioning import provision, publish

_POLL_SECONDS = 0.1
_HEALTHY_SECONDS = 60.0
_BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_SECONDS = 60.0
"""A service that ran this long has recovered: its next restart is immediate again."""
_LOG_BYTES = 20 * 1024**2
_ROLE_URLS = ("APP_DATABASE_URL", "LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL")
_STACK_URLS = ("DATABASE_URL", *_ROLE_URLS, "REDIS_URL")
_STOP_ORDER = ("beat", "replicator", "follower", "worker", "web", "Valkey", "PostgreSQL")
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):  # noqa: N818 - a request, not an error
    """A signal asked the supervisor to stop."""


class Scenario:
    """What happens between the parts of a start; a bare stack needs nothing."""

    def fill(self, stack: Supervisor) -> None:
        """Act once the database is migrated, before any process uses it."""

    def first_run(self, stack: Supervisor) -> None:
        """Act once worker and beat run, before web answers."""

    def welcome(self, stack: Supervisor) -> str:
        """Return what to tell the person once everything answers."""
        return f"Lakeside is ready: {stack.url}\nCtrl+C stops everything."


class Supervisor:
    """Runs one stack in one home, in this process's main thread."""

    def __init__(self, *, home: Path, values: Mapping[str, str], port: int | None, report: Report) -> None:
        """Prepare a stack; nothing is started or written yet.

        Args:
            home: LAKEHOUSE_HOME.
            values: What a person configured, by variable; URLs given here replace embedded servers.
            port: The web server's port; the next free one from 8000 if `None`.
            report: Who is told about progress.
        """
        self.home = home
        self.values = dict(values)
        self.report = report
        self.port = 0
        self._wanted_port = port
        self._run_folder = RunFolder(home)
        self._state = StackState.STARTING
        self._services: list[Service] = []
        self._restarts: dict[str, _Restarts] = {}
        self._stop_signal: signal.Signals | None = None

    @property
    def url(self) -> str:
        """Where a browser finds the stack."""
        return f"http://{LOOPBACK}:{self.port}/"

    def run(self, scenario: Scenario) -> None:
        """Start everything, keep it running until a signal, and stop everything, whatever happens.

        Raises:
            StackError: Something could not be started.
            AlreadyRunningError: Another supervisor runs in this home.
        """
        with self._run_folder.claim(), self._noting_signals():
            self.report.say("Lakeside is starting; Ctrl+C stops everything it starts.")
            adopt_orphans()
            left_behind = self._run_folder.forget()
            self._enter(StackState.STARTING)
            try:
                with contextlib.closing(web_port.reserve(self._wanted_port)) as web_socket:
                    self._clear_leftovers(left_behind)
                    self._start(scenario, web_socket)
                    self._watch()
            except StopRequested:
                self.report.say("Stopping ...")
            finally:
                self._stop()
        self.report.say("Lakeside has stopped.")

    def command(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Run `manage.py` with these arguments to its end; as the owner unless given another environment.

        Raises:
            StackError: It failed.
            StopRequested: A signal arrived; the command has been ended.
        """
        log = self.home / "log" / f"{arguments[0]}.log"
        process = spawn(
            [sys.executable, env.PROJECT / "manage.py", *arguments],
            log=log,
            environment=environment or python_services.owner_environment(self.home, self.values),
            folder=env.PROJECT,
        )
        try:
            while process.poll() is None:
                self._pause()
        finally:
            end(process)
        if process.returncode != 0:
            raise StackError(f"`manage.py {' '.join(arguments)}` failed; {log} ends with:\n{log_tail(log)}")

    def _start(self, scenario: Scenario, web_socket: socket.socket) -> None:
        self.port = web_socket.getsockname()[1]
        if self._wanted_port is None and self.port != web_port.DEFAULT_PORT:
            self.report.say(f"Port {web_port.DEFAULT_PORT} is in use: taking {self.port}.")
        self._rotate_logs()
        self._start_servers()
        with self.report.step("Roles and migrations"):
            self.values |= provision(self.values["DATABASE_URL"], home=self.home, given=self._given_role_urls())
            self.command("migrate", "--database", "owner", "--no-input")
            publish(
                self.values["DATABASE_URL"],
                source_url=self.values["LAKEHOUSE_SOURCE_URL"],
                tables=env.parse(self.values).lakehouse.source_tables,
            )
        self._run_folder.write_environment({name: self.values[name] for name in _STACK_URLS})
        scenario.fill(self)
        self._launch(python_services.worker(self.home, self.values))
        self._launch(python_services.beat(self.home, self.values))
        scenario.first_run(self)
        self._launch(python_services.follower(self.home, self.values))
        with self.report.step("Web, worker, beat and follower"):
            self._launch(python_services.web(self.home, self.values, descriptor=web_socket.fileno()))
            self._wait_until_healthy()
        # Last, and not waited for: a source that is not ready is told and tried again, while everything else runs.
        self._launch(python_services.replicator(self.home, self.values))
        self._enter(StackState.READY)
        sys.stdout.write(f"\n{scenario.welcome(self)}\n")
        sys.stdout.flush()

    def _given_role_urls(self) -> dict[str, str]:
        return {name: self.values[name] for name in _ROLE_URLS if name in self.values}

    def _start_servers(self) -> None:
        """Start the servers that no configured URL replaces."""
        if "DATABASE_URL" not in self.values:
            postgres = Postgres(home=self.home)
            with self.report.step("PostgreSQL"):
                self._launch(postgres)
            self.values["DATABASE_URL"] = postgres.url
        if "REDIS_URL" not in self.values:
            valkey = Valkey(home=self.home)
            with self.report.step("Valkey"):
                self._launch(valkey)
            self.values["REDIS_URL"] = valkey.url

    def _launch(self, service: Service) -> None:
        self._services.append(service)  # First: a start that fails half way is stopped as well.
        service.start()
        self._restarts[service.name] = _Restarts()
        self._write_record()
        self._look_for_stop()

    def _watch(self) -> None:
        """Restart what ends, until a signal arrives."""
        while True:
            self._pause()
            self._reap_orphans()
            self._bound_logs()
            for service in self._services:
                if service.process is None or service.process.poll() is not None:
                    self._revive(service)

    def _revive(self, service: Service) -> None:
        """Restart a service that has ended, more patiently each time."""
        restarts = self._restarts[service.name]
        if restarts.due_at is None:
            code = service.process.returncode if service.process else None
            delay = restarts.plan()
            self.report.say(
                f"{service.name} ended ({_reason(code)}); starting it again in {delay:.0f} s. Its log ends with:"
            )
            self.report.say(log_tail(service.log))
            service.stop()
        elif time.monotonic() >= restarts.due_at:
            try:
                service.start()
            except StackError as error:
                self.report.say(f"{error}\nTrying again in {restarts.plan():.0f} s.")
            else:
                restarts.begin()
                self.report.say(f"{service.name} is running again.")
            self._write_record()

    def _stop(self) -> None:
        """Stop everything in order: clients before the servers they use."""
        with contextlib.suppress(OSError):  # A full disk must not keep anything from being stopped.
            self._enter(StackState.STOPPING)
        by_name = {service.name: service for service in self._services}
        for name in _STOP_ORDER:
            if name in by_name:
                by_name[name].stop()
            if name == "web":
                with contextlib.suppress(psutil.Error):
                    self._end_orphans()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while not _is_healthy(self.port, self.values):
            for service in self._services:
                if service.process is None or service.process.poll() is not None:
                    raise StackError(f"{service.name} did not start; {service.log} ends with:\n{log_tail(service.log)}")
            if time.monotonic() > deadline:
                log = self.home / "log" / "web.log"
                raise StackError(f"{self.url}healthz did not answer; {log} ends with:\n{log_tail(log)}")
            self._pause()

    def _clear_leftovers(self, left_behind: StackRecord | None) -> None:
        """End what a supervisor that was killed may have left running."""
        leftovers = find_leftovers(self.home, left_behind)
        server = Postgres(home=self.home)
        end_processes(process for process in leftovers if not server.is_served_by(process))
        if server.end_leftover() or leftovers:
            self.report.say("Ended what an earlier run had left running.")

    def _end_orphans(self) -> None:
        known = {service.process.pid for service in self._services if service.process is not None}
        mine = psutil.Process().children()
        strays = [each for child in mine if child.pid not in known for each in (child, *child.children(recursive=True))]
        end_processes(strays)

    def _reap_orphans(self) -> None:
        """Collect adopted descendants that have ended, so that they do not stay zombies."""
        known = {service.process.pid for service in self._services if service.process is not None}
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)

    def _rotate_logs(self) -> None:
        """Keep the last run's logs beside this run's."""
        folder = self.home / "log"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for log in folder.glob("*.log"):
            log.replace(log.with_suffix(".log.1"))

    def _bound_logs(self) -> None:
        """Move a log that has grown too large aside; its writers append, so they go on with the emptied one."""
        for log in (self.home / "log").glob("*.log"):
            if log.stat().st_size > _LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _enter(self, state: StackState) -> None:
        self._state = state
        self._write_record()

    def _write_record(self) -> None:
        children = [
            Child.of(service.name, service.process.pid)
            for service in self._services
            if service.process is not None and service.process.poll() is None
        ]
        self._run_folder.write_record(
            StackRecord(state=self._state, supervisor=this_process(), port=self.port, children=tuple(children))
        )

    @contextmanager
    def _noting_signals(self) -> Iterator[None]:
        def note(number: int, _frame: FrameType | None) -> None:
            self._stop_signal = signal.Signals(number)

        previous = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _pause(self) -> None:
        self._look_for_stop()
        time.sleep(_POLL_SECONDS)
        self._look_for_stop()

    def _look_for_stop(self) -> None:
        if self._stop_signal is not None:
            raise StopRequested


class _Restarts:
    """When a service that ended is started again."""

    def __init__(self) -> None:
        self.due_at: float | None = None
        self._count = 0
        self._started_at = time.monotonic()

    def plan(self) -> float:
        """Set the time of the next start; return the seconds until then."""
        if time.monotonic() - self._started_at > _STEADY_SECONDS:
            self._count = 0
        delay = _BACKOFF_SECONDS[min(self._count, len(_BACKOFF_SECONDS) - 1)]
        self._count += 1
        self.due_at = time.monotonic() + delay
        return delay

    def begin(self) -> None:
        """Note that it is being started."""
        self.due_at = None
        self._started_at = time.monotonic()


def _reason(code: int | None) -> str:
    if code is None:
        return "it never started"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _is_healthy(port: int, values: Mapping[str, str]) -> bool:
    """Ask `/healthz` as a browser would, under a host name that the site accepts."""
    host = values.get("DJANGO_ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
