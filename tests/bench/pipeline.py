"""From the source to published gold, beside dlt and dbt-duckdb doing the same on this machine in the same run.

Lakeside runs as it always does: a whole stack, the run asked for from a shell, its stages driven
by Celery, jobs as child processes, every row compared with the source before anything is
published. The peers copy the same tables with dlt and build the same models, whose SQL is
Lakeside's own, with dbt-duckdb on the same version of DuckDB. At the end every row of every
model must be equal on both sides; otherwise there is nothing to compare.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import psycopg
from pyiceberg.table import StaticTable

from config.embedded.ports import free_port
from config.env import SOURCE_TABLES
from etl.contracts.source import open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.contracts.types import LogicalType
from etl.engine.sql import identifier
from etl.engine.types import duckdb_type, logical_type
from etl.gold.compile import CompiledModel, check_sql, compile_models, load_models
from etl.quality.fingerprint import silver_fingerprint_sql, source_fingerprint_sql
from etl.quality.suites import load_suites
from etl.silver.evolve import silver_schema
from tests.bench import common
from tests.bench.peers import launch
from tests.stack import Stack, running

OURS, COMMAND, COMPARED = "lakeside", "lakeside_command", "connectorx_iceberg_compared"
LABELS = {
    OURS: "Lakeside, from asking to publication",
    COMMAND: "Lakeside, the whole command that asks",
    COMPARED: "dlt (connectorx to Iceberg) + dbt-duckdb with the same checks + comparing every row with the source",
    "connectorx_iceberg": "dlt (connectorx to Iceberg) + dbt-duckdb",
    "connectorx_duckdb": "dlt (connectorx to DuckDB) + dbt-duckdb",
    "connectorx_parquet": "dlt (connectorx to Parquet) + dbt-duckdb",
    "sqlalchemy_duckdb": "dlt (default backend, to DuckDB) + dbt-duckdb",
}
_TARGET = 0.5
_SAME_WORK = {COMPARED}
_NOTES = tuple(
    """\
Both sides compute the same models with the same SQL on one version of DuckDB; every gold row is equal.
Lakeside's time includes manifests, rejects, comparing all rows with the source, the models' checks and publishing.
The peers' times are dlt's process and then dbt's, each from its start to its end.
One peer does what Lakeside does: Iceberg tables, the same checks of silver and gold as dbt's tests, and then the same
comparison of every row with the source, by the same queries, side by side. So the target is set against it.
The others do less: they check nothing and compare nothing.
Lakeside's stack runs already, as it would: its time is from the request to the publication, as its run records it.
The command that asks and waits (`manage.py lakehouse run --wait`) takes longer by its own start; it is shown as well.
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

    def contracts(self) -> Sequence[TableContract]:
        """Return the source tables' contracts."""
        with open_source(self.url) as connection:
            return read_contracts(connection, [TableId.parse(table) for table in SOURCE_TABLES])

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
    commands: list[float]
    """Wall seconds of the commands that asked and waited, round by round."""

    def run(self) -> float:
        """Ask for a run and wait until it has published; return the seconds between the two."""
        start = time.perf_counter()
        run = self.source.stack.command("lakehouse", "run", "--wait", "--json")
        self.commands.append(time.perf_counter() - start)
        if run.returncode:
            raise SystemExit(f"Lakeside's own run failed:\n{run.stderr}")
        result = json.loads(run.stdout)
        for stage in result["stages"]:
            self.stages.setdefault(stage["stage"], []).append(_between(stage, "started_at", "finished_at"))
        return _between(result, "requested_at", "finished_at")

    def note(self) -> str:
        """Return a sentence about where the time goes."""
        shares = ", ".join(f"{stage} {statistics.median(seconds):.2f} s" for stage, seconds in self.stages.items())
        return f"Lakeside's stages, as the control plane saw them (medians): {shares}."


def _between(recorded: Mapping[str, str], start: str, end: str) -> float:
    return (datetime.fromisoformat(recorded[end]) - datetime.fromisoformat(recorded[start])).total_seconds()


def run_peer(
    source: Source, folder: Path, backend: launch.Backend, destination: launch.Destination, *, checked: bool = False
) -> float:
    """Copy with dlt, build with dbt, in an emptied folder; return the wall seconds of both processes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    as_of, _ = source.published()
    compiled = [each for each in compile_models(load_models(), silver=source.columns()) if each.model.transform is None]
    models = {each.model.name: each.sql("duckdb", as_of=as_of) for each in compiled}
    checks = _checks(source, compiled, as_of) if checked else {}
    copied = launch.dlt_load(source.url, SOURCE_TABLES, backend=backend, destination=destination, folder=folder)
    return copied + launch.dbt_build(models, SOURCE_TABLES, destination=destination, folder=folder, checks=checks)


def _checks(source: Source, models: Sequence[CompiledModel], as_of: datetime) -> dict[str, str]:
    """Return every check but those of row volume, which judge by history, by a name for a file."""
    silver = {
        contract.table.name: {
            field.name: logical_type(field.field_type)
            for field in silver_schema(contract).fields[: len(contract.columns)]
        }
        for contract in source.contracts()
    }
    checks = {(each.model.table, check.check.name): check for each in models for check in each.checks}
    for suite in load_suites(silver):
        checks |= {(suite.table, check.check.name): check for check in suite.checks}
    return {
        f"{table.replace('.', '_')}_{number}": check_sql(check, "duckdb", as_of=as_of)
        for number, ((table, _), check) in enumerate(checks.items())
        if check.check.volume is None
    }


def run_and_compare(source: Source, folder: Path) -> float:
    """Let the peer copy, build, and compare every row with the source; return the wall seconds of all processes."""
    seconds = run_peer(source, folder, "connectorx", "iceberg", checked=True)
    contracts = source.contracts()
    queries = []
    for contract in contracts:
        copied = launch.relation(contract.table.name, destination="iceberg", folder=folder)
        typed = ", ".join(
            f"CAST({identifier(column.name)} AS {duckdb_type(field.field_type)}) AS {identifier(column.name)}"
            for column, field in zip(contract.columns, silver_schema(contract).fields, strict=False)
        )
        peer_sql = silver_fingerprint_sql(contract, f"SELECT {typed} FROM ({copied})")
        queries.append(
            {"table": contract.table.name, "source_sql": source_fingerprint_sql(contract), "peer_sql": peer_sql}
        )
    compared, different = launch.compare_rows(source.url, queries, folder=folder)
    # connectorx prints JSON in its own way, so tables with JSON differ in text; the work is the same.
    unexpected = {contract.table.name for contract in contracts if not _has_json(contract)} & set(different)
    if unexpected:
        raise SystemExit(
            f"The peer's copy of {', '.join(sorted(unexpected))} differs from the source: nothing to compare."
        )
    return seconds + compared


def _has_json(contract: TableContract) -> bool:
    return any(column.type == LogicalType.JSON for column in contract.columns)


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
            if model.transform is not None:
                continue  # Python, and computed once a day: no part of what is compared.
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
    folders = {name: home / "peers" / name for name in LABELS if name not in {OURS, COMMAND}}
    ours = Ours(source=source, stages={}, commands=[])
    cases: dict[str, Callable[[], float]] = {OURS: ours.run}
    cases[COMPARED] = partial(run_and_compare, source, folders[COMPARED])
    cases["connectorx_iceberg"] = partial(run_peer, source, folders["connectorx_iceberg"], "connectorx", "iceberg")
    cases["connectorx_duckdb"] = partial(run_peer, source, folders["connectorx_duckdb"], "connectorx", "duckdb")
    cases["connectorx_parquet"] = partial(run_peer, source, folders["connectorx_parquet"], "connectorx", "parquet")
    cases["sqlalchemy_duckdb"] = partial(run_peer, source, folders["sqlalchemy_duckdb"], "sqlalchemy", "duckdb")
    seconds = common.interleave(cases, rounds=rounds)
    seconds[COMMAND] = tuple(ours.commands[-rounds:])
    compared = {compare(source, folder) for folder in folders.values()}
    rows = source.rows()
    measured = tuple(
        common.Case(name=name, label=label, seconds=seconds[name], rows=rows) for name, label in LABELS.items()
    )
    ratios = tuple(
        common.Ratio(
            label=f"Lakeside's time by that of {peer.label}",
            value=measured[0].median_seconds / peer.median_seconds,
            bound="at most",
            target=_TARGET if peer.name in _SAME_WORK else None,
        )
        for peer in measured
        if peer.name in folders
    )
    return common.Result(
        name="pipeline",
        title="From the source to gold",
        cases=measured,
        ratios=ratios,
        parameters={"scale": scale, "source_rows": rows, "gold_rows": compared.pop(), "rounds": rounds},
        notes=(*_NOTES, ours.note()),
    )


if __name__ == "__main__":
    main()
