"""The checks of silver: one YAML file a table, ``suites/<table>.yaml``.

    key: [tenant_id, id]    # never NULL and together unique: two checks that every suite brings along
    optional: true          # an installation may leave the table, or one it refers to, out of its replication
    checks: [...]           # see `etl.quality.checks`

Everything that can be wrong with a suite without its data is found before anything is run.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from pyiceberg.catalog import Catalog

from etl.engine.catalog import catalog_errors
from etl.engine.sql import qualified
from etl.engine.tables import load_table, snapshot_relation
from etl.engine.types import logical_type
from etl.gold.compile import CompiledCheck, Known, compile_check
from etl.gold.model import SILVER_SCHEMA, ModelError
from etl.quality.checks import Types, key_checks, read_checks
from etl.quality.execute import CheckResult, Verdict, run_checks
from etl.quality.yaml_lines import Lines, read_yaml

SUITES_FOLDER = Path(__file__).with_name("suites")

SilverTypes = Mapping[str, Types]
"""Logical type of every column of every silver table, by bare table name."""

_SIDE_BY_SIDE = 2
_KEYS = ("key", "optional", "checks")


class SuiteError(ModelError):
    """A suite of checks cannot be used as it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One table's checks, compiled."""

    table: str
    """Qualified name."""
    file: str
    key: tuple[str, ...]
    checks: tuple[CompiledCheck, ...]
    left_out: tuple[CheckResult, ...] = ()
    """Checks that need a table which is not replicated: said rather than forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A suite's YAML and the lines of its parts."""

    name: str
    data: Mapping[str, object]
    lines: Lines

    def error(self, problem: str, *path: Hashable) -> SuiteError:
        """Return ``problem``, placed at the deepest part of ``path`` that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return SuiteError(problem, file=self.name, line=self.lines[path[:length]])
        return SuiteError(problem, file=self.name, line=1)


def load_suites(silver: SilverTypes, folder: Path = SUITES_FOLDER) -> tuple[Suite, ...]:
    """Read and compile every suite of a folder, in name order; optional ones of tables left out are passed over.

    Args:
        silver: What silver holds.
        folder: Where the suites are.

    Raises:
        ModelError: One of them is wrong; the message says where and what to write instead.
    """
    read = (_read_suite(path, silver) for path in sorted(folder.glob("*.yaml")))
    return tuple(suite for suite in read if suite is not None)


def open_silver(catalog: Catalog, connection: duckdb.DuckDBPyConnection) -> SilverTypes:
    """Open silver's tables at their current snapshots as views ``silver.<table>``; return their columns.

    Raises:
        CatalogUnavailableError: The catalog did not answer.
    """
    connection.execute(f"CREATE SCHEMA {SILVER_SCHEMA}")
    types = {}
    with catalog_errors():
        names = sorted(name for _, name in catalog.list_tables(SILVER_SCHEMA))
    for name in names:
        table = load_table(catalog, f"{SILVER_SCHEMA}.{name}")
        view = qualified(f"{SILVER_SCHEMA}.{name}")
        connection.execute(f"CREATE VIEW {view} AS {snapshot_relation(table)}")
        types[name] = {field.name: logical_type(field.field_type) for field in table.schema().fields}
    return types


def run_suites(
    connection: duckdb.DuckDBPyConnection,
    suites: Sequence[Suite],
    *,
    as_of: datetime,
    history: Mapping[str, Sequence[int]],
) -> tuple[CheckResult, ...]:
    """Run suites where silver's tables stand open, side by side.

    Args:
        connection: Their session; each suite gets a cursor of its own.
        suites: What to run.
        as_of: Source time at which silver stands.
        history: Row counts of earlier published runs, oldest first, by bare table name.

    Raises:
        CheckNotComputedError: The engine refused a check's SQL.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
    """

    def run(suite: Suite) -> tuple[CheckResult, ...]:
        counts = history.get(suite.table.removeprefix(f"{SILVER_SCHEMA}."), ())
        with connection.cursor() as cursor:
            ran = run_checks(
                cursor,
                suite.checks,
                table=suite.table,
                key=suite.key,
                file=suite.file,
                as_of=as_of,
                history=counts,
            )
        return (*ran, *suite.left_out)

    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="suite") as pool:
        return tuple(result for results in pool.map(run, suites) for result in results)


def _read_suite(path: Path, silver: SilverTypes) -> Suite | None:
    file = _read_file(path)
    name, is_optional = path.stem, file.data.get("optional", False)
    if not isinstance(is_optional, bool):
        raise file.error("`optional` is true or false", "optional")
    if name not in silver:
        if is_optional:
            return None
        problem = (
            f"there is no table silver.{name}; known are {', '.join(sorted(silver))}. "
            "Name the file after one of them, or write `optional: true` if an installation may leave the table out"
        )
        raise file.error(problem)
    table, types = f"{SILVER_SCHEMA}.{name}", silver[name]
    key = file.data["key"]
    if not isinstance(key, list) or not key or not all(each in types for each in key):
        raise file.error(f"key must be a list of columns of {table}: {', '.join(types)}", "key")
    listed = read_checks(file.data["checks"], table=table, key=key, types=types, lines=file.lines, refuse=file.error)
    known: Known = {f"{SILVER_SCHEMA}.{each}": tuple(columns) for each, columns in silver.items()}
    checks, left_out = [], []
    for check in (*key_checks(table, key, line=file.lines["key",]), *listed):
        missing = sorted(set(check.refers_to) - known.keys()) if is_optional else ()
        if missing:
            explanation = f"{', '.join(missing)} is not replicated."
            left_out.append(
                CheckResult(
                    table=table,
                    name=check.name,
                    dimension=check.dimension,
                    severity=check.severity,
                    verdict=Verdict.NOT_JUDGED,
                    explanation=explanation,
                )
            )
        else:
            checks.append(compile_check(check, file=file.name, known=known))
    return Suite(table=table, file=file.name, key=tuple(key), checks=tuple(checks), left_out=tuple(left_out))


def _read_file(path: Path) -> _File:
    def refuse(problem: str, line: int) -> SuiteError:
        return SuiteError(problem, file=path.name, line=line)

    data, lines = read_yaml(path.read_text(encoding="utf-8"), first_line=1, refuse=refuse)
    if not isinstance(data, dict):
        raise refuse("a suite must give key and checks", 1)
    file = _File(name=path.name, data=data, lines=lines)
    for part in data:
        if part not in _KEYS:
            raise file.error(f"`{part}` is not known; a suite has {', '.join(_KEYS)}", part)
    for part in ("key", "checks"):
        if part not in data:
            raise file.error(f"`{part}` is missing; a suite must give key and checks")
    return file
