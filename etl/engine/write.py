"""Change an Iceberg table: DuckDB writes Parquet files, one snapshot swaps them in.

The commit is a compare-and-swap: it succeeds only if nobody added files since the table
was loaded, so what was computed from the table's content stays true. Files of a write
that does not commit are removed; those of a killed process are unreferenced and cleaned later.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection
from pyiceberg.conversions import partition_to_py
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyiceberg.types import PrimitiveType

from etl.engine.catalog import catalog_errors
from etl.engine.durable import flush
from etl.engine.live_files import LiveFiles, PartitionValue
from etl.engine.row_delta import RowDelta, commit_row_delta, described, write_position_deletes
from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier, literal
from etl.engine.tables import partition_column
from etl.engine.types import duckdb_type
from etl.errors import TransientError
from etl.ports.catalog import CatalogUnavailableError
from etl.ports.object_store import StoreFullError

_ROW_GROUP_BYTES = 32 * 1024 * 1024
"""Text that a row group may hold before it is written: a reader needs a whole one in memory."""

_WRITE_ID = "lakeside.write-id"


class CommitConflictError(TransientError):
    """Another writer changed the table first; nothing of this write remains."""


class CommitUnknownError(TransientError):
    """The catalog went away during a commit, which may or may not have happened."""


class TableWrite:
    """Files written for one table and the single commit that makes them visible."""

    def __init__(self, table: Table, connection: DuckDBPyConnection) -> None:
        """Prepare to write from ``connection``'s relations to ``table``, as loaded now."""
        self.table = table
        self._connection = connection
        self._id = uuid.uuid4().hex
        self._parquet_calls = 0
        self._files_are_mine = True

    def parquet(self, sql: str, *, bare_rows: int = 0) -> tuple[DataFile, ...]:
        """Write the rows of ``sql`` as Parquet files of the table, one partition per file.

        Columns are taken by name and cast to the table's types. No file is written for no rows.

        Args:
            sql: A SELECT.
            bare_rows: A file of at most so many rows is described without statistics of its
                columns, which saves reading its footer.

        Raises:
            MemoryExhaustedError: DuckDB ran out of its memory limit.
            StoreFullError: No room for the files.
        """
        fields = self.table.schema().fields
        columns = ", ".join(
            f"CAST({identifier(field.name)} AS {duckdb_type(field.field_type)}) AS {identifier(field.name)}"
            for field in fields
        )
        field_ids = ", ".join(f"{identifier(field.name)}: {field.field_id}" for field in fields)
        options = [
            "FORMAT parquet",
            "COMPRESSION snappy",
            f"FIELD_IDS {{{field_ids}}}",
            f"ROW_GROUP_SIZE_BYTES {_ROW_GROUP_BYTES}",
            "RETURN_STATS true",
        ]
        self._parquet_calls += 1
        prefix = f"{self._id}-{self._parquet_calls:02d}"
        partition = partition_column(self.table)
        if partition is None:
            target = f"{self._folder}/{prefix}.parquet"
            options.append("WRITE_EMPTY_FILE false")
            if "://" not in target:
                Path(self._folder).mkdir(parents=True, exist_ok=True)  # DuckDB makes folders for partitions only.
        else:
            target = self._folder
            options += [
                f"PARTITION_BY ({identifier(partition)})",
                "WRITE_PARTITION_COLUMNS true",
                f"FILENAME_PATTERN {literal(prefix + '-{uuid}')}",
                "OVERWRITE_OR_IGNORE true",
            ]
        with duckdb_errors():
            written = self._connection.execute(
                f"COPY (SELECT {columns} FROM ({sql})) TO {literal(target)} ({', '.join(options)})"
            ).fetchall()
        return tuple(
            self._bare(path, rows, size_bytes, keys)
            if rows <= bare_rows
            else parquet_file_to_data_file(self.table.io, self.table.metadata, path)
            for path, rows, size_bytes, _, _, keys in written
            if rows > 0
        )

    def position_deletes(self, places: pa.Table, partition: PartitionValue) -> DataFile:
        """Write a file of position deletes; see `etl.engine.row_delta.write_position_deletes`.

        Raises:
            StoreFullError: No room for the file.
        """
        self._parquet_calls += 1
        name = f"{self._id}-{self._parquet_calls:02d}-deletes.parquet"
        with catalog_errors():
            return write_position_deletes(self.table, f"{self._folder}/{name}", places, partition)

    def commit_delta(self, live: LiveFiles, delta: RowDelta, *, is_settled: Callable[[DataFile], bool]) -> LiveFiles:
        """Make one snapshot from files of this write; see `etl.engine.row_delta.commit_row_delta`.

        Raises:
            CommitConflictError: Someone else committed first; reload, recompute, retry.
            CommitUnknownError: The catalog went away; the files stay, for a snapshot may refer to them.
            StoreFullError: No room for the metadata; nothing was committed.
        """
        properties = {**delta.properties, _WRITE_ID: self._id}
        try:
            with catalog_errors():
                flush(file.file_path for file in delta.add)
                self._files_are_mine = False
                return commit_row_delta(self.table, live, replace(delta, properties=properties), is_settled=is_settled)
        except CommitFailedException as error:
            self._files_are_mine = True
            raise CommitConflictError(table=".".join(self.table.name())) from error
        except (OSError, StoreFullError):
            self._files_are_mine = True
            raise
        except CatalogUnavailableError as error:
            raise CommitUnknownError(table=".".join(self.table.name())) from error

    def commit(self, *, add: Iterable[DataFile], delete: Iterable[DataFile] = (), properties: Mapping[str, str]) -> int:
        """Make one snapshot that lacks ``delete`` and has ``add``; return its id.

        Args:
            add: Files that `parquet` of this write returned.
            delete: Data files of the table as it was loaded.
            properties: Texts for the snapshot's summary, e.g. the watermark.

        Raises:
            CommitConflictError: Someone else committed first; reload, recompute, retry.
            CommitUnknownError: The catalog went away; the files stay, for a snapshot may refer to them.
            StoreFullError: No room for the metadata; nothing was committed.
        """
        add = tuple(add)
        transaction = self.table.transaction()
        snapshot = transaction.update_snapshot(snapshot_properties={**properties, _WRITE_ID: self._id}).overwrite()
        for file in delete:
            snapshot.delete_data_file(file)
        for file in add:
            snapshot.append_data_file(file)
        try:
            with catalog_errors():
                flush(file.file_path for file in add)
                snapshot.commit()
                self._files_are_mine = False
                transaction.commit_transaction()
        except (CommitFailedException, ValidationException) as error:
            self._files_are_mine = True
            raise CommitConflictError(table=".".join(self.table.name())) from error
        except (OSError, StoreFullError):
            # Metadata is written before the catalog is told of it.
            self._files_are_mine = True
            raise
        except CatalogUnavailableError as error:
            if self._landed(snapshot.snapshot_id):
                return snapshot.snapshot_id
            raise CommitUnknownError(table=".".join(self.table.name())) from error
        return snapshot.snapshot_id

    def remove(self, files: Iterable[DataFile]) -> None:
        """Remove files of this write that will not be committed after all."""
        for file in files:
            self.table.io.delete(file.file_path)

    def _landed(self, snapshot_id: int) -> bool:
        """Ask the catalog whether the snapshot exists after all."""
        try:
            with catalog_errors():
                return self.table.refresh().snapshot_by_id(snapshot_id) is not None
        except CatalogUnavailableError:
            return False

    def discard(self) -> None:
        """Remove the files of a write that did not commit; those of a committed or unknown one stay."""
        if not self._files_are_mine:
            return
        pattern = literal(f"{self._folder}/**/{self._id}-*.parquet")
        for (path,) in self._connection.execute(f"SELECT file FROM glob({pattern})").fetchall():
            self.table.io.delete(path)

    def _bare(self, path: str, rows: int, size_bytes: int, keys: Mapping[str, str | None] | None) -> DataFile:
        """Describe a file by what DuckDB told when it wrote it."""
        partition = Record()
        if (column := partition_column(self.table)) is not None:
            text = next(iter((keys or {}).values()), None)
            kind = self.table.schema().find_field(column).field_type
            assert isinstance(kind, PrimitiveType)
            partition = Record(None if text is None else partition_to_py(kind, text))
        return described(self.table, path, rows=rows, size_bytes=size_bytes, partition=partition)

    @property
    def _folder(self) -> str:
        return f"{self.table.location()}/data"


@contextmanager
def table_write(table: Table, connection: DuckDBPyConnection) -> Iterator[TableWrite]:
    """Write to the table; whatever the block wrote but did not commit is removed.

    Example:
        >>> with table_write(table, session) as write:  # doctest: +SKIP
        ...     files = write.parquet("SELECT ...")
        ...     write.commit(add=files, delete=data_files(table), properties={})
    """
    write = TableWrite(table, connection)
    try:
        yield write
    finally:
        write.discard()
