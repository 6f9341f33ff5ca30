"""Iceberg tables: create, load, plan the files of a snapshot, read them in DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, EqualTo, Reference
from pyiceberg.expressions.literals import literal as iceberg_literal
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from sqlalchemy.exc import IntegrityError

from etl.engine.catalog import catalog_errors
from etl.engine.live_files import DeleteFilesError, LiveFiles, live_files
from etl.engine.sql import identifier, literal, text_list
from etl.engine.types import duckdb_type
from etl.ports.catalog import TableMissingError

FILE_COLUMN, POSITION_COLUMN = "file\n", "position\n"
"""Beside a table's columns, where a row stands: path of its file, number in it from 0. No column is called so."""

_FILE, _POSITION = identifier(FILE_COLUMN), identifier(POSITION_COLUMN)
_PLACE = f"{_FILE}, {_POSITION}"
_PARTITION_FIELD_ID = 1000
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "snappy",
    # A log of these stands in every metadata file, which a followed table gets every second.
    "write.metadata.previous-versions-max": "10",
    # What other engines would do; our own position deletes are written by `etl.engine.row_delta`.
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
}


def load_table(catalog: Catalog, name: str) -> Table:
    """Return the table ``namespace.table`` at its current metadata.

    Raises:
        TableMissingError: There is none.
        CatalogUnavailableError: No answer.
    """
    with catalog_errors():
        try:
            return catalog.load_table(name)
        except NoSuchTableError as error:
            raise TableMissingError(table=name) from error


def ensure_table(
    catalog: Catalog,
    name: str,
    schema: Schema,
    *,
    partition_by: str | None,
    properties: Mapping[str, str] | None = None,
) -> Table:
    """Return the table, created empty (format 2, Snappy, copy-on-write) if it does not exist.

    Args:
        catalog: Where to look and create.
        name: ``namespace.table``.
        schema: Its columns, used for creation only: an existing table keeps its own.
        partition_by: Column of the identity partition; one data file never mixes its values.
        properties: Of a new table, besides those that every table of the lake has.

    Raises:
        CatalogUnavailableError: No answer.
    """
    spec = UNPARTITIONED_PARTITION_SPEC
    if partition_by is not None:
        source_id = schema.find_field(partition_by).field_id
        spec = PartitionSpec(PartitionField(source_id, _PARTITION_FIELD_ID, IdentityTransform(), partition_by))
    with catalog_errors():
        try:
            return catalog.load_table(name)
        except (NoSuchTableError, NoSuchNamespaceError):
            with suppress(IntegrityError):  # Another thread or process creates it at this moment.
                catalog.create_namespace_if_not_exists(name.partition(".")[0])
        try:
            return catalog.create_table(
                name,
                schema,
                location=_location(catalog, name),
                partition_spec=spec,
                properties={**_PROPERTIES, **(properties or {})},
            )
        except TableAlreadyExistsError:
            return catalog.load_table(name)


def _location(catalog: Catalog, name: str) -> str:
    """Return where a new table lies: below its namespace's own location if that has one, else below the warehouse.

    One that was made beforehand, such as a Glue database, has: silver and gold may lie in buckets of their own.
    """
    namespace, _, table = name.partition(".")
    own = (
        catalog.load_namespace_properties(namespace).get("location") or f"{catalog.properties['warehouse']}/{namespace}"
    )
    return f"{own.rstrip('/')}/{table}"


def partition_column(table: Table) -> str | None:
    """Return the identity partition's column; None for an unpartitioned table."""
    fields = table.spec().fields
    return fields[0].name if fields else None


def summary(table: Table) -> dict[str, str]:
    """Return the summary of the table's current snapshot; empty before the first."""
    snapshot = table.current_snapshot()
    return snapshot.summary.additional_properties if snapshot and snapshot.summary else {}


def data_files(
    table: Table, *, snapshot_id: int | None = None, partition: int | str | None = None
) -> tuple[DataFile, ...]:
    """Return the data files of a snapshot (the current one if None), of one partition if named.

    Raises:
        DeleteFilesError: The snapshot has row-level deletes, which reading the files would miss.
        ValueError: The table has no such snapshot; pyiceberg's scan would find no files, and say nothing.
    """
    if snapshot_id is not None and table.snapshot_by_id(snapshot_id) is None:
        raise ValueError(f"table {'.'.join(table.name())} has no snapshot {snapshot_id}")
    column = partition_column(table)
    wanted: BooleanExpression = AlwaysTrue()
    if partition is not None:
        assert column is not None, "only a partitioned table has partitions"
        wanted = EqualTo(term=Reference(column), value=iceberg_literal(partition))
    files = []
    for task in table.scan(row_filter=wanted, snapshot_id=snapshot_id).plan_files():
        if task.delete_files:
            raise DeleteFilesError(table=".".join(table.name()))
        if partition is None or task.file.partition[0] == partition:
            files.append(task.file)
    return tuple(files)


def relation(
    table: Table, files: Iterable[DataFile], *, deletes: Mapping[str, Sequence[DataFile]] | None = None
) -> str:
    """Return a SELECT over exactly these files of the table, with its current columns and types.

    In a table whose schema has changed, or has names that engines spell differently in
    files, columns are found by Iceberg field id: one renamed or added since a file was
    written is read as Iceberg means it, under its new name or as NULL. Otherwise by name,
    which DuckDB scans 1.7 times as fast.

    Args:
        table: Whose files.
        files: Its data files.
        deletes: By path of a data file: the position deletes that may concern it. Files
            that nothing concerns are read as they are.
    """
    deletes = deletes or {}
    paths = [file.file_path for file in files]
    whole = [path for path in paths if not deletes.get(path)]
    holed = [path for path in paths if deletes.get(path)]
    parts = [f"SELECT * FROM {_scan(table, whole)}"] if whole else []
    if holed:
        columns = ", ".join(identifier(field.name) for field in table.schema().fields)
        parts.append(f"SELECT {columns} FROM ({located(table, holed, deletes=deletes)})")
    if not parts:
        return f"{_nothing(table)} WHERE false"
    return " UNION ALL ".join(parts)


def located(
    table: Table,
    paths: Sequence[str],
    *,
    deletes: Mapping[str, Sequence[DataFile]],
    columns: Sequence[str] | None = None,
) -> str:
    """Return a SELECT over the live rows of data files, with `FILE_COLUMN` and `POSITION_COLUMN` beside them.

    Args:
        table: Whose files.
        paths: Of the data files.
        deletes: By path: the position deletes that may concern it.
        columns: The table's columns to read; all if None.
    """
    wanted = [field for field in table.schema().fields if columns is None or field.name in columns]
    if not paths:
        none = ", ".join(identifier(field.name) for field in wanted)
        return f"SELECT {_PLACE}, {none} FROM (SELECT '' AS {_FILE}, 0 AS {_POSITION}), ({_nothing(table)}) WHERE false"
    # DuckDB gives a row's place under names that a column of the table would hide.
    is_hidden = any(field.name.lower() in {"filename", "file_row_number"} for field in table.schema().fields)
    names = {field.field_id: f"column {field.field_id}" if is_hidden else field.name for field in table.schema().fields}
    kept = ", ".join(f"{identifier(names[field.field_id])} AS {identifier(field.name)}" for field in wanted)
    rows = (
        f"SELECT filename AS {_FILE}, file_row_number AS {_POSITION}, {kept} "
        f"FROM {_scan(table, paths, names if is_hidden else None)}"
    )
    gone = {file.file_path for path in paths for file in deletes.get(path, ())}
    if not gone:
        return rows
    return f"SELECT * FROM ({rows}) AS kept ANTI JOIN ({places(sorted(gone))}) AS gone USING ({_PLACE})"


def places(paths: Sequence[str]) -> str:
    """Return a SELECT over files of position deletes: `FILE_COLUMN` and `POSITION_COLUMN`."""
    return (
        f"SELECT file_path AS {_FILE}, pos AS {_POSITION} "
        f"FROM read_parquet({text_list(paths)}, hive_partitioning = false)"
    )


def live_relation(table: Table, live: LiveFiles, files: Iterable[DataFile] | None = None) -> str:
    """Return a SELECT over the live rows of some of a snapshot's data files, of all if None."""
    chosen = live.data if files is None else tuple(files)
    return relation(table, chosen, deletes={file.file_path: live.deletes_of(file) for file in chosen})


def snapshot_relation(table: Table, *, snapshot_id: int | None = None) -> str:
    """Return a SELECT over a snapshot of the table (the current one if None).

    Raises:
        DeleteFilesError: The snapshot has equality deletes.
        ValueError: The table has no such snapshot.
    """
    return live_relation(table, live_files(table, snapshot_id=snapshot_id))


def _nothing(table: Table) -> str:
    nulls = ", ".join(
        f"CAST(NULL AS {duckdb_type(field.field_type)}) AS {identifier(field.name)}" for field in table.schema().fields
    )
    return f"SELECT {nulls}"


def _scan(table: Table, paths: Sequence[str], names: Mapping[int, str] | None = None) -> str:
    """Return what stands after FROM to read whole data files, under the given names by field id if any."""
    fields = table.schema().fields
    options = "hive_partitioning = false"
    is_settled = all(schema.fields == fields for schema in table.schemas().values())
    # Spark writes other names than plain ones in its own spelling: ``a b`` as ``a_x20b``.
    if names is None and is_settled and all(_PLAIN_NAME.fullmatch(field.name) for field in fields):
        return f"read_parquet({text_list(paths)}, {options})"
    by_id = ", ".join(
        f"{field.field_id}: {{name: {literal(names[field.field_id] if names else field.name)}, "
        f"type: {literal(duckdb_type(field.field_type))}, default_value: NULL}}"
        for field in fields
    )
    return f"read_parquet({text_list(paths)}, {options}, schema = MAP {{{by_id}}})"
