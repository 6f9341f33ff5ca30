"""Values as they leave in JSON and CSV: money as text, so that nothing is rounded; no formula for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from etl.ports.query_engine import Value

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def plain(value: Value) -> str | int | float | bool | None:
    """Return the value for JSON."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Value]]) -> Iterator[str]:
    """Yield the lines of a CSV file one by one."""
    writer = csv.writer(_Echo())
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


class _Echo:
    """A file for `csv.writer` that hands each line back instead of storing it."""

    def write(self, line: str) -> str:
        return line


def _cell(value: Value) -> str | int | float | bool | None:
    """Return the value for a spreadsheet; text that it would run as a formula is made plain text.

    Source: OWASP, CSV Injection.
    """
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return plain(value)
