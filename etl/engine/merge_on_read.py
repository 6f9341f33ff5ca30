"""Which files a change to some rows of a table makes new, so that they stay few however often it is changed.

A file of few rows is *small*. A change writes the small files of the partitions that it
touches anew, as one, without the rows that are gone and with those that came. In other
files a row that is gone gets a position delete, and the small files of position deletes are
written anew as one in the same way. What has grown beyond small is settled: changes leave it
alone until a compaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
from duckdb import DuckDBPyConnection
from pyiceberg.manifest import DataFile, DataFileContent

from etl.engine.live_files import LiveFiles, PartitionValue, partition_of
from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier
from etl.engine.tables import FILE_COLUMN, POSITION_COLUMN, live_relation, located, places
from etl.engine.write import TableWrite

SMALL_FILE_ROWS = 4_000
SMALL_DELETE_ROWS = 20_000

GONE = "gone_rows"
"""Temporary table: `FILE_COLUMN` and `POSITION_COLUMN` of the rows to remove."""

_FILE, _POSITION = identifier(FILE_COLUMN), identifier(POSITION_COLUMN)


def is_settled(file: DataFile) -> bool:
    """Tell whether changes leave a file alone."""
    most = SMALL_FILE_ROWS if file.content == DataFileContent.DATA else SMALL_DELETE_ROWS
    return file.record_count > most


def write_changes(
    write: TableWrite,
    connection: DuckDBPyConnection,
    live: LiveFiles,
    *,
    new_rows: str,
    new_partitions: Collection[PartitionValue],
    has_gone: bool,
) -> tuple[tuple[DataFile, ...], tuple[DataFile, ...]]:
    """Write what a change makes new; return the files to add and those to remove.

    Args:
        write: Of the table.
        connection: The session with the temporary table `GONE`, and what ``new_rows`` reads.
        live: The table's files.
        new_rows: A SELECT of rows to add, with the table's columns.
        new_partitions: The partitions of these rows.
        has_gone: Whether `GONE` has rows.

    Raises:
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    files = {file.file_path: file for file in live.data}
    holed = _gone_by_file(connection) if has_gone else {}
    touched = {*new_partitions, *(partition_of(files[path]) for path in holed if not is_settled(files[path]))}
    anew = [file for value in touched for file in live.data_by_partition.get(value, ()) if not is_settled(file)]
    anew += [file for path, rows in holed.items() if is_settled(file := files[path]) and _is_mostly_gone(file, rows)]
    columns = ", ".join(identifier(field.name) for field in write.table.schema().fields)
    selects = [f"SELECT {columns} FROM ({new_rows})"] if new_partitions else []
    if anew:
        kept = located(
            write.table,
            [file.file_path for file in anew],
            deletes={file.file_path: live.deletes_of(file) for file in anew},
        )
        if has_gone:
            kept = f"SELECT * FROM ({kept}) AS kept ANTI JOIN {GONE} USING ({_FILE}, {_POSITION})"
        selects.append(f"SELECT {columns} FROM ({kept})")
    added = list(write.parquet(" UNION ALL ".join(selects), bare_rows=SMALL_FILE_ROWS)) if selects else []
    staying = {path: file for path, file in files.items() if file not in set(anew)}
    replaced: list[DataFile] = []
    if any(path in staying for path in holed):
        deletes, replaced = _write_deletes(
            write, connection, live, staying, [path for path in holed if path in staying]
        )
        added += deletes
    return tuple(added), (*anew, *replaced)


def write_anew(
    write: TableWrite,
    connection: DuckDBPyConnection,
    live: LiveFiles,
    files: Sequence[DataFile],
    *,
    order_by: Sequence[str],
) -> tuple[tuple[DataFile, ...], tuple[DataFile, ...]]:
    """Write the rows of some data files anew, one file per partition; return the files to add and those to remove.

    Position deletes of these files go, those of the partitions' other files stay.

    Args:
        write: Of the table.
        connection: A DuckDB session.
        live: The table's files.
        files: Which to write anew.
        order_by: Columns to sort the rows by, so that a reader of some finds them together.

    Raises:
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    order = ", ".join(map(identifier, order_by))
    added = list(write.parquet(f"SELECT * FROM ({live_relation(write.table, live, files)}) ORDER BY {order}"))
    leaving = {file.file_path for file in files}
    staying = {file.file_path: file for file in live.data if file.file_path not in leaving}
    touched = {partition_of(file) for file in files}
    old = [file for value in touched for file in live.deletes_by_partition.get(value, ())]
    if old:
        added += _write_places(write, connection, staying, places([file.file_path for file in old]))
    return tuple(added), (*files, *old)


def _gone_by_file(connection: DuckDBPyConnection) -> dict[str, int]:
    return dict(connection.execute(f"SELECT {_FILE}, COUNT(*) FROM {GONE} GROUP BY ALL").fetchall())


def _is_mostly_gone(file: DataFile, rows: int) -> bool:
    """Tell whether writing a file anew is better than so many position deletes."""
    return 2 * rows > file.record_count


def _write_deletes(
    write: TableWrite,
    connection: DuckDBPyConnection,
    live: LiveFiles,
    staying: Mapping[str, DataFile],
    holed: Sequence[str],
) -> tuple[list[DataFile], list[DataFile]]:
    """Write one new file of position deletes for each partition of these files; return it and what it replaces."""
    touched = {partition_of(staying[path]) for path in holed}
    old = [file for value in touched for file in live.deletes_by_partition.get(value, ()) if not is_settled(file)]
    gone = f"SELECT {_FILE}, {_POSITION} FROM {GONE}"
    if old:
        gone += f" UNION ALL {places([file.file_path for file in old])}"
    return _write_places(write, connection, staying, gone), old


def _write_places(
    write: TableWrite, connection: DuckDBPyConnection, staying: Mapping[str, DataFile], gone: str
) -> list[DataFile]:
    """Write the places that ``gone`` selects, as far as they are in files that stay: one file per partition."""
    with duckdb_errors():
        found = connection.execute(f"SELECT {_FILE} AS file_path, {_POSITION} AS pos FROM ({gone}) ORDER BY ALL")
        table = found.to_arrow_table()
    by_partition: dict[PartitionValue, list[pa.Table]] = {}
    for path, first, rows in _runs(table):
        if path in staying:  # The others' rows are written anew without the gone ones.
            by_partition.setdefault(partition_of(staying[path]), []).append(table.slice(first, rows))
    return [write.position_deletes(pa.concat_tables(parts), value) for value, parts in by_partition.items()]


def _runs(found: pa.Table) -> list[tuple[str, int, int]]:
    """Return each path of a table sorted by path, the row it begins at and how many it has."""
    encoded = found["file_path"].combine_chunks().value_counts()
    runs, first = [], 0
    for each in sorted(encoded.to_pylist(), key=lambda count: count["values"].encode()):
        runs.append((each["values"], first, each["counts"]))
        first += each["counts"]
    return runs
