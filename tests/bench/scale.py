"""From the source to gold at several scales: seconds and peak memory of every stage's process.

Each scale gets a lake of its own. The stages run one after another, each in a process that
starts cold, with the memory that `LAKEHOUSE_JOB_MEMORY_BYTES` gives DuckDB: beyond it DuckDB spills to the disk.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.management import call_command

from config.env import SOURCE_TABLES
from tests.bench import common

STAGES = ("full_load", "bronze_to_silver", "reconcile", "silver_to_gold")
_MEMORY_BYTES = 1024**3
_BESIDE_DUCKDB_BYTES = 1024**3
"""What a process may hold beside DuckDB's share: the interpreter, Arrow, buffers of files being written."""
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One stage at one scale."""

    seconds: float
    peak_bytes: int
    """Highest resident memory of the stage's process, as the kernel saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A source of so many rows, brought to gold."""

    factor: str
    rows: int
    stages: Mapping[str, Measured]

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(each.seconds for each in self.stages.values())

    @property
    def peak_bytes(self) -> int:
        """Of the stage that held most."""
        return max(each.peak_bytes for each in self.stages.values())

    def sentence(self) -> str:
        """Return every stage's figures."""
        stages = ", ".join(
            f"{name} {each.seconds:.1f} s and {each.peak_bytes / 2**20:,.0f} MiB" for name, each in self.stages.items()
        )
        return f"Factor {self.factor}, {self.rows:,} rows: {stages}."


def run_job(folder: Path, name: str, arguments: Mapping[str, object], secrets: Mapping[str, str]) -> Measured:
    """Run a job in a process of its own; return what it took.

    Raises:
        SystemExit: It failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result, progress = folder / f"{name}.json", folder / f"{name}-progress.json"
    document = {
        "arguments": arguments,
        "secrets": dict(secrets),
        "result_path": str(result),
        "progress_path": str(progress),
    }
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "etl.jobs", name], cwd=common.PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(document).encode())
        process.stdin.close()
        peak = 0
        while process.poll() is None:
            peak = max(peak, _peak_bytes(process.pid))
            time.sleep(_POLL_SECONDS)
        log = process.stderr.read().decode(errors="replace")
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"The job {name} failed:\n{log}")
    return Measured(seconds=seconds, peak_bytes=peak)


def _peak_bytes(pid: int) -> int:
    """Return the highest resident memory that the kernel has seen of a process; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def at_scale(server: common.Server, urls: Mapping[str, str], factor: str, chosen: argparse.Namespace) -> Scale:
    """Seed one scale and bring it to gold.

    Raises:
        SystemExit: A stage failed, or silver differs from the source.
    """
    options = {"scale": factor, "seed": str(chosen.seed), "as_of": "2026-01-01", "reset": True, "json": True}
    call_command("seed_data", **options, stdout=io.StringIO())
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        rows = sum(
            connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # type: ignore[index]
            for table in SOURCE_TABLES
        )
    folder = server.home / f"scale-{factor}"
    catalog_url = server.create_database(f"catalog_{factor.replace('.', '_')}")
    shared = {"lake_uri": str(folder / "lake"), "memory_limit_bytes": chosen.memory_bytes, "threads": 2}
    secrets = {"source_url": urls["LAKEHOUSE_SOURCE_URL"], "catalog_url": catalog_url}
    measured: dict[str, Measured] = {}
    tables = list(SOURCE_TABLES)
    load = {**shared, "tables": tables, "request_id": uuid.uuid4().hex}
    measured["full_load"] = run_job(folder, "full_load", load, secrets)
    load_id = json.loads((folder / "full_load.json").read_text())["result"]["load_id"]
    for name in STAGES[1:3]:
        measured[name] = run_job(folder, name, {**shared, "load_id": load_id}, secrets)
    compared = json.loads((folder / "reconcile.json").read_text())["result"]["tables"]
    if different := [each["table"] for each in compared if not each["equal"]]:
        raise SystemExit(f"Silver differs from the source at scale {factor}: {', '.join(different)}.")
    measured["silver_to_gold"] = run_job(folder, "silver_to_gold", shared, secrets)
    return Scale(factor=factor, rows=rows, stages=measured)


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--factors", default="1,3,10", help="of the medium scale (default: 1,3,10; 30 is 16 million)")
    options.add_argument("--memory-bytes", type=int, default=_MEMORY_BYTES, help="DuckDB's share (default: 1 GiB)")
    chosen = options.parse_args()
    found: list[Scale] = []
    with common.scratch_server() as server:
        urls = server.open_product()
        for factor in chosen.factors.split(","):
            found.append(at_scale(server, urls, factor.strip(), chosen))
            shutil.rmtree(server.home / f"scale-{factor.strip()}", ignore_errors=True)
            print(found[-1].sentence(), file=sys.stderr, flush=True)
    _report(found, chosen)


def _report(found: list[Scale], chosen: argparse.Namespace) -> None:
    first, last = found[0], found[-1]
    growth = last.rows / first.rows
    common.report(
        common.Result(
            name="scale",
            title="From the source to gold, by scale",
            cases=tuple(
                common.Case(
                    name=f"factor_{each.factor}", label=f"factor {each.factor}", seconds=(each.seconds,), rows=each.rows
                )
                for each in found
            ),
            ratios=(
                common.Ratio(
                    label=f"Seconds a row at factor {last.factor} by those at factor {first.factor}",
                    value=last.seconds / first.seconds / growth,
                    bound="at most",
                    target=1.2,
                ),
                common.Ratio(
                    label="Peak memory of a stage by what the setting allows it",
                    value=max(each.peak_bytes for each in found) / (chosen.memory_bytes + _BESIDE_DUCKDB_BYTES),
                    bound="at most",
                    target=1.0,
                ),
            ),
            parameters={"factors": chosen.factors, "duckdb_memory_bytes": chosen.memory_bytes, "seed": chosen.seed},
            notes=(
                *(each.sentence() for each in found),
                "Each stage is a process of its own, timed from its cold start to its end; one round.",
                "Every row is compared with the source. What a stage may hold beside DuckDB's share is taken as 1 GiB.",
            ),
        ),
        chosen,
    )


if __name__ == "__main__":
    main()
