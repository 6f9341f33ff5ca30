"""What becomes of each key: a window's staged changes, collapsed to one outcome per key.

The newest change of a key wins. An update that changed the key ends the old one; a truncate
ends all. A large value that the source did not send again is taken from where it was sent
last: from an earlier change of the same row, or else from the row that silver holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD, OP_FIELD, UNCHANGED_FIELD
from etl.contracts.table import Column, TableContract
from etl.contracts.types import LogicalType, family
from etl.engine.sql import identifier, literal
from etl.silver.changes import REJECTED, STAGED, Staged
from etl.silver.conform import REASON_COLUMN, is_unchanged, old_key_columns

KEYS = "touched_keys"
"""Temporary table: every key that a change names."""

OUTCOME = "outcome"
"""Temporary table: a row per key with silver's columns and `IS_LIVE`; of a dead key little but the key is given."""

IS_LIVE = "is live\n"
_DELTA = "delta\n"
_STAY = "stay\n"
_SENT_LATER = frozenset({LogicalType.TEXT, LogicalType.JSON, LogicalType.BINARY, LogicalType.DECIMAL})
"""Types whose values PostgreSQL may keep aside, and then leaves out of an update that does not change them."""

_SEQ, _OP, _REASON = identifier(CHANGE_SEQ_FIELD), identifier(OP_FIELD), identifier(REASON_COLUMN)
_UNCHANGED, _LIVE = identifier(UNCHANGED_FIELD), identifier(IS_LIVE)


def find_keys(connection: duckdb.DuckDBPyConnection, contract: TableContract, staged: Staged) -> None:
    """Put every key that the changes name into `KEYS`."""
    key = _list(contract.key)
    named = f"SELECT {key} FROM {_good(staged)}"
    if staged.has_old_keys:
        olds = old_key_columns(contract)
        old_key = ", ".join(
            f"{identifier(old)} AS {identifier(name)}" for name, old in zip(contract.key, olds, strict=True)
        )
        named += f" UNION ALL SELECT {old_key} FROM {_good(staged)} WHERE {identifier(olds[0])} IS NOT NULL"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {KEYS} AS SELECT DISTINCT {key} FROM ({named})")


def collapse(connection: duckdb.DuckDBPyConnection, contract: TableContract, staged: Staged, *, stored: str) -> None:
    """Put what becomes of each key into `OUTCOME`; unchanged values are still missing (`carry_forward`).

    Args:
        connection: Where `STAGED` is.
        contract: The version under which the changes were written.
        staged: What `stage` told.
        stored: Table of the keys that silver holds a row of.
    """
    key = _list(contract.key)
    columns = _list([*contract.column_names, COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD, UNCHANGED_FIELD])
    events = f"SELECT {columns}, {_OP} <> 'D' AS {_LIVE} FROM {_good(staged)}"
    order = f"{_SEQ} DESC"
    if staged.has_old_keys:
        events = _with_departures(contract, staged)
        # Keys may be exchanged within a transaction if they are checked at its end. A row that
        # leaves a key then leaves it to the row that took it before: as many rows stay as came,
        # with the stored one, less those that went.
        is_held = f"EXISTS (SELECT 1 FROM {stored} AS held WHERE {_same('held', 'each', contract.key)})"
        here = f"CASE WHEN {is_held} THEN 1 ELSE 0 END"
        events = (
            f"SELECT *, SUM({identifier(_DELTA)}) OVER (PARTITION BY {key}) + {here} >= 1 AS {identifier(_STAY)} "
            f"FROM ({events}) AS each"
        )
        order = f"CASE WHEN {identifier(_STAY)} AND left_key THEN 1 ELSE 0 END, {_SEQ} DESC"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {OUTCOME} AS SELECT {columns}, {_LIVE} FROM ({events}) "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order}) = 1"
    )


def carry_forward(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, staged: Staged, *, stored_rows: str
) -> int:
    """Give the live outcomes the values that the source did not send again; return how many have none.

    Those are taken out of `OUTCOME` and put into `REJECTED`: the row before them is not known.

    Args:
        connection: Where `STAGED` and `OUTCOME` are.
        contract: The version under which the changes were written.
        staged: What `stage` told.
        stored_rows: A SELECT over silver's current rows of the keys in `KEYS`.
    """
    _link(connection, contract, staged)
    for column in contract.columns:
        if family(column.type) in _SENT_LATER:
            _carry(connection, contract, column, staged, stored_rows)
    connection.execute(f"DELETE FROM {OUTCOME} WHERE {_SEQ} IN (SELECT {_SEQ} FROM {REJECTED})")
    ((rejects,),) = connection.execute(f"SELECT COUNT(DISTINCT {_SEQ}) FROM {REJECTED}").fetchall()
    return int(rejects)


def _good(staged: Staged) -> str:
    """Return the staged changes that conform and that no truncate ended, to stand after FROM."""
    return (
        f"(SELECT * FROM {STAGED} WHERE {_REASON} IS NULL AND {_OP} <> 'T' AND {_SEQ} > {literal(staged.truncated_at)})"
    )


def _with_departures(contract: TableContract, staged: Staged) -> str:
    """Return a SELECT over the changes and, for each that changed its key, the end of the old one."""
    olds = old_key_columns(contract)
    values = [*contract.column_names, COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD, UNCHANGED_FIELD]
    changed = f"{identifier(olds[0])} IS NOT NULL"
    came = (
        f"SELECT {_list(values)}, {_OP} <> 'D' AS {_LIVE}, FALSE AS left_key, "
        f"CASE WHEN {_OP} = 'I' OR {changed} THEN 1 WHEN {_OP} = 'D' THEN -1 ELSE 0 END AS {identifier(_DELTA)} "
        f"FROM {_good(staged)}"
    )
    old_of = dict(zip(contract.key, olds, strict=True))
    kept = {COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD}
    old_values = ", ".join(
        f"{identifier(old_of[name]) if name in old_of else identifier(name) if name in kept else 'NULL'} "
        f"AS {identifier(name)}"
        for name in values
    )
    went = (
        f"SELECT {old_values}, FALSE AS {_LIVE}, TRUE AS left_key, -1 AS {identifier(_DELTA)} "
        f"FROM {_good(staged)} WHERE {changed}"
    )
    return f"{came} UNION ALL {went}"


def _link(connection: duckdb.DuckDBPyConnection, contract: TableContract, staged: Staged) -> None:
    """Make the temporary table ``links``: for each update, the change of the window that made the row it found."""
    olds = old_key_columns(contract)
    found_key = ", ".join(
        f"COALESCE({identifier(old)}, {identifier(name)}) AS {identifier(name)}"
        for name, old in zip(contract.key, olds, strict=True)
    )
    key = _list(contract.key)
    has_key = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in contract.key)
    changes = (
        f"(SELECT * FROM {STAGED} WHERE ({_REASON} IS NULL OR ({has_key})) "
        f"AND {_OP} <> 'T' AND {_SEQ} > {literal(staged.truncated_at)})"
    )
    events = (
        f"SELECT {found_key}, {_SEQ}, 0 AS made FROM {changes} WHERE {_OP} = 'U' "
        f"UNION ALL SELECT {key}, {_SEQ}, 1 AS made FROM {changes}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE links AS SELECT * FROM (SELECT *, "
        f"LAST_VALUE(CASE WHEN made = 1 THEN {_SEQ} END IGNORE NULLS) OVER (PARTITION BY {key} ORDER BY {_SEQ}, made "
        f"ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ({events})) WHERE made = 0"
    )


def _carry(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, column: Column, staged: Staged, stored_rows: str
) -> None:
    """Give one column's unchanged values to the outcomes that lack them."""
    name, lacks = identifier(column.name), is_unchanged(column.name)
    ((lacking,),) = connection.execute(f"SELECT COUNT(*) FROM {OUTCOME} WHERE {_LIVE} AND {lacks}").fetchall()
    if not lacking:
        return
    # From each outcome back along its row's changes, to the newest that was sent the value.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE origins AS WITH RECURSIVE back AS ("
        f"SELECT {_SEQ} AS outcome_seq, {_SEQ} AS place, TRUE AS lacks FROM {OUTCOME} WHERE {_LIVE} AND {lacks} "
        f"UNION ALL SELECT back.outcome_seq, links.before, "
        f"each.{_REASON} IS NULL AND each.{_OP} <> 'D' AND {is_unchanged(column.name)} "
        f"FROM back JOIN links ON links.{_SEQ} = back.place JOIN {STAGED} AS each ON each.{_SEQ} = links.before "
        f"WHERE back.lacks) SELECT outcome_seq, MIN(place) AS place FROM back GROUP BY outcome_seq"
    )
    ends = f"FROM origins JOIN {STAGED} AS sent ON sent.{_SEQ} = origins.place"
    in_window = f"sent.{_REASON} IS NULL AND sent.{_OP} <> 'D' AND NOT {_qualified_unchanged('sent', column)}"
    connection.execute(
        f"UPDATE {OUTCOME} SET {name} = found.value FROM ("
        f"SELECT outcome_seq, sent.{name} AS value {ends} WHERE {in_window}) AS found "
        f"WHERE {OUTCOME}.{_SEQ} = found.outcome_seq AND {OUTCOME}.{_LIVE}"
    )
    olds = old_key_columns(contract)
    same_row = " AND ".join(
        f"held.{identifier(key)} = COALESCE(sent.{identifier(old)}, sent.{identifier(key)})"
        for key, old in zip(contract.key, olds, strict=True)
    )
    in_silver = f"sent.{_REASON} IS NULL AND sent.{_OP} <> 'D' AND {_qualified_unchanged('sent', column)}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE carried AS SELECT outcome_seq, held.{name} AS value "
        f"{ends} JOIN ({stored_rows}) AS held ON {same_row} WHERE {in_silver}"
    )
    if not staged.truncated_at:
        connection.execute(
            f"UPDATE {OUTCOME} SET {name} = carried.value FROM carried "
            f"WHERE {OUTCOME}.{_SEQ} = carried.outcome_seq AND {OUTCOME}.{_LIVE}"
        )
    reachable = "SELECT outcome_seq FROM carried" if not staged.truncated_at else "SELECT '' AS outcome_seq"
    connection.execute(
        f"INSERT INTO {REJECTED} SELECT outcome_seq, {literal(f'unchanged_of_unknown_row:{column.name}')} FROM origins "
        f"WHERE outcome_seq NOT IN (SELECT outcome_seq {ends} WHERE {in_window}) AND outcome_seq NOT IN ({reachable})"
    )


def _qualified_unchanged(table: str, column: Column) -> str:
    return is_unchanged(column.name).replace(_UNCHANGED, f"{table}.{_UNCHANGED}")


def _same(one: str, other: str, names: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{identifier(name)} = {other}.{identifier(name)}" for name in names)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(identifier, names))
