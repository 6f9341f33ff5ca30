"""From a commit at the source to what a dashboard shows, while the source is busy.

A whole stack runs on this machine: PostgreSQL, the replicator, the follower, web and workers,
and `simulate_traffic` at a rate. Meanwhile markers are committed: an order of a known total.
One is visible once the newest publication's day of revenue holds it, asked as a dashboard asks:
the newest publication from the control plane, then its rows.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import duckdb
import psutil
import psycopg
from pyiceberg.table import StaticTable

from config import env
from config.embedded.ports import free_port
from etl.engine.durable import DurableFileIO  # noqa: F401 - named in tables' metadata
from tests.bench import common
from tests.stack import Stack, new_home, running

P95_SECONDS = {1_000: 3.0, 5_000: 8.0}
"""What p95 may be at most, by changes a second."""
_LOOK_SECONDS = 0.05
_BETWEEN_MARKERS_SECONDS = 1.5
_GIVE_UP_SECONDS = 60.0
_CYCLE = re.compile(r"cycle_done .*flushes=[1-9].*seconds=(\{.*\})")
_MARKER_DAY = "2001-01-01"
_NEWEST = "SELECT number, pins FROM lakehouse_publications ORDER BY number DESC LIMIT 1"
_MARK = """
    INSERT INTO orders (tenant_id, number, customer_id, status, order_date, subtotal, discount, tax, total,
                        shipping_address, metadata, created_at, updated_at)
    SELECT tenant_id, 'MARK-' || %(number)s, id, 'completed', %(day)s::timestamptz + interval '12 hours', 1, 0, 0, 1,
           '{}', '{}', now(), now()
      FROM customers WHERE tenant_id = %(tenant)s ORDER BY id LIMIT 1
"""


@dataclass
class Markers:
    """Commits markers, one after another, and notes when each was visible."""

    urls: Mapping[str, str]
    tenant: int
    seconds: list[float] = field(default_factory=list)
    lost: int = 0
    publications: set[int] = field(default_factory=set)

    def run(self, until: float) -> None:
        """Commit and look until a moment of `time.monotonic`."""
        rng = random.Random(1)
        with (
            psycopg.connect(self.urls["DATABASE_URL"], autocommit=True) as source,
            psycopg.connect(self.urls["APP_DATABASE_URL"], autocommit=True) as control,
            duckdb.connect() as engine,
        ):
            number = 0
            while time.monotonic() < until:
                time.sleep(rng.uniform(0, 2 * _BETWEEN_MARKERS_SECONDS))
                number += 1
                source.execute(_MARK, {"number": number, "day": _MARKER_DAY, "tenant": self.tenant})
                committed = time.monotonic()
                while self._shown(control, engine) < number:
                    if time.monotonic() - committed > _GIVE_UP_SECONDS:
                        self.lost += 1
                        break
                    time.sleep(_LOOK_SECONDS)
                else:
                    self.seconds.append(time.monotonic() - committed)

    def _shown(self, control: psycopg.Connection, engine: duckdb.DuckDBPyConnection) -> Decimal:
        """Return how many markers readers see: the markers' day has a revenue of one each."""
        newest = control.execute(_NEWEST).fetchone()
        assert newest is not None
        self.publications.add(newest[0])
        pin = next(each for each in newest[1] if each["table"] == "gold.daily_revenue")
        table = StaticTable.from_metadata(pin["metadata_location"])
        scan = table.scan(row_filter=f"tenant_id = {self.tenant}", snapshot_id=pin["snapshot_id"])
        files = [task.file.file_path for task in scan.plan_files()]
        if not files:
            return Decimal(0)
        found = engine.execute(
            "SELECT SUM(revenue) FROM read_parquet(?, hive_partitioning = false) WHERE tenant_id = ? AND day = ?",
            [files, self.tenant, _MARKER_DAY],
        ).fetchone()
        assert found is not None
        return found[0] or Decimal(0)


def measure(
    stack: Stack, *, rate: float, seconds: float
) -> tuple[Markers, Mapping[str, float], list[Mapping[str, float]]]:
    """Make traffic and markers; return the markers, CPU seconds by process, and the follower's cycles."""
    lines = stack.folder.environment_file.read_text().splitlines()
    urls = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    with psycopg.connect(urls["DATABASE_URL"]) as source:
        tenant = source.execute("SELECT min(tenant_id) FROM customers").fetchone()
    assert tenant is not None
    markers = Markers(urls=urls, tenant=tenant[0])
    before = _cpu_seconds(stack)
    command = [sys.executable, str(env.PROJECT / "manage.py"), "simulate_traffic", "--rate", str(rate)]
    traffic = subprocess.Popen(
        [*command, "--seconds", str(seconds), "--json"],
        env={**stack.environment(), **urls},
        cwd=env.PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    thread = threading.Thread(target=markers.run, args=[time.monotonic() + seconds])
    thread.start()
    printed, _ = traffic.communicate()
    thread.join()
    done = json.loads(printed)
    after = _cpu_seconds(stack)
    print(f"traffic: {json.dumps(done)}", file=sys.stderr)
    cpu = {name: round(after[name] - before.get(name, 0.0), 1) for name in after}
    return markers, cpu, _cycles(stack.home / "log" / "follower.log")


def _cpu_seconds(stack: Stack) -> dict[str, float]:
    """Return the CPU seconds of each service with its children, those that have ended included."""
    found = {}
    for child in stack.record.children:
        process = psutil.Process(child.pid)
        family = [process, *process.children(recursive=True)]
        total = 0.0
        for each in family:
            try:
                times = each.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        found[child.name] = total
    return found


def _cycles(log: Path) -> list[Mapping[str, float]]:
    """Return the seconds by step of the follower's cycles that had changes, from its log."""
    found = _CYCLE.findall(log.read_text(errors="replace"))
    return [ast.literal_eval(seconds) for seconds in found]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--rate", type=int, default=1_000, help="changes a second (default: 1,000)")
    options.add_argument("--seconds", type=float, default=300.0, help="how long (default: 300)")
    chosen = options.parse_args()
    with new_home() as home, running(home, "up", "--port", str(free_port())) as stack:
        stack.wait_until_ready()
        _command(stack, "seed_data", "--scale", chosen.scale, "--seed", str(chosen.seed))
        _command(stack, "lakehouse", "run", "--wait")
        _wait_for_follower(stack)
        markers, cpu, cycles = measure(stack, rate=chosen.rate, seconds=chosen.seconds)
        _tell(markers, cpu, cycles)
        _report(markers, chosen)


def _command(stack: Stack, *arguments: str) -> None:
    done = stack.command(*arguments)
    if done.returncode:
        raise SystemExit(f"`manage.py {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")


def _wait_for_follower(stack: Stack) -> None:
    lines = stack.folder.environment_file.read_text().splitlines()
    urls = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    with psycopg.connect(urls["APP_DATABASE_URL"], autocommit=True) as control:
        while True:
            row = control.execute("SELECT state, error_message FROM lakehouse_follower").fetchone()
            if row is not None and row[0] == "following":
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"The follower does not follow: {row}.")
            time.sleep(_LOOK_SECONDS)


def _tell(markers: Markers, cpu: Mapping[str, float], cycles: Sequence[Mapping[str, float]]) -> None:
    """Print what the report has no place for."""
    print(f"\n{len(markers.publications)} publications were seen, {len(cycles)} cycles logged.")
    if cycles:
        steps = sorted({step for cycle in cycles for step in cycle})
        rows = [
            (step, f"{statistics.median(values):.3f}", f"{percentile(values, 0.95):.3f}", f"{max(values):.3f}")
            for step in steps
            if (values := [cycle.get(step, 0.0) for cycle in cycles])
        ]
        common.print_table(("step of a cycle", "median s", "p95 s", "max s"), rows)
    common.print_table(("process", "CPU s"), [(name, f"{value:.1f}") for name, value in cpu.items()])


def _report(markers: Markers, chosen: argparse.Namespace) -> None:
    if not markers.seconds:
        raise SystemExit("No marker became visible.")
    p95 = percentile(markers.seconds, 0.95)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "slowest": 1.0}
    common.report(
        common.Result(
            name="freshness",
            title="Commit at the source to visible on a dashboard",
            cases=(common.Case(name="markers", label="markers", seconds=tuple(markers.seconds)),),
            ratios=(
                common.Ratio(
                    label="Seconds from commit to visible, p95",
                    value=p95,
                    bound="at most",
                    target=P95_SECONDS.get(chosen.rate),
                ),
                common.Ratio(label="Markers that were not seen", value=markers.lost, bound="at most", target=0),
            ),
            parameters={
                "changes_a_second": chosen.rate,
                "seconds": chosen.seconds,
                "scale": chosen.scale,
                **{f"{name}_seconds": round(percentile(markers.seconds, share), 2) for name, share in shares.items()},
            },
            notes=("PostgreSQL, replicator, follower, web, workers, traffic and the one who looks share the machine.",),
        ),
        chosen,
    )


if __name__ == "__main__":
    main()
