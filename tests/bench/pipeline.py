"""From the source to published gold, beside dlt and dbt-duckdb doing the same on this machine in the same run.

Lakeside runs as it always does: a whole stack, the run asked for from a shell, its stages driven
by Celery, jobs as child processes, every row compared with the source before anything is
published. The peers copy the same tables with dlt and build the same five models, whose SQL is
Lakeside's own, with dbt-duckdb on the same version of DuckDB. At the end every row of every
model must be equal on both sides; otherwise there is nothing to compare.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import psycopg
from pyiceberg.table import StaticTable

from config.embedded.ports import free_port
from config.env import SOURCE_TABLES
from etl.gold.compile import compile_models, load_models
from tests.bench import common
from tests.bench.peers import launch
from tests.stack import Stack, running

OURS = "lakeside"
LABELS = {
    OURS: "Lakeside, to a publication",
    "connectorx_duckdb": "dlt (connectorx to DuckDB) + dbt-duckdb",
    "connectorx_parquet": "dlt (connectorx to Parquet) + dbt-duckdb",
    "sqlalchemy_duckdb": "dlt (default backend, to DuckDB) + dbt-duckdb",
}
_TARGET = 0.5
_NOTES = tuple(
    """\
Both sides compute the same five models with the same SQL on one version of DuckDB; every gold row is equal.
Lakeside's time includes manifests, rejects, comparing all rows with the source, the models' checks and publishing.
The peers do none of that. Their times are dlt's process and then dbt's, each from its start to its end.
The stack that Lakeside's run is asked of runs already, as it would; the command that asks is timed from start to end.
""".splitlines()
)

_PUBLISHED_SQL = "SELECT as_of, pins FROM lakehouse_publications ORDER BY number DESC LIMIT 1"
_COLUMNS_SQL = """
    SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ANY (%s) GROUP BY table_name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The seeded database of a running stack."""

    stack: Stack
    url: str

    def published(self) -> tuple[datetime, Mapping[str, tuple[str, int]]]:
        """Return the newest publication: the time it stands at, and metadata file and snapshot by model."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(_PUBLISHED_SQL).fetchone()
        assert row is not None, "nothing is published"
        as_of, pins = row
        return as_of, {
            pin["table"].removeprefix("gold."): (pin["metadata_location"], pin["snapshot_id"]) for pin in pins
        }

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Return the source tables' column names, in order."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(_COLUMNS_SQL, [list(SOURCE_TABLES)]).fetchall()
        return {table: tuple(columns) for table, columns in rows}

    def rows(self) -> int:
        """Return how many rows all source tables hold together."""
        with psycopg.connect(self.url) as connection:
            return sum(
                connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # type: ignore[index]
                for table in SOURCE_TABLES
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Lakeside's own runs."""

    source: Source
    stages: dict[str, list[float]]
    """Seconds of every stage, round by round."""

    def run(self) -> float:
        """Ask for a run and wait until it has published; return the wall seconds of that command."""
        start = time.perf_counter()
        run = self.source.stack.command("lakehouse", "run", "--wait", "--json")
        seconds = time.perf_counter() - start
        if run.returncode:
            raise SystemExit(f"Lakeside's own run failed:\n{run.stderr}")
        for stage in json.loads(run.stdout)["stages"]:
            started, finished = (datetime.fromisoformat(stage[at]) for at in ("started_at", "finished_at"))
            self.stages.setdefault(stage["stage"], []).append((finished - started).total_seconds())
        return seconds

    def note(self) -> str:
        """Return a sentence about where the time goes."""
        shares = ", ".join(f"{stage} {statistics.median(seconds):.2f} s" for stage, seconds in self.stages.items())
        return f"Lakeside's stages, as the control plane saw them (medians): {shares}."


def run_peer(source: Source, folder: Path, backend: launch.Backend, destination: launch.Destination) -> float:
    """Copy with dlt, build with dbt, in an emptied folder; return the wall seconds of both processes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    as_of, _ = source.published()
    models = {
        compiled.model.name: compiled.sql("duckdb", as_of=as_of)
        for compiled in compile_models(load_models(), silver=source.columns())
    }
    copied = launch.dlt_load(source.url, SOURCE_TABLES, backend=backend, destination=destination, folder=folder)
    return copied + launch.dbt_run(models, SOURCE_TABLES, destination=destination, folder=folder)


def compare(source: Source, folder: Path) -> int:
    """Compare every row of every model with a peer's; return how many there are.

    Raises:
        SystemExit: A row differs.
    """
    _, pins = source.published()
    rows = 0
    with duckdb.connect(str(folder / "peer.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for model in load_models():
            metadata, snapshot_id = pins[model.name]
            ours = StaticTable.from_metadata(metadata).scan(snapshot_id=snapshot_id).to_arrow()
            connection.register("ours", ours)
            names = ", ".join(model.column_names)
            for left, right in (("ours", f"gold.{model.name}"), (f"gold.{model.name}", "ours")):
                question = f"SELECT count(*) FROM (SELECT {names} FROM {left} EXCEPT ALL SELECT {names} FROM {right})"
                differing = connection.execute(question).fetchone()
                if differing != (0,):
                    raise SystemExit(
                        f"{model.name}: {differing} rows of {left} are not in {right}: nothing to compare."
                    )
            rows += ours.num_rows
    return rows


def main() -> None:
    """Measure, compare and report."""
    options = common.parser(__doc__).parse_args()
    launch.require()
    home = Path(tempfile.mkdtemp(prefix="lakeside-bench-"))
    home.chmod(0o711)  # PostgreSQL runs as another user when root measures.
    try:
        with running(home, "up", "--port", str(free_port())) as stack:
            stack.wait_until_ready()
            common.report(_measure(stack, home, options.scale, options.seed, options.rounds), options)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(stack: Stack, home: Path, scale: str, seed: int, rounds: int) -> common.Result:
    seeded = stack.command("seed_data", "--scale", scale, "--seed", str(seed), "--as-of", "2026-01-01")
    if seeded.returncode:
        raise SystemExit(f"Seeding failed:\n{seeded.stderr}")
    lines = (home / "run" / "embedded.env").read_text().splitlines()
    source = Source(stack=stack, url=dict(line.split("=", 1) for line in lines if "=" in line)["DATABASE_URL"])
    folders = {name: home / "peers" / name for name in LABELS if name != OURS}
    ours = Ours(source=source, stages={})
    cases: dict[str, Callable[[], float]] = {OURS: ours.run}
    cases["connectorx_duckdb"] = partial(run_peer, source, folders["connectorx_duckdb"], "connectorx", "duckdb")
    cases["connectorx_parquet"] = partial(run_peer, source, folders["connectorx_parquet"], "connectorx", "parquet")
    cases["sqlalchemy_duckdb"] = partial(run_peer, source, folders["sqlalchemy_duckdb"], "sqlalchemy", "duckdb")
    seconds = common.interleave(cases, rounds=rounds)
    compared = {compare(source, folder) for folder in folders.values()}
    rows = source.rows()
    measured = tuple(
        common.Case(name=name, label=label, seconds=seconds[name], rows=rows) for name, label in LABELS.items()
    )
    fastest = min(measured[1:], key=lambda case: case.median_seconds)
    ratio = common.Ratio(
        label=f"Lakeside's time by that of the fastest peer, {fastest.label}",
        value=measured[0].median_seconds / fastest.median_seconds,
        bound="at most",
        target=_TARGET,
    )
    return common.Result(
        name="pipeline",
        title="From the source to gold",
        cases=measured,
        ratios=(ratio,),
        parameters={"scale": scale, "source_rows": rows, "gold_rows": compared.pop(), "rounds": rounds},
        notes=(*_NOTES, ours.note()),
    )


if __name__ == "__main__":
    main()
