"""What is known about each bronze file, and which files make up a full load.

A data file without its manifest does not exist for readers; a full load without its
`LoadManifest` does not exist either. Writers therefore finish in this order: data file,
file manifest, load manifest. Each is put atomically, the load manifest last, so one
object is the commit point of a consistent snapshot over all tables.

Changes have one manifest per *flush*, some whole transactions over all tables. It holds the
manifests of the flush's files and is its commit point; each names the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from etl.contracts.table import TableId


@dataclass(frozen=True, slots=True, kw_only=True)
class FileManifest:
    """One bronze data file: where, how much, and proof that it is whole."""

    key: str
    """Object key of the data file below the bronze root, e.g. ``public/orders/LOAD00000001.csv.gz``."""
    table: TableId
    rows: int
    size_bytes: int
    """Compressed size."""
    sha256: str
    """Of the compressed bytes, in hexadecimal."""
    first_change_seq: str
    last_change_seq: str
    contract_version: int
    contract_fingerprint: str
    null_marker: str = ""
    """Unquoted text that means NULL. Ours is the empty field; a DMS endpoint of ours writes ``\\N``."""
    rows_have_change_seq: bool = True
    """Whether every row carries its change sequence. DMS leaves it empty in a full load: each row has the file's."""

    def to_json(self) -> str:
        """Return the manifest as a JSON document."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON.
            KeyError: A field is missing.
        """
        return cls.from_fields(json.loads(text))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the manifest whose fields another manifest's JSON document holds.

        Raises:
            KeyError: The table is missing.
        """
        return cls(**{**fields, "table": TableId(**fields["table"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTable:
    """What a table was when it was loaded."""

    oid: int
    """Its number at the source: another number later is another table."""
    version: int
    """Of its contract."""
    files: tuple[int | None, ...]
    """Numbers of the files that it, with its partitions, lay in: others later tell that it was rewritten."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the table whose fields a manifest's JSON document holds."""
        return cls(**{**fields, "files": tuple(fields["files"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadManifest:
    """One full load: every table as of one LSN."""

    load_id: str
    """The consistent point as 16 hexadecimal digits: sorts by age."""
    request_id: str
    """Who asked; a repeated request finds its load instead of making another."""
    lsn: int
    snapshot_at: str
    """The source's clock when the snapshot was taken, ISO 8601 with zone."""
    files: tuple[FileManifest, ...]
    tables: tuple[TableId, ...]
    """Every table loaded, those without rows included."""
    slot: str = ""
    """The slot whose changes continue it; empty if nothing continues it."""
    begins_slot: bool = True
    """Whether the slot was made with it. If not, it is a resync: the slot's changes go on around it, and of its
    tables those that ended at ``lsn`` or earlier are in it already."""
    sources: Mapping[str, LoadedTable] = field(default_factory=dict)
    """What the tables were at the source, by ``schema.name``; empty in manifests that others wrote."""

    def files_of(self, table: TableId) -> tuple[FileManifest, ...]:
        """Return the table's files, in name order."""
        return tuple(sorted((file for file in self.files if file.table == table), key=lambda file: file.key))

    def to_json(self) -> str:
        """Return the manifest as a JSON document."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON.
            KeyError: A field is missing.
        """
        data = json.loads(text)
        files = tuple(map(FileManifest.from_fields, data["files"]))
        tables = tuple(TableId(**table) for table in data["tables"])
        sources = {table: LoadedTable.from_fields(fields) for table, fields in data.get("sources", {}).items()}
        return cls(**{**data, "files": files, "tables": tables, "sources": sources})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What bronze lacks of one table: some changes, or what rows from before became without a change.

    A load of the table at or beyond ``last_lsn`` mends it; until there is one, nothing of the
    table from ``first_lsn`` on may be applied.
    """

    table: TableId
    first_lsn: int
    """End of the first transaction that is concerned; some of its changes may be there."""
    last_lsn: int
    """End of the last one."""
    error_class: str
    """Qualified name of the error that tells why."""
    message: str
    guidance: str

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the gap whose fields a manifest's JSON document holds.

        Raises:
            KeyError: The table is missing.
        """
        return cls(**{**fields, "table": TableId(**fields["table"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeManifest:
    """One flush: every change of the transactions that ended in a range of LSNs."""

    slot: str
    """The slot the changes were read from."""
    previous_lsn: int
    """``last_lsn`` of the flush before, or the LSN of the load that the slot began with."""
    first_lsn: int
    """End of the first transaction."""
    last_lsn: int
    """End of the last transaction. Everything up to here is in bronze."""
    committed_from: str
    """When the source committed the earliest of the transactions, ISO 8601 with zone."""
    committed_to: str
    """When the source committed the latest of them."""
    transactions: int
    files: tuple[FileManifest, ...]
    """In the order of their first changes within each table."""
    gaps: tuple[Gap, ...] = ()
    """Every gap that no load had mended yet, this flush's own and those before it; at most one a table."""

    def files_of(self, table: TableId) -> tuple[FileManifest, ...]:
        """Return the table's files, in the order of their changes."""
        return tuple(file for file in self.files if file.table == table)

    @property
    def contracts(self) -> dict[TableId, tuple[int, ...]]:
        """The contract versions that each table's files were written under, oldest first."""
        versions: dict[TableId, set[int]] = {}
        for file in self.files:
            versions.setdefault(file.table, set()).add(file.contract_version)
        return {table: tuple(sorted(found)) for table, found in versions.items()}

    def to_json(self) -> str:
        """Return the manifest as a JSON document."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is not JSON.
            KeyError: A field is missing.
        """
        data = json.loads(text)
        files = tuple(map(FileManifest.from_fields, data["files"]))
        gaps = tuple(map(Gap.from_fields, data.get("gaps", ())))
        return cls(**{**data, "files": files, "gaps": gaps})
