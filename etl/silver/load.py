"""One table of a full load, as SQL over its verified bronze files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from etl.bronze.layout import CHANGE_SEQ_FIELD, fields
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.bronze.reader import bronze_relation_sql, check_rows
from etl.contracts.store import newest_contract, read_contract
from etl.contracts.table import TableContract, TableId
from etl.engine.sql import identifier, literal
from etl.ports.object_store import ObjectMissingError, ObjectStore
from etl.replicate.lsn import change_seq
from etl.silver.conform import REASON_COLUMN, conformed, reasons

OPERATIONS = frozenset({"I"})
"""Values of ``Op`` in files of a full load."""

_NO_LIMIT = 2**63 - 1
_ROW, _RAW = "row\n", "raw\n"
"""Names beside the contract's columns; no field of bronze is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTable:
    """A table's files in one full load, and the contract they were written under."""

    contract: TableContract
    load: LoadManifest
    store: ObjectStore

    @property
    def files(self) -> tuple[FileManifest, ...]:
        """The files' manifests; none for a table without rows."""
        return self.load.files_of(self.contract.table)

    @property
    def rows(self) -> int:
        """How many rows were written, by the manifests."""
        return sum(file.rows for file in self.files)

    @property
    def watermark(self) -> str:
        """Highest change sequence of the table in this load."""
        return max((file.last_change_seq for file in self.files), default=change_seq(self.load.lsn))

    @property
    def good_rows(self) -> str:
        """SELECT of the conforming rows, with silver's columns."""
        # The limit keeps DuckDB from computing every cast a second time for the filter.
        typed = f"{conformed(self.contract, self._relation(), operations=OPERATIONS)} LIMIT {_NO_LIMIT}"
        reason = identifier(REASON_COLUMN)
        return f"SELECT * EXCLUDE ({reason}) FROM ({typed}) WHERE {reason} IS NULL"

    @property
    def rejected_rows(self) -> str:
        """SELECT of the rows that do not conform, with quarantine's columns."""
        return " UNION ALL ".join(self._rejected_rows_of(file) for file in self.files)

    def count_rejects(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Count the rows that do not conform, and check that the files give every row they should.

        Raises:
            BronzeDamagedError: A file gives more or fewer rows than were written.
        """
        found = reasons(self.contract, self._relation(), operations=OPERATIONS, keep=["filename"])
        counts = connection.execute(
            f"SELECT filename, COUNT(*), COUNT({identifier(REASON_COLUMN)}) FROM ({found}) GROUP BY ALL"
        ).fetchall()
        check_rows(self.files, {filename: rows for filename, rows, _ in counts}, self.store)
        return sum(rejects for _, _, rejects in counts)

    def _relation(self) -> str:
        """Return the files' rows as text, to stand after FROM."""
        by_dialect: dict[tuple[str, str | None], list[FileManifest]] = {}
        for file in self.files:
            by_dialect.setdefault((file.null_marker, _change_seq_of(file)), []).append(file)
        relations = [self._relation_of(files) for files in by_dialect.values()]
        if len(relations) == 1:
            return relations[0]
        return f"({' UNION ALL '.join(f'SELECT * FROM {relation}' for relation in relations)})"

    def _relation_of(self, files: Sequence[FileManifest]) -> str:
        """Return the rows of files written alike."""
        first, uris = files[0], [self.store.uri(file.key) for file in files]
        return bronze_relation_sql(self.contract, uris, null_marker=first.null_marker, change_seq=_change_seq_of(first))

    def _rejected_rows_of(self, file: FileManifest) -> str:
        """Number a file's rows as they stand, which needs a scan of that file alone, then keep the rejects."""
        relation = self._relation_of([file])
        raw = ", ".join(identifier(name) for name in fields(self.contract))
        numbered = (
            f"(SELECT *, ROW_NUMBER() OVER () AS {identifier(_ROW)}, "
            f"TO_JSON(STRUCT_PACK({raw})) AS {identifier(_RAW)} FROM {relation})"
        )
        found = reasons(self.contract, numbered, operations=OPERATIONS, keep=[_ROW, _RAW])
        return (
            f"SELECT {literal(self.load.load_id)} AS load_id, {literal(file.key)} AS file, "
            f"{identifier(_ROW)} AS row, {identifier(REASON_COLUMN)} AS reason, "
            f"CAST({identifier(_RAW)} AS VARCHAR) AS raw, "
            f"JSON_EXTRACT_STRING({identifier(_RAW)}, {literal(CHANGE_SEQ_FIELD)}) AS change_seq, "
            f"CAST(NULL AS VARCHAR) AS key, {self.contract.version} AS contract_version "
            f"FROM ({found}) WHERE {identifier(REASON_COLUMN)} IS NOT NULL"
        )


def _change_seq_of(file: FileManifest) -> str | None:
    """Return what every row of the file has as its change sequence; None if each carries its own."""
    return None if file.rows_have_change_seq else file.first_change_seq


def loaded_table(store: ObjectStore, load: LoadManifest, table: TableId) -> LoadedTable:
    """Pair a table of the load with the contract of its files; a table without rows has the newest.

    Raises:
        ObjectMissingError: No contract is recorded.
        StoreUnavailableError: The store did not answer.
    """
    files = load.files_of(table)
    contract = read_contract(store, table, files[0].contract_version) if files else newest_contract(store, table)
    if contract is None:
        raise ObjectMissingError(f"no contract of {table} is recorded in bronze")
    return LoadedTable(contract=contract, load=load, store=store)
