"""Run every gold model, every check and every question of the dashboards on Trino, and compare with DuckDB.

Trino reads silver and gold where the embedded jobs wrote them. It writes each model's rows
into a namespace of its own, so that one reader reads both.
"""

from __future__ import annotations

import argparse
import ast
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import sqlglot
from django.core.management import call_command
from pyiceberg.catalog import Catalog
from sqlglot import exp

from config.env import SOURCE_TABLES
from etl.engine.catalog import open_catalog
from etl.engine.session import duckdb_session
from etl.engine.sql import identifier, qualified
from etl.engine.tables import load_table, snapshot_relation
from etl.gold.compile import CompiledModel, check_sql, compile_models, load_models
from etl.jobs import bronze_to_silver, silver_to_gold
from etl.jobs.bronze_to_silver import BronzeToSilver
from etl.jobs.progress import Progress
from etl.jobs.silver_to_gold import SilverToGold
from tests.bench import common
from tests.lakes import lake_in, load
from tests.spark import document
from tests.trino.server import Trino, TrinoError, trino_server

AS_OF = "2026-01-01T00:00:00+00:00"
THEIRS = "trino_gold"
"""Namespace that Trino writes to."""

_MEMORY_BYTES = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One query on both engines."""

    query: str
    rows: int
    differing: int
    problem: str = ""


def main() -> int:
    """Run everything; return 1 if anything differs."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--scale", default="small", help="what to seed (default: small)")
    options.add_argument("--java", default="java", help="Java 24 or newer (default: java)")
    options.add_argument("--write", action="store_true", help="write docs/parity.md")
    chosen = options.parse_args()
    started = time.perf_counter()
    with common.scratch_server() as server:
        urls = server.open_product()
        call_command("seed_data", scale=chosen.scale, seed="1", as_of="2026-01-01", stdout=sys.stderr)
        lake = lake_in(server.home, server.create_database("lake"), memory_limit_bytes=_MEMORY_BYTES)
        load_id = load(lake, urls["LAKEHOUSE_SOURCE_URL"], [*SOURCE_TABLES]).load_id
        bronze_to_silver.run(BronzeToSilver(lake=lake, load_id=load_id), Progress())
        done = silver_to_gold.run(SilverToGold(lake=lake, as_of=AS_OF), Progress())
        assert done.problem is None, done.problem
        with (
            trino_server(lake, server.home / "trino", java=chosen.java) as trino,
            open_catalog(lake) as catalog,
            duckdb_session(lake) as connection,
        ):
            version = trino.version
            trino.run(f"CREATE SCHEMA {THEIRS}")
            compared = [*_compare(trino, catalog, connection)]
    common.print_table(
        ("query", "rows", "differing"), [(each.query, f"{each.rows:,}", str(each.differing)) for each in compared]
    )
    problems = [f"{each.query}: {each.problem}" for each in compared if each.problem]
    for problem in problems:
        print(problem)
    print(f"Trino {version}, {time.perf_counter() - started:.0f} s")
    if chosen.write:
        document.write_trino(
            version, chosen.scale, {each.query: (each.rows, each.differing) for each in compared}, problems
        )
    return int(bool(problems) or any(each.differing for each in compared))


def _compare(trino: Trino, catalog: Catalog, connection: duckdb.DuckDBPyConnection) -> Iterator[Compared]:
    """Show every table in DuckDB, then ask both engines everything."""
    columns: dict[str, tuple[str, ...]] = {}
    for schema in ("silver", "gold"):
        connection.execute(f"CREATE SCHEMA {schema}")
        for _, name in catalog.list_tables(schema):
            table = load_table(catalog, f"{schema}.{name}")
            connection.execute(f"CREATE VIEW {qualified(f'{schema}.{name}')} AS {snapshot_relation(table)}")
            if schema == "silver":
                columns[name] = tuple(field.name for field in table.schema().fields)
    as_of = datetime.fromisoformat(AS_OF)
    for compiled in compile_models(load_models(), silver=columns):
        yield _model(trino, catalog, connection, compiled, as_of)
        yield _checks(trino, connection, compiled, as_of)
    for number, (name, question) in enumerate(_questions(), start=1):
        yield _both(
            trino,
            catalog,
            connection,
            name=f"dashboards: {name}",
            table=f"question_{number}",
            ours=question.sql("duckdb"),
            theirs=question.sql("trino"),
        )


def _model(
    trino: Trino, catalog: Catalog, connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, as_of: datetime
) -> Compared:
    model = compiled.model
    return _both(
        trino,
        catalog,
        connection,
        name=f"{model.table}{' (what its transform takes)' if model.transform else ''}",
        table=model.name,
        ours=compiled.sql("duckdb", as_of=as_of),
        theirs=compiled.sql("trino", as_of=as_of),
    )


def _checks(trino: Trino, connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, as_of: datetime) -> Compared:
    """Ask both engines for the rows that break each check, and count those checks that they judge differently."""
    name, differing = f"{compiled.model.table}: checks", 0
    for check in compiled.checks:
        ours, theirs = (
            f"SELECT COUNT(*) FROM ({check_sql(check, dialect, as_of=as_of)}) AS found" for dialect in _DIALECTS
        )
        ((mine,),) = connection.execute(ours).fetchall()
        try:
            ((other,),) = trino.run(theirs)
        except TrinoError as error:
            return Compared(query=name, rows=len(compiled.checks), differing=1, problem=f"{check.check.name}: {error}")
        differing += mine != other
    return Compared(query=name, rows=len(compiled.checks), differing=differing)


_DIALECTS = ("duckdb", "trino")


def _both(
    trino: Trino,
    catalog: Catalog,
    connection: duckdb.DuckDBPyConnection,
    *,
    name: str,
    table: str,
    ours: str,
    theirs: str,
) -> Compared:
    """Run one query on both engines and compare the rows."""
    try:
        trino.run(f"CREATE TABLE {THEIRS}.{table} AS {theirs}")
    except TrinoError as error:
        return Compared(query=name, rows=0, differing=1, problem=str(error).partition("\n")[0])
    found = snapshot_relation(load_table(catalog, f"{THEIRS}.{table}"))
    described = connection.execute(f"DESCRIBE {ours}").fetchall()
    columns = [(str(column), str(kind)) for column, kind, *_ in described]
    mine, other = (f"SELECT {_comparable(columns)} FROM ({query})" for query in (ours, found))
    ((rows, differing),) = connection.execute(
        f"SELECT (SELECT COUNT(*) FROM ({mine})), (SELECT COUNT(*) FROM (({mine} EXCEPT ALL {other}) UNION ALL "
        f"({other} EXCEPT ALL {mine})))"
    ).fetchall()
    return Compared(query=name, rows=rows, differing=differing)


def _comparable(columns: Sequence[tuple[str, str]]) -> str:
    """Return columns for a comparison: doubles to twelve digits, the rest as it is, in DuckDB's types."""
    return ", ".join(
        f"CASE WHEN ISFINITE({field}) THEN FORMAT('{{:.11e}}', {field} + 0.0) ELSE CAST({field} AS VARCHAR) END"
        if kind == "DOUBLE"
        else f"CAST({field} AS {kind})"
        for field, kind in ((identifier(name), kind) for name, kind in columns)
    )


def _questions() -> Iterator[tuple[str, exp.Expr]]:
    """Yield what `dashboards.metrics` asks, with a value in the place of each parameter."""
    for path in sorted((common.PROJECT / "dashboards/metrics").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="rows"), args=[ast.Constant(value=str(text)), *_]):
                    question = sqlglot.parse_one(text, dialect="duckdb")
                    for holder in [*question.find_all(exp.Placeholder)]:
                        is_count = isinstance(holder.parent, exp.Limit | exp.Offset)
                        days = ("2025-06-01", "2026-01-01")
                        day = days[0] if isinstance(holder.parent, exp.GTE | exp.GT) else days[1]
                        value = exp.Literal.number(10) if is_count else exp.cast(exp.Literal.string(day), "date")
                        holder.replace(value)
                    for index, selected in enumerate(question.selects):
                        if not selected.alias_or_name:  # A table's columns have names.
                            selected.replace(exp.alias_(selected.copy(), f"column_{index}"))
                    yield f"{path.stem}, line {node.lineno}", question


if __name__ == "__main__":
    sys.exit(main())
