"""The embedded PostgreSQL: created once, reachable on loopback with a password, logical replication on."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import psycopg
from psycopg import sql

from config import env
from config.embedded.accounts import Account, account_for
from config.embedded.binaries import find_postgres, open_folder, postgres_major, reachable_by
from config.embedded.errors import StackError, log_tail
from config.embedded.ports import LOOPBACK, free_port
from config.embedded.processes import end, spawn
from config.private_files import read_or_create

OWNER = "lakehouse"
DATABASE = "lakeside"

_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_FIRST_WITH_BUILTIN_LOCALE = 17
# SIGINT disconnects clients and stops; a replication client that does not read can delay it, hence the ladder.
_STOP = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "wal_sender_timeout": "10s",  # A stalled reader blocks stopping.
    "max_slot_wal_keep_size": "4GB",  # An abandoned slot must not fill the disk; a transaction of 1 GB must pass.
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "2GB",
}
_THROWAWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(slots=True, kw_only=True)
class Postgres:
    """One server over `<home>/postgres`, run by an ordinary account when we are root."""

    home: Path
    durable: bool = True
    """`False` gives up surviving a crash of the machine, for tests."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    name: ClassVar[str] = "PostgreSQL"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home / "log" / "postgres.log"

    @property
    def url(self) -> str:
        """The owner's URL, with the password."""
        return f"postgresql://{OWNER}:{self._password()}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Create the cluster if there is none, start the server and wait until it answers.

        Raises:
            StackError: It cannot be created or started; the message says why.
        """
        folder, account = self._place()
        programs = find_postgres()
        if account is not None:
            programs = reachable_by(account, programs)
        data = folder / "data"
        if not data.exists():
            self._create(data, programs, account)
        self._check_usable(data, programs)
        self.port = self.port or free_port()
        self._launch(data, programs, account)
        self._wait_until_ready(data)
        self._create_database()

    def stop(self) -> None:
        """Stop the server: at once if it can, by force after 30 seconds. Idempotent."""
        if self.process is not None:
            end(self.process, _STOP)
            self.process = None

    def end_leftover(self) -> int | None:
        """End a server that an earlier supervisor left on our data; return its process id, if there was one.

        A `postmaster.pid` whose process is gone, or is somebody else's by now, is removed.
        """
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
        except (FileNotFoundError, PermissionError, IndexError, ValueError):
            return None
        if not psutil.pid_exists(pid) or not self.is_served_by(server := psutil.Process(pid)):
            pid_file.unlink(missing_ok=True)
            return None
        for number, wait_seconds in _STOP:
            try:
                server.send_signal(number)
                server.wait(timeout=wait_seconds)
            except psutil.TimeoutExpired:
                continue
            except psutil.NoSuchProcess:
                pass
            break
        return pid

    def is_served_by(self, process: psutil.Process) -> bool:
        """Tell whether a process is a server over our data."""
        try:
            command = process.cmdline()
        except psutil.Error:
            return False
        return Path(command[0] if command else "").name == "postgres" and str(self._data) in command

    @property
    def _data(self) -> Path:
        return (self.home / "postgres").resolve() / "data"

    def _place(self) -> tuple[Path, Account | None]:
        """Return the server's folder and account, creating the folder where the account can enter it.

        Raises:
            StackError: The account can no longer enter it.
        """
        folder = self.home / "postgres"
        account = account_for(folder)
        self.home.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            if account is None or account.can_enter(self.home):
                folder.mkdir(mode=0o700)
            else:  # Our home is closed to the account: keep the data elsewhere and leave a link to it.
                folder.symlink_to(tempfile.mkdtemp(dir=open_folder(), prefix="postgres-"))
            if account is not None:
                account.own(folder)
        folder = folder.resolve()
        if account is not None and not account.can_enter(folder.parent):
            raise StackError(
                f"PostgreSQL runs as {account.name}, who may not pass the folders down to {folder}: "
                "open them again (chmod a+x), or set LAKEHOUSE_HOME to a new folder."
            )
        return folder, account

    def _create(self, data: Path, programs: Path, account: Account | None) -> None:
        """Run initdb beside the final place and move the result there, so that it is whole or absent."""
        partial = data.with_name("data.partial")
        shutil.rmtree(partial, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix=".password-", encoding="utf-8") as password:
            password.write(self._password())
            password.flush()
            if account is not None:
                account.own(Path(password.name))
            command: list[str | Path] = [
                programs / "initdb",
                "-D",
                partial,
                "-U",
                OWNER,
                "--auth=scram-sha-256",
                "-E",
                "UTF8",
            ]
            command += [f"--pwfile={password.name}", *_locale(postgres_major(programs))]
            command += [] if self.durable else ["--no-sync"]
            code = spawn(command, log=self.log, environment=self._environment(), account=account).wait()
        if code != 0:
            raise StackError(f"PostgreSQL's data could not be created in {data.parent}:\n{log_tail(self.log)}")
        partial.rename(data)

    def _check_usable(self, data: Path, programs: Path) -> None:
        """Refuse data that this server or this account could not open, with a sentence."""
        try:
            written_by = int((data / "PG_VERSION").read_text(encoding="utf-8"))
        except PermissionError as error:
            owner = Account.owning(data)
            name = owner.name if owner else "another user"
            raise StackError(
                f"{data} belongs to {name}: run as the user who created it, or set LAKEHOUSE_HOME to a new folder."
            ) from error
        running = postgres_major(programs)
        if written_by != running:
            raise StackError(
                f"{data} was written by PostgreSQL {written_by}, but {programs} holds {running}: "
                "install the former, or set LAKEHOUSE_HOME to a new folder."
            )
        if not (self.home / "private" / "postgres_password").exists():
            raise StackError(
                f"{self.home}/private/postgres_password is missing: restore it, or remove {data} to start anew."
            )

    def _launch(self, data: Path, programs: Path, account: Account | None) -> None:
        settings = {**SETTINGS, "port": str(self.port), **({} if self.durable else _THROWAWAY_SETTINGS)}
        if list(programs.parent.glob("lib/**/pg_stat_statements.*")):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = spawn(
            [programs / "postgres", "-D", data, *options],
            log=self.log,
            environment=self._environment(),
            account=account,
            death_signal=signal.SIGQUIT,
        )

    def _wait_until_ready(self, data: Path) -> None:
        """Poll until our own server answers, not another one that took the port."""
        deadline = time.monotonic() + _START_SECONDS
        server_url = self.url.removesuffix(DATABASE) + "postgres"
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            try:
                with psycopg.connect(server_url, connect_timeout=2) as connection:
                    answer = connection.execute("SHOW data_directory").fetchone()
            except psycopg.OperationalError:
                time.sleep(_POLL_SECONDS)
                continue
            if answer == (str(data),):
                return
            break
        self.stop()
        raise StackError(f"PostgreSQL did not start; {self.log} ends with:\n{log_tail(self.log)}")

    def _create_database(self) -> None:
        server_url = self.url.removesuffix(DATABASE) + "postgres"
        with psycopg.connect(server_url, autocommit=True) as connection:
            exists = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if exists is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _password(self) -> str:
        return read_or_create(self.home / "private" / "postgres_password", lambda: secrets.token_urlsafe(24))

    def _environment(self) -> dict[str, str]:
        return {"PATH": env.child_environment({}).get("PATH", ""), "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}


def _locale(major: int) -> list[str]:
    if major < _FIRST_WITH_BUILTIN_LOCALE:
        return ["--locale=C.UTF-8"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
