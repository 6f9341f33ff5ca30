"""Logical types (`etl.contracts.types`) in the words of Iceberg and of DuckDB."""

from __future__ import annotations

from collections.abc import Iterable

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from etl.contracts.types import LogicalType, decimal_shape, family

_ICEBERG: dict[LogicalType, PrimitiveType] = {
    LogicalType.BOOLEAN: BooleanType(),
    LogicalType.INTEGER: IntegerType(),
    LogicalType.BIGINT: LongType(),
    LogicalType.DOUBLE: DoubleType(),
    LogicalType.TEXT: StringType(),
    LogicalType.JSON: StringType(),
    LogicalType.DATE: DateType(),
    LogicalType.TIMESTAMP: TimestampType(),
    LogicalType.TIMESTAMPTZ: TimestamptzType(),
    LogicalType.BINARY: BinaryType(),
}

_DUCKDB: dict[PrimitiveType, str] = {
    BooleanType(): "BOOLEAN",
    IntegerType(): "INTEGER",
    LongType(): "BIGINT",
    DoubleType(): "DOUBLE",
    StringType(): "VARCHAR",
    DateType(): "DATE",
    TimestampType(): "TIMESTAMP",
    TimestamptzType(): "TIMESTAMPTZ",
    BinaryType(): "BLOB",
}


def iceberg_type(logical_type: str) -> PrimitiveType:
    """Return the Iceberg type of a logical type.

    Raises:
        ValueError: The text names no logical type.
    """
    if family(logical_type) is LogicalType.DECIMAL:
        return DecimalType(*decimal_shape(logical_type))
    return _ICEBERG[family(logical_type)]


def logical_type(iceberg: IcebergType) -> str:
    """Return the logical type of an Iceberg type; of text, which also holds JSON, ``text``.

    Raises:
        KeyError: A type the lake does not use, e.g. a nested one.
    """
    if isinstance(iceberg, DecimalType):
        return f"{LogicalType.DECIMAL}({iceberg.precision},{iceberg.scale})"
    logical = {kind: name for name, kind in _ICEBERG.items() if name is not LogicalType.JSON}
    if not isinstance(iceberg, PrimitiveType):
        raise KeyError(str(iceberg))
    return str(logical[iceberg])


def duckdb_type(iceberg: IcebergType) -> str:
    """Return the DuckDB type that writes and reads an Iceberg type without change.

    Raises:
        KeyError: A type the lake does not use, e.g. a nested one.
    """
    if isinstance(iceberg, DecimalType):
        return f"DECIMAL({iceberg.precision},{iceberg.scale})"
    if not isinstance(iceberg, PrimitiveType):
        raise KeyError(str(iceberg))
    return _DUCKDB[iceberg]


def iceberg_schema(columns: Iterable[tuple[str, str]]) -> Schema:
    """Return the schema of (name, logical type) pairs, field ids counting from 1.

    Every field is optional: DuckDB writes optional Parquet columns, and a reader may
    refuse a file that promises less than its table. Checks hold keys non-null instead.

    Raises:
        ValueError: A type is not a logical type.
    """
    return Schema(
        *(
            NestedField(field_id=number, name=name, field_type=iceberg_type(logical_type), required=False)
            for number, (name, logical_type) in enumerate(columns, start=1)
        )
    )
