"""Logical column types: what a value means, independent of any engine.

A logical type is a short text (``bigint``, ``decimal(12,2)``, ``timestamptz`` ...), so a
contract reads well as JSON. The engines' own names are derived in `etl.engine`.
"""

from __future__ import annotations

import re
from enum import StrEnum


class LogicalType(StrEnum):
    """The families a contract may use; ``DECIMAL`` is always written with precision and scale."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    BIGINT = "bigint"
    DOUBLE = "double"
    DECIMAL = "decimal"
    TEXT = "text"
    JSON = "json"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    BINARY = "binary"


_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")


def family(logical_type: str) -> LogicalType:
    """Return the family of a logical type: ``decimal(12,2)`` gives ``DECIMAL``.

    Raises:
        ValueError: The text names no logical type.
    """
    if _DECIMAL.fullmatch(logical_type):
        return LogicalType.DECIMAL
    return LogicalType(logical_type)


def decimal_shape(logical_type: str) -> tuple[int, int]:
    """Return (precision, scale) of ``decimal(p,s)``.

    Raises:
        ValueError: The type is not a decimal.
    """
    match = _DECIMAL.fullmatch(logical_type)
    if match is None:
        message = f"{logical_type!r} is not decimal(precision,scale)"
        raise ValueError(message)
    return int(match[1]), int(match[2])
