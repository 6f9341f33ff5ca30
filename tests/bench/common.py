"""What every benchmark shares: a scratch PostgreSQL, interleaved rounds, medians, one JSON document.

A script looks like this::

    options = common.parser(__doc__).parse_args()
    with common.scratch_server() as server:
        server.open_product()
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
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import django
import psutil
import psycopg
from django.core.management import call_command
from psycopg import sql

from config import env
from config.embedded.binaries import find_postgres
from config.embedded.postgres import Postgres
from config.provisioning import provision

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = env.load().lakehouse.home / "bench"


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
    target: float | None
    """None where the two do not do the same work, so that no bound was set."""

    @property
    def verdict(self) -> str:
        """Whether the value keeps the bound."""
        if self.target is None:
            return "no target: not the same work"
        is_met = self.value <= self.target if self.bound == "at most" else self.value >= self.target
        return f"target: {self.bound} {self.target:g}; {'met' if is_met else 'missed'}"


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
        "ratios": [{**asdict(ratio), "verdict": ratio.verdict} for ratio in result.ratios],
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
        print(f"{ratio.label}: {ratio.value:.2f} ({ratio.verdict})")
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
    """A PostgreSQL of this benchmark's own: the embedded one, as the product starts it."""

    home: Path
    """Scratch folder, gone afterwards; a LAKEHOUSE_HOME for whatever the benchmark starts."""
    bin: Path
    """PostgreSQL's programs, psql among them."""
    owner_url: str
    """The superuser's connection URL; it names the product's own, empty database."""

    def url(self, database: str) -> str:
        """Return the owner's connection URL of another database."""
        return urlsplit(self.owner_url)._replace(path=f"/{database}").geturl()

    def create_database(self, name: str) -> str:
        """Create an empty database, replacing an older one of that name; return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def open_product(self) -> dict[str, str]:
        """Make the server's database the product's: roles, settings, Django, migrations.

        Call it once, before anything of Django is imported.

        Returns:
            The roles' URLs by variable, DATABASE_URL among them.
        """
        urls = provision(self.owner_url, home=self.home)
        env.export({"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(self.home), **urls})
        env.choose_settings()
        django.setup()
        call_command("migrate", database="owner", verbosity=0)
        return urls


@contextmanager
def scratch_server() -> Iterator[Server]:
    """Start a PostgreSQL in a temporary folder; stop it and remove the folder at the end."""
    home = Path(tempfile.mkdtemp(prefix="lakeside-bench-"))
    home.chmod(0o711)  # PostgreSQL runs as another user when root measures.
    postgres = Postgres(home=home)
    try:
        postgres.start()
        yield Server(home=home, bin=find_postgres(), owner_url=postgres.url)
    finally:
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)
