"""A lake whose silver holds what a test says, written as the product writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pyiceberg.catalog import Catalog

from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.sql import literal
from etl.engine.tables import data_files, ensure_table
from etl.engine.types import iceberg_schema
from etl.engine.write import table_write
from tests.unit.etl.gold.silver import LEFT_OUT, TABLES

Given = Mapping[str, Iterable[Mapping[str, object]]]

COMMITTED_AT = "2026-07-01 12:00:00+00"
_LOGICAL = {"TEXT": "text", "DECIMAL(12,2)": "decimal(12,2)"}


def write_silver(lake: LakeConfig, given: Given, *, committed_at: str = COMMITTED_AT) -> None:
    """Replace the rows of the silver tables that ``given`` names; create those missing, all of them empty."""
    with open_catalog(lake) as catalog:
        _write(catalog, lake, given, committed_at)


def _write(catalog: Catalog, lake: LakeConfig, given: Given, committed_at: str) -> None:
    for name, columns in TABLES.items():
        logical = [(column, _LOGICAL.get(kind, kind.lower())) for column, kind in columns.items()]
        schema = iceberg_schema([*logical, ("_committed_at", "timestamptz"), ("_change_seq", "text")])
        table = ensure_table(
            catalog, f"silver.{name}", schema, partition_by="tenant_id" if "tenant_id" in columns else None
        )
        if name not in given and table.current_snapshot() is not None:
            continue
        (Path(table.location()) / "data").mkdir(parents=True, exist_ok=True)
        rows = [*given.get(name, ())]
        with duckdb_session(lake) as connection, table_write(table, connection) as write:
            files = write.parquet(select_rows(name, rows, committed_at=committed_at)) if rows else ()
            write.commit(add=files, delete=data_files(table), properties={})


def select_rows(name: str, rows: Iterable[Mapping[str, object]], *, committed_at: str = COMMITTED_AT) -> str:
    """Return a SELECT of some rows of a silver table, at least one, with sensible values for what they leave out."""
    names = [*TABLES[name], "_committed_at", "_change_seq"]
    whole = [{**LEFT_OUT.get(name, {}), **row, "_committed_at": committed_at, "_change_seq": "0" * 35} for row in rows]
    values = [f"({', '.join(_constant(row.get(column)) for column in names)})" for row in whole]
    return f"SELECT * FROM (VALUES {', '.join(values)}) AS given ({', '.join(names)})"


def _constant(value: object) -> str:
    return "NULL" if value is None else literal(str(value))
