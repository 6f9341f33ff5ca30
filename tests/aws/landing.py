"""Writes files as DMS does with our settings: header, gzip, ``\\N`` for NULL; a load has no change sequences."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import psycopg
from psycopg import sql

from etl.bronze.layout import fields
from etl.contracts.source import open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectStore


def change_seq(moment: str, number: int) -> str:
    """Return a change sequence as DMS makes it: 16 digits of time, 19 of a counter."""
    return f"{moment}{number:019d}"


def land_rows(store: ObjectStore, contract: TableContract, key: str, rows: Sequence[str]) -> None:
    """Put one file: the contract's header and lines of CSV."""
    folder = f"{contract.table.schema}/{contract.table.name}"
    text = "".join(f"{line}\n" for line in [",".join(fields(contract)), *rows])
    store.delete(f"{folder}/{key}")  # DMS writes over what is there.
    store.put(f"{folder}/{key}", gzip.compress(text.encode(), 1))


def land_load(
    store: ObjectStore, contract: TableContract, rows: Sequence[str], *, at: datetime, number: int = 1
) -> None:
    """Put a file of a full load; ``rows`` are the columns' values as CSV."""
    lines = [f"I,{at:%Y-%m-%d %H:%M:%S.%f},{row}," for row in rows]
    land_rows(store, contract, f"LOAD{number:08X}.csv.gz", lines)


def land_source(store: ObjectStore, source_url: str, tables: Sequence[TableId], *, at: datetime) -> dict[TableId, int]:
    """Do what a DMS full load does: copy the tables' rows into the landing zone; return how many of each."""
    counted = {}
    with closing(open_source(source_url)) as connection:
        for contract in read_contracts(connection, tables):
            header = fields(contract)
            columns = sql.SQL(", ").join(map(sql.Identifier, contract.column_names))
            select = sql.SQL(
                "COPY (SELECT 'I' AS {op}, {at} AS {committed}, {columns}, NULL AS {seq} FROM {table})"
                " TO STDOUT (FORMAT csv, HEADER, NULL '\\N')"
            ).format(
                op=sql.Identifier(header[0]),
                at=sql.Literal(f"{at:%Y-%m-%d %H:%M:%S.%f}"),
                committed=sql.Identifier(header[1]),
                columns=columns,
                seq=sql.Identifier(header[-1]),
                table=sql.Identifier(contract.table.schema, contract.table.name),
            )
            text = _copied(connection, select)
            rows = connection.execute(
                sql.SQL("SELECT COUNT(*) FROM {}").format(sql.Identifier(contract.table.schema, contract.table.name))
            ).fetchone()
            assert rows is not None
            counted[contract.table] = rows[0]
            folder = f"{contract.table.schema}/{contract.table.name}"
            if rows[0]:  # A table without rows leaves no folder.
                store.delete(f"{folder}/LOAD00000001.csv.gz")
                store.put(f"{folder}/LOAD00000001.csv.gz", gzip.compress(text, 1))
    return counted


def _copied(connection: psycopg.Connection, select: sql.Composed) -> bytes:
    with connection.cursor() as cursor, cursor.copy(select) as copy:
        return b"".join(bytes(block) for block in copy)
