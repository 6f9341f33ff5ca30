"""Keep a silver table's schema at its contract: additions and widenings, nothing that loses."""

from __future__ import annotations

from typing import ClassVar

from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IcebergType, IntegerType, LongType

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import TableContract
from etl.contracts.types import LogicalType
from etl.engine.catalog import catalog_errors
from etl.engine.types import iceberg_schema
from etl.errors import OperatorError


class IncompatibleContractError(OperatorError):
    """The source's table changed in a way that would lose values silver holds."""

    guidance: ClassVar[str] = (
        "Undo the change at the source, or drop the silver table to have the next full load create it anew."
    )


def silver_schema(contract: TableContract) -> Schema:
    """Return the schema of a contract's silver table: its columns, commit time, change sequence."""
    columns = [(column.name, column.type) for column in contract.columns]
    own = [(COMMITTED_AT_FIELD, LogicalType.TIMESTAMPTZ), (CHANGE_SEQ_FIELD, LogicalType.TEXT)]
    return iceberg_schema([*columns, *own])


def evolve(table: Table, contract: TableContract) -> None:
    """Add the contract's new columns to the table and widen what it widened; nothing else changes.

    Raises:
        IncompatibleContractError: A column is gone, or its new type does not hold every old value.
        CatalogUnavailableError: No answer.
    """
    current = {field.name: field.field_type for field in table.schema().fields}
    wanted = {field.name: field.field_type for field in silver_schema(contract).fields}
    gone = sorted(current.keys() - wanted.keys())
    if gone:
        raise IncompatibleContractError(f"{contract.table} no longer has the column {', '.join(gone)}")
    changed = {name for name, wanted_type in wanted.items() if current.get(name, wanted_type) != wanted_type}
    for name in sorted(changed):
        if not _widens(current[name], wanted[name]):
            raise IncompatibleContractError(
                f"column {name} of {contract.table} is now {wanted[name]}, which does not hold every {current[name]}"
            )
    added = [name for name in wanted if name not in current]
    if not added and not changed:
        return
    with catalog_errors(), table.update_schema() as update:
        for name in added:
            update.add_column(name, wanted[name])
        for name in changed:
            update.update_column(name, field_type=wanted[name])


def _widens(old: IcebergType, new: IcebergType) -> bool:
    """Tell whether Iceberg reads files written with the old type as the new one."""
    match old, new:
        case IntegerType(), LongType():
            return True
        case DecimalType(), DecimalType():
            return old.scale == new.scale and old.precision < new.precision
        case _:
            return False
