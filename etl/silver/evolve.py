"""Keep a silver table's schema at its contract: whatever the source did to a column, short of losing values.

A column is known by its number at the source (``attnum``), which outlives renaming; the
table remembers which Iceberg field each number became.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IcebergType, IntegerType, LongType

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import Column, TableContract
from etl.contracts.types import LogicalType
from etl.engine.catalog import catalog_errors
from etl.engine.types import iceberg_schema, iceberg_type
from etl.errors import OperatorError

COLUMNS = "lakeside.columns"
"""Table property: JSON, by the source's column number the Iceberg field id."""

FILLS = "lakeside.fills"
"""Table property: JSON, by Iceberg field id the text that rows older than the column are still to be given."""

METADATA_PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
"""Of a table that gets a snapshot a second: nothing pins its metadata files, and as many would stay."""


class IncompatibleContractError(OperatorError):
    """The source's table changed in a way that would lose values silver holds."""

    guidance: ClassVar[str] = (
        "Undo the change at the source, or drop the silver table to have the next full load create it anew."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evolution:
    """What has to be done to a table's schema, by Iceberg field id."""

    drop: tuple[int, ...]
    rename: Mapping[int, str]
    widen: Mapping[int, IcebergType]
    add: tuple[Column, ...]

    def __bool__(self) -> bool:
        return bool(self.drop or self.rename or self.widen or self.add)


def silver_schema(contract: TableContract) -> Schema:
    """Return the schema of a contract's silver table: its columns, commit time, change sequence."""
    columns = [(column.name, column.type) for column in contract.columns]
    own = [(COMMITTED_AT_FIELD, LogicalType.TIMESTAMPTZ), (CHANGE_SEQ_FIELD, LogicalType.TEXT)]
    return iceberg_schema([*columns, *own])


def new_table_properties(contract: TableContract) -> dict[str, str]:
    """Return the properties with which a contract's silver table is created."""
    columns = {column.attnum: number for number, column in enumerate(contract.columns, start=1)}
    return {COLUMNS: json.dumps(columns), **METADATA_PROPERTIES}


def evolve(table: Table, contract: TableContract) -> None:
    """Bring the table's columns to the contract's: added, renamed, widened, dropped.

    An added column is NULL in the rows there are, unless the contract says what they have
    (`Column.fill`): then the table remembers that in `FILLS` until the rows are written
    anew. Snapshots from before keep their columns.

    Raises:
        IncompatibleContractError: A new type does not hold every old value, or the tenant's column came or went.
        CatalogUnavailableError: No answer.
    """
    fields = _fields_by_attnum(table, contract)
    evolution = _evolution(table, contract, fields)
    if not evolution and COLUMNS in table.properties:
        return
    names = {field.field_id: field.name for field in table.schema().fields}
    with catalog_errors(), table.transaction() as transaction:
        if evolution.drop or evolution.rename:
            with transaction.update_schema() as update:
                for field_id in evolution.drop:
                    update.delete_column((names[field_id],))
                for field_id in evolution.rename:  # By way of names that no column has: two may exchange theirs.
                    update.rename_column((names[field_id],), f"field\n{field_id}")
        if evolution:
            with transaction.update_schema() as update:
                for field_id, name in evolution.rename.items():
                    update.rename_column((f"field\n{field_id}",), name)
                for column in evolution.add:
                    update.add_column((column.name,), iceberg_type(column.type))
            with transaction.update_schema() as update:
                for field_id, wanted in evolution.widen.items():
                    name = transaction.table_metadata.schema().find_field(field_id).name
                    update.update_column((name,), field_type=wanted)
        schema = transaction.table_metadata.schema()
        known = {column.attnum: schema.find_field(column.name).field_id for column in contract.columns}
        properties = {COLUMNS: json.dumps(known)}
        fills = pending_fills(table) | {
            known[column.attnum]: column.fill for column in evolution.add if column.fill is not None
        }
        fills = {field_id: text for field_id, text in fills.items() if field_id in known.values()}
        if fills and table.current_snapshot() is not None:
            properties[FILLS] = json.dumps(fills)
        transaction.set_properties(properties)


def pending_fills(table: Table) -> dict[int, str]:
    """Return, by Iceberg field id, the texts that older rows are still to be given."""
    return {int(field_id): text for field_id, text in json.loads(table.properties.get(FILLS, "{}")).items()}


def _fields_by_attnum(table: Table, contract: TableContract) -> dict[int, int]:
    """Return the Iceberg field of each of the source's columns that the table has; by name in a table of old."""
    if (known := table.properties.get(COLUMNS)) is not None:
        return {int(attnum): field_id for attnum, field_id in json.loads(known).items()}
    own = {COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD}
    fields = {field.name: field.field_id for field in table.schema().fields if field.name not in own}
    found = {column.attnum: fields.pop(column.name) for column in contract.columns if column.name in fields}
    return found | {-field_id: field_id for field_id in fields.values()}  # What the contract has no more.


def _evolution(table: Table, contract: TableContract, fields: Mapping[int, int]) -> _Evolution:
    """Compare a table with a contract.

    Raises:
        IncompatibleContractError: The table cannot follow.
    """
    schema = table.schema()
    tenant = contract.tenant_column
    tenant_field = fields.get(contract.column(tenant).attnum) if tenant else None
    if [field.source_id for field in table.spec().fields] != ([tenant_field] if tenant_field else []):
        raise IncompatibleContractError(f"the column that tells the tenants of {contract.table} apart came or went")
    rename: dict[int, str] = {}
    widen: dict[int, IcebergType] = {}
    for column in contract.columns:
        if column.attnum not in fields:
            continue
        field, wanted = schema.find_field(fields[column.attnum]), iceberg_type(column.type)
        if field.name != column.name:
            rename[field.field_id] = column.name
        if field.field_type != wanted:
            if not _widens(field.field_type, wanted):
                raise IncompatibleContractError(
                    f"column {column.name} of {contract.table} is now {wanted}, "
                    f"which does not hold every {field.field_type}"
                )
            widen[field.field_id] = wanted
    present = {column.attnum for column in contract.columns}
    return _Evolution(
        drop=tuple(field_id for attnum, field_id in fields.items() if attnum not in present),
        rename=rename,
        widen=widen,
        add=tuple(column for column in contract.columns if column.attnum not in fields),
    )


def _widens(old: IcebergType, new: IcebergType) -> bool:
    """Tell whether Iceberg reads files written with the old type as the new one."""
    match old, new:
        case IntegerType(), LongType():
            return True
        case DecimalType(), DecimalType():
            return old.scale == new.scale and old.precision < new.precision
        case _:
            return False
