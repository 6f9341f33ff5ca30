"""What changed between two versions of a contract, in sentences; columns are the same if PostgreSQL says so.

A column keeps its number (``attnum``) for life, through every renaming and change of type.
One that was dropped and added again under its old name is therefore another column.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etl.contracts.table import Column, TableContract
from etl.contracts.types import LogicalType, decimal_shape, family


class ChangeKind(StrEnum):
    """What happened to a contract."""

    ADDED = "added"
    DROPPED = "dropped"
    RENAMED = "renamed"
    WIDENED = "widened"
    """The new type holds every value of the old one, unchanged: silver follows on its own."""
    NARROWED = "narrowed"
    """Values of the old type cannot be read as the new one, unchanged: silver stops for that table."""
    RETYPED = "retyped"
    """Another type at the source that means the same in the lake."""
    REQUIRED = "required"
    OPTIONAL = "optional"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChange:
    """One difference."""

    kind: ChangeKind
    column: str
    """Its name in the newer version, or in the older one if it is gone; empty for the key."""
    sentence: str


def contract_changes(before: TableContract, after: TableContract) -> tuple[ContractChange, ...]:
    """Return what has to be done to one contract to get the other, in column order, the key last.

    Args:
        before: The older version.
        after: The newer one, of the same table.
    """
    old = {column.attnum: column for column in before.columns}
    new = {column.attnum: column for column in after.columns}
    changes: list[ContractChange] = []
    for attnum in sorted({*old, *new}):
        if attnum not in new:
            changes.append(_change(ChangeKind.DROPPED, old[attnum].name, f"{_typed(old[attnum])} was dropped."))
        elif attnum not in old:
            may = "may be empty" if new[attnum].nullable else "is never empty"
            changes.append(_change(ChangeKind.ADDED, new[attnum].name, f"{_typed(new[attnum])} was added; it {may}."))
        else:
            changes += _column_changes(old[attnum], new[attnum])
    renamed = {column.name: new[attnum].name for attnum, column in old.items() if attnum in new}
    if tuple(renamed.get(name, name) for name in before.key) != after.key:
        was, now = ", ".join(before.key), ", ".join(after.key)
        changes.append(_change(ChangeKind.KEY, "", f"The key was ({was}) and is now ({now})."))
    return tuple(changes)


def _column_changes(old: Column, new: Column) -> list[ContractChange]:
    changes = []
    if old.name != new.name:
        changes.append(_change(ChangeKind.RENAMED, new.name, f"{old.name} was renamed to {new.name}."))
    if old.type != new.type or old.source_type != new.source_type:
        changes.append(_type_change(old, new))
    if old.nullable != new.nullable:
        kind, may = (
            (ChangeKind.OPTIONAL, "may be empty now") if new.nullable else (ChangeKind.REQUIRED, "is never empty now")
        )
        changes.append(_change(kind, new.name, f"{new.name} {may}."))
    return changes


def _type_change(old: Column, new: Column) -> ContractChange:
    was, now = old.source_type, new.source_type
    if old.type == new.type:
        sentence = f"{new.name} was {was} and is now {now}; in the lake it stays {new.type}."
        return _change(ChangeKind.RETYPED, new.name, sentence)
    if is_widening(old.type, new.type):
        return _change(ChangeKind.WIDENED, new.name, f"{new.name} was widened from {was} to {now}.")
    sentence = f"{new.name} was {was} and is now {now}, as which older values cannot be read unchanged."
    return _change(ChangeKind.NARROWED, new.name, sentence)


def is_widening(old: str, new: str) -> bool:
    """Tell whether Iceberg reads values written as one logical type as another, without change.

    Source: Iceberg table specification, "Schema Evolution": int to long, and a decimal to more digits of equal scale.
    """
    match family(old), family(new):
        case LogicalType.INTEGER, LogicalType.BIGINT:
            return True
        case LogicalType.DECIMAL, LogicalType.DECIMAL:
            (old_digits, old_scale), (new_digits, new_scale) = decimal_shape(old), decimal_shape(new)
            return old_scale == new_scale and old_digits < new_digits
        case _:
            return False


def _change(kind: ChangeKind, column: str, sentence: str) -> ContractChange:
    return ContractChange(kind=kind, column=column, sentence=sentence)


def _typed(column: Column) -> str:
    return f"{column.name} ({column.source_type})"
