"""Compare what DuckDB and Spark make of the same bronze, row by row: a table on standard output and in docs/parity.md.

Two lakes have the same bronze: one is written by the embedded jobs, one by the same jobs on
Spark. Then each engine goes on with the other's lake: a second full load, and gold again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.management import call_command
from psycopg import sql
from pyiceberg.types import DoubleType

from config.env import SOURCE_TABLES
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.sql import identifier
from etl.engine.tables import load_table, snapshot_relation, summary
from etl.jobs import bronze_to_silver, silver_to_gold
from etl.jobs.bronze_to_silver import BronzeToSilver
from etl.jobs.progress import Progress
from etl.jobs.silver_to_gold import SilverToGold
from etl.silver.summary import CONTRACT_VERSION, LOAD_ID, REJECTS, SOURCE_LSN, WATERMARK
from tests.bench import common
from tests.integration.etl.things import EDGES, THINGS
from tests.lakes import lake_in, load
from tests.spark import document
from tests.spark.broken import land_broken
from tests.spark.spark_process import SparkProcess, spark_process

AS_OF = "2026-01-01T00:00:00+00:00"
_MEMORY_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One table in both lakes."""

    table: str
    rows: int
    differing: int
    """Rows that one lake has and the other has not."""


def main() -> int:
    """Run everything; return 1 if anything differs."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--scale", default="small", help="what to seed (default: small)")
    options.add_argument("--write", action="store_true", help="write docs/parity.md")
    chosen = options.parse_args()
    started = time.perf_counter()
    with common.scratch_server() as server:
        urls = server.open_product()
        call_command("seed_data", scale=chosen.scale, seed="1", as_of="2026-01-01", stdout=sys.stderr)
        _make_things(server.owner_url)
        first, second = _lakes(server)
        log = server.home / "spark.log"
        load_id = load(first, urls["LAKEHOUSE_SOURCE_URL"], [*SOURCE_TABLES, "things"]).load_id
        try:
            with spark_process(second, log=log) as spark:
                version = spark.version
                compared = _same_bronze(first, second, spark, load_id)
                problems = _properties(first, second)
            common.print_table(
                ("table", "rows", "differing"),
                [(each.table, f"{each.rows:,}", str(each.differing)) for each in compared],
            )
            problems += _continued(first, second, urls["LAKEHOUSE_SOURCE_URL"], log)
        except Exception:
            sys.stderr.write(log.read_text()[-6000:])
            raise
    for problem in problems:
        print(problem)
    print(f"Spark {version}, {time.perf_counter() - started:.0f} s")
    if chosen.write:
        document.write_spark(
            version, chosen.scale, {each.table: (each.rows, each.differing) for each in compared}, problems
        )
    return int(bool(problems) or any(each.differing for each in compared))


def _make_things(url: str) -> None:
    """Make a source table of every kind of value, each at its edges."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(THINGS)
        connection.execute("GRANT SELECT ON things TO PUBLIC")
        number = 0
        for column, values in EDGES.items():
            for value in values:
                number += 1
                insert = "INSERT INTO things (tenant_id, id, {}) VALUES (%s, %s, %s)"
                connection.execute(sql.SQL(insert).format(sql.Identifier(column)), (number % 3, number, value))


def _lakes(server: common.Server) -> tuple[LakeConfig, LakeConfig]:
    """Make two lakes, both empty."""
    lakes = []
    for name in ("duckdb", "spark"):
        folder = server.home / name
        folder.mkdir()
        lakes.append(lake_in(folder, server.create_database(f"lake_{name}"), memory_limit_bytes=_MEMORY_BYTES))
    first, second = lakes
    return first, second


def _copy_bronze(first: LakeConfig, second: LakeConfig) -> None:
    """Give the second lake what landed in the first."""
    shutil.copytree(first.bronze_root, second.bronze_root, dirs_exist_ok=True)


def _same_bronze(first: LakeConfig, second: LakeConfig, spark: SparkProcess, load_id: str) -> list[Compared]:
    """Bring one load and a table of broken rows into both lakes, and compute gold."""
    load_ids = (load_id, land_broken(first))
    _copy_bronze(first, second)
    for each in load_ids:
        _timed(
            "silver on DuckDB",
            lambda each=each: bronze_to_silver.run(BronzeToSilver(lake=first, load_id=each), Progress()),
        )
        _timed("silver on Spark", lambda each=each: spark.run("bronze_to_silver", load_id=each))
    _timed("gold on DuckDB", lambda: _gold(first))
    _timed("gold on Spark", lambda: _expect_no_problem(spark.run("silver_to_gold", as_of=AS_OF)))
    return compare(first, second)


def _continued(first: LakeConfig, second: LakeConfig, source_url: str, log: Path) -> list[str]:
    """Have each engine go on with the other's lake; return what is not as it should be."""
    problems = []
    with spark_process(first, log=log) as spark:
        again = spark.run("silver_to_gold", as_of=AS_OF)["models"]
        problems += [f"Spark computes {each['table']} anew in DuckDB's lake" for each in _written(again)]
        done = silver_to_gold.run(SilverToGold(lake=second, as_of=AS_OF), Progress())
        problems += [
            f"DuckDB computes {each.table} anew in Spark's lake" for each in done.models if each.outcome == "written"
        ]
        load_id = load(first, source_url, ["tenants", "orders", "order_items"]).load_id
        _copy_bronze(first, second)
        spark.run("bronze_to_silver", load_id=load_id)
        _expect_no_problem(spark.run("silver_to_gold", as_of=AS_OF))
    bronze_to_silver.run(BronzeToSilver(lake=second, load_id=load_id), Progress())
    _gold(second)
    problems += [
        f"{each.table} differs in {each.differing} rows after each engine went on with the other's lake"
        for each in compare(first, second)
        if each.differing
    ]
    return problems + _properties(first, second)


def _written(models: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [each for each in models if each["outcome"] != "unchanged"]


def _gold(lake: LakeConfig) -> None:
    done = silver_to_gold.run(SilverToGold(lake=lake, as_of=AS_OF), Progress())
    assert done.problem is None, done.problem


def _expect_no_problem(result: Mapping[str, object]) -> None:
    assert result["problem"] is None, result["problem"]


def _timed(what: str, work: object) -> None:
    assert callable(work)
    print(f"{what}: {common.timed(work):.1f} s", file=sys.stderr, flush=True)


def compare(first: LakeConfig, second: LakeConfig) -> list[Compared]:
    """Compare every table of two lakes, every column, as a bag of rows.

    Sums of doubles depend on the order of their terms: numbers of that type are held equal
    to twelve digits. All other types are held equal as they are.
    """
    one = LakeConfig(
        lake_uri=str(Path(first.lake_uri).parents[1]), catalog_url=None, memory_limit_bytes=_MEMORY_BYTES, threads=2
    )
    compared = []
    with open_catalog(first) as left, open_catalog(second) as right, duckdb_session(one) as connection:
        names = [".".join(name) for (space,) in left.list_namespaces() for name in left.list_tables((space,))]
        others = [".".join(name) for (space,) in right.list_namespaces() for name in right.list_tables((space,))]
        assert sorted(names) == sorted(others), f"the lakes hold other tables: {set(names) ^ set(others)}"
        for name in sorted(names):
            mine, theirs = load_table(left, name), load_table(right, name)
            assert mine.schema().fields == theirs.schema().fields, f"{name} has other columns"
            columns = ", ".join(
                f"CASE WHEN ISFINITE({field}) THEN FORMAT('{{:.11e}}', {field}) ELSE CAST({field} AS VARCHAR) END"
                if kind == DoubleType()
                else field
                for field, kind in ((identifier(each.name), each.field_type) for each in mine.schema().fields)
            )
            (a, b) = (f"SELECT {columns} FROM ({snapshot_relation(table)})" for table in (mine, theirs))
            ((rows, differing),) = connection.execute(
                f"SELECT (SELECT COUNT(*) FROM ({a})), (SELECT COUNT(*) FROM (({a} EXCEPT ALL {b}) UNION ALL "
                f"({b} EXCEPT ALL {a})))"
            ).fetchall()
            compared.append(Compared(table=name, rows=rows, differing=differing))
    return compared


def _properties(first: LakeConfig, second: LakeConfig) -> list[str]:
    """Return in which tables the snapshots say something else of where they stand."""
    problems = []
    with open_catalog(first) as left, open_catalog(second) as right:
        for _, name in left.list_tables("silver"):
            for key in (LOAD_ID, WATERMARK, SOURCE_LSN, CONTRACT_VERSION, REJECTS):
                mine, theirs = (summary(load_table(each, f"silver.{name}")).get(key) for each in (left, right))
                if mine != theirs:
                    problems.append(f"silver.{name} says {key} {mine} by DuckDB, {theirs} by Spark")
    return problems


if __name__ == "__main__":
    sys.exit(main())
