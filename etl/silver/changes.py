"""One table's changes, staged: typed rows of bronze in a temporary table of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import duckdb

from etl.bronze.layout import CHANGE_SEQ_FIELD, OP_FIELD, UNCHANGED_FIELD, change_fields
from etl.bronze.manifest import FileManifest
from etl.bronze.reader import BronzeDamagedError, bronze_relation_sql, check_rows
from etl.contracts.table import TableContract
from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier, literal
from etl.ports.object_store import ObjectStore
from etl.silver.conform import REASON_COLUMN, conformed_changes, old_key_columns
from etl.silver.tombstones import key_text

STAGED = "staged_changes"
"""The temporary table: what `conformed_changes` gives, and ``filename``."""

REJECTED = "rejected_changes"
"""Temporary table of changes that conform, but build on one that did not: change sequence and reason."""

LAST = "9" * 35
"""A change sequence beyond all others."""

_NO_LIMIT = 2**63 - 1
_ROW, _RAW = "row\n", "raw\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFiles:
    """Files of one table's changes that were written under one contract, in the order of their changes."""

    contract: TableContract
    files: tuple[FileManifest, ...]
    store: ObjectStore

    def relation(self, files: tuple[FileManifest, ...] | None = None) -> str:
        """Return the rows as text, to stand after FROM."""
        by_marker: dict[str, list[str]] = {}
        for file in self.files if files is None else files:
            by_marker.setdefault(file.null_marker, []).append(self.store.uri(file.key))
        relations = [
            bronze_relation_sql(self.contract, uris, null_marker=marker, changes=True)
            for marker, uris in by_marker.items()
        ]
        if len(relations) == 1:
            return relations[0]
        return f"({' UNION ALL '.join(f'SELECT * FROM {relation}' for relation in relations)})"

    def rejected_rows(self, *, file: FileManifest) -> str:
        """Return a SELECT of a file's rejected rows: where they stand, why, and their fields as they came.

        A row's number needs a scan of that file alone.
        """
        raw = ", ".join(identifier(name) for name in change_fields(self.contract))
        numbered = (
            f"(SELECT *, ROW_NUMBER() OVER () AS {identifier(_ROW)}, TO_JSON(STRUCT_PACK({raw})) AS {identifier(_RAW)} "
            f"FROM {self.relation((file,))})"
        )
        found = conformed_changes(self.contract, numbered, keep=[_ROW, _RAW])
        seq, reason = identifier(CHANGE_SEQ_FIELD), identifier(REASON_COLUMN)
        return (
            f"SELECT {literal(file.key)} AS file, found.{identifier(_ROW)} AS row, "
            f"COALESCE(found.{reason}, later.reason) AS reason, CAST(found.{identifier(_RAW)} AS VARCHAR) AS raw, "
            f"found.{seq} AS change_seq, {key_text(self.contract, of='found')} AS key, "
            f"{self.contract.version} AS contract_version "
            f"FROM ({found}) AS found LEFT JOIN {REJECTED} AS later ON found.{seq} = later.{seq} "
            f"WHERE found.{reason} IS NOT NULL OR later.reason IS NOT NULL"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What a look at the staged rows tells: which of the harder cases there are."""

    rows: int
    rejects: int
    rejected_files: frozenset[str]
    """Addresses (`ObjectStore.uri`) of the files with rejects."""
    last_change_seq: str
    truncated_at: str
    """Change sequence of the last truncate; empty if there is none."""
    has_unchanged: bool
    has_old_keys: bool


def stage(connection: duckdb.DuckDBPyConnection, changes: ChangeFiles, *, after: str, until: str = LAST) -> Staged:
    """Read the changes into `STAGED`, and check that the files give every row they should.

    Args:
        connection: A DuckDB session, or a cursor of one.
        changes: What to read; verified.
        after: Change sequence at or below which changes are known already and left out.
        until: Change sequence beyond which changes are left out.

    Raises:
        BronzeDamagedError: A file gives other rows than its manifest counts.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
    """
    seq, reason, op = identifier(CHANGE_SEQ_FIELD), identifier(REASON_COLUMN), identifier(OP_FIELD)
    # The limit keeps DuckDB from computing every cast a second time for what follows.
    typed = f"{conformed_changes(changes.contract, changes.relation(), keep=['filename'])} LIMIT {_NO_LIMIT}"
    is_fresh = f"{seq} > {literal(after)} AND {seq} <= {literal(until)}"
    fresh = f"FILTER (({is_fresh}) OR {seq} IS NULL)"
    with duckdb_errors(), readable(changes.contract):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {STAGED} AS {typed}")
        counts = connection.execute(
            f"SELECT filename, COUNT(*), COUNT(*) {fresh}, COUNT({reason}) {fresh}, MAX({seq}), "
            f"MAX({seq}) FILTER ({op} = 'T' AND {reason} IS NULL AND {is_fresh}), "
            f"COUNT({identifier(UNCHANGED_FIELD)}), "
            f"COUNT({identifier(old_key_columns(changes.contract)[0])}) FROM {STAGED} GROUP BY ALL"
        ).fetchall()
        check_rows(changes.files, {filename: rows for filename, rows, *_ in counts}, changes.store)
        if any(rows != fresh_rows for _, rows, fresh_rows, *_ in counts):
            connection.execute(f"DELETE FROM {STAGED} WHERE NOT ({is_fresh})")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {REJECTED} ({seq} VARCHAR, reason VARCHAR)")
    return Staged(
        rows=sum(rows for _, _, rows, *_ in counts),
        rejects=sum(rejects for _, _, _, rejects, *_ in counts),
        rejected_files=frozenset(filename for filename, _, _, rejects, *_ in counts if rejects),
        last_change_seq=min(max((file.last_change_seq for file in changes.files), default=""), until),
        truncated_at=max((at for *_, at, _, _ in counts if at), default=""),
        has_unchanged=any(unchanged for *_, unchanged, _ in counts),
        has_old_keys=any(old for *_, old in counts),
    )


def by_contract(files: tuple[FileManifest, ...]) -> Iterator[tuple[int, tuple[FileManifest, ...]]]:
    """Cut files, in the order of their changes, where the contract changes; give each part's contract version."""
    for version, part in groupby(files, key=lambda file: file.contract_version):
        yield version, tuple(part)


@contextmanager
def readable(contract: TableContract) -> Iterator[None]:
    """Turn DuckDB's refusal to read a file as CSV into ours, without the row it shows.

    Raises:
        BronzeDamagedError: A file is not CSV of the table's shape, although it is whole.
    """
    try:
        yield
    except duckdb.InvalidInputException as error:
        first_line = str(error).partition("\n")[0]
        raise BronzeDamagedError(f"{contract.table} cannot be read from bronze: {first_line}") from None
