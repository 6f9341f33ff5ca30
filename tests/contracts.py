"""Contracts made by hand, for tests that need no source."""

from __future__ import annotations

from etl.contracts.table import Column, TableContract, TableId


def contract(table: str, *columns: tuple[str, str], key: tuple[str, ...] = ("id",), version: int = 1) -> TableContract:
    """Make a contract of (name, logical type) pairs; key columns and types ending in ``!`` are required."""
    return TableContract(
        table=TableId.parse(table),
        version=version,
        columns=tuple(
            Column(
                name=name,
                attnum=number,
                source_type=logical_type.rstrip("!"),
                type=logical_type.rstrip("!"),
                nullable=name not in key and not logical_type.endswith("!"),
            )
            for number, (name, logical_type) in enumerate(columns, start=1)
        ),
        key=key,
    )
