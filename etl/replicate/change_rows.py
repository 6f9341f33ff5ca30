"""Prints decoded changes as bronze rows, with the texts that a full load prints.

What `etl.replicate.snapshot` asks the server to print differently from its own output
(booleans, times with a zone, bytes ...) is done here to the text that the stream carries.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from etl.bronze.layout import change_fields
from etl.bronze.reader import MAX_ROW_BYTES
from etl.contracts.table import TableContract
from etl.ports.replicator import UnsupportedColumnError
from etl.replicate.lsn import ChangeSeq, change_seq
from etl.replicate.pgoutput import Changes, Values
from etl.replicate.shape import Shape

MICROSECONDS_TO_2000 = 946_684_800_000_000
"""From 1970-01-01, where clocks count from, to 2000-01-01, where PostgreSQL does."""

_CSV = pa.csv.WriteOptions(include_header=False, quoting_style="all_valid")
_LSN_DIGITS = 20
_ORDINAL_DIGITS = 15
_ZONE = b"+00"
_HEX_PREFIX = 2  # \x
_LONGEST_EXACT_EXPONENT = 15  # PostgreSQL prints a double from here on, and below 1e-4, with an exponent.
_SMALLEST_EXACT_EXPONENT = -4


class RowTooLongError(UnsupportedColumnError):
    """A row is longer than bronze carries."""

    guidance: ClassVar[str] = "Shorten the row's values at the source, then run `manage.py lakehouse resync <table>`."


def header(contract: TableContract) -> bytes:
    """Return the first line of the table's files of changes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(change_fields(contract))
    return line.getvalue().encode()


def print_changes(shape: Shape, changes: Changes) -> bytes:
    """Return the changes as CSV: every value in quotes, NULL as nothing.

    Raises:
        RowTooLongError: A row is longer than bronze carries; its field ``row`` is the row's number.
    """
    columns, old_columns = _completed(changes)
    sequences, committed_at = _places(changes)
    arrays = [
        _letters(changes.letters),
        committed_at,
        *(_print(kind, values) for kind, values in zip(shape.base_types, columns, strict=True)),
        sequences,
        _unchanged(shape.contract, columns),
        _old_keys(shape, changes, columns, old_columns),
    ]
    table = pa.table(arrays, names=[str(number) for number in range(len(arrays))])
    longest = int(reduce(np.add, (values.lengths for values in columns)).max())
    if 2 * longest + 64 * len(arrays) > MAX_ROW_BYTES:  # Quotes double, at worst.
        _check_lengths(shape.contract, table)
    return _csv(table)


def first_and_last(changes: Changes) -> tuple[ChangeSeq, ChangeSeq]:
    """Return the change sequences of the first and the last change."""
    first, last = (change_seq(int(changes.end_lsns[at]), int(changes.ordinals[at])) for at in (0, -1))
    return first, last


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, _CSV)
    return cast("bytes", sink.getvalue().to_pybytes())


def _check_lengths(contract: TableContract, table: pa.Table) -> None:
    """Refuse rows that readers would refuse.

    Raises:
        RowTooLongError: There is one.
    """
    for row in range(table.num_rows):
        if len(_csv(table.slice(row, 1))) > MAX_ROW_BYTES:
            raise RowTooLongError(f"A row of {contract.table} has more than {MAX_ROW_BYTES} bytes as text.", row=row)


def _completed(changes: Changes) -> tuple[tuple[Values, ...], tuple[Values, ...]]:
    """Take unchanged values, which were not sent again, from the old row where that was sent."""
    if not changes.has_old.any():
        return changes.columns, changes.old_columns
    rows = np.flatnonzero(changes.has_old)
    completed = []
    for values, old in zip(changes.columns, changes.old_columns, strict=True):
        known = values.is_unchanged[rows] & old.is_text
        if not known.any():
            completed.append(values)
            continue
        starts, lengths = values.starts.copy(), values.lengths.copy()
        is_text, is_unchanged = values.is_text.copy(), values.is_unchanged.copy()
        here = rows[known]
        starts[here], lengths[here] = old.starts[known], old.lengths[known]
        is_text[here], is_unchanged[here] = True, False
        completed.append(replace(values, starts=starts, lengths=lengths, is_text=is_text, is_unchanged=is_unchanged))
    return tuple(completed), changes.old_columns


def _letters(letters: NDArray[np.uint8]) -> pa.Array:
    offsets = np.arange(len(letters) + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(len(letters), pa.py_buffer(offsets), pa.py_buffer(letters))


def _places(changes: Changes) -> tuple[pa.Array, pa.Array]:
    """Return the changes' sequences and commit times as text."""
    begins = np.flatnonzero(np.diff(changes.end_lsns, prepend=np.uint64(0)) != 0)
    transaction = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(changes)))
    digits = np.empty((len(changes), _LSN_DIGITS + _ORDINAL_DIGITS), dtype=np.uint8)
    digits[:, :_LSN_DIGITS] = _digits(changes.end_lsns[begins], _LSN_DIGITS)[transaction]
    digits[:, _LSN_DIGITS:] = _digits(changes.ordinals.astype(np.uint64), _ORDINAL_DIGITS)
    offsets = np.arange(0, digits.size + 1, digits.shape[1], dtype=np.int32)
    sequences = pa.StringArray.from_buffers(len(changes), pa.py_buffer(offsets), pa.py_buffer(digits))
    times = pa.array(changes.committed_us[begins] + MICROSECONDS_TO_2000, pa.timestamp("us"))
    return sequences, times.cast(pa.string()).take(pa.array(transaction))


def _digits(numbers: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    """Return the numbers' decimal digits in ASCII, a row each, with leading zeros."""
    digits = np.full((len(numbers), width), ord("0"), dtype=np.uint8)
    rest = numbers
    for place in range(width - 1, -1, -1):
        if not rest.any():
            break
        rest, digit = np.divmod(rest, np.uint64(10))
        digits[:, place] += digit.astype(np.uint8)
    return digits


def _unchanged(contract: TableContract, columns: Sequence[Values]) -> pa.Array:
    """Return, per row, the names of the columns whose value was not sent and is not known, separated by commas."""
    rows = len(columns[0].starts) if columns else 0
    matrix = np.column_stack([values.is_unchanged for values in columns])
    lacking = np.flatnonzero(matrix.any(axis=1))
    if not len(lacking):
        return pa.nulls(rows, pa.string())
    patterns, which = np.unique(matrix[lacking], axis=0, return_inverse=True)
    names = [_listed(name) for name in contract.column_names]
    texts = [",".join(name for name, is_in in zip(names, pattern, strict=True) if is_in) for pattern in patterns]
    return _scattered(rows, lacking, [texts[at] for at in which.reshape(-1)])


def _listed(name: str) -> str:
    """Return a name as it stands in a list: a comma must not end it."""
    return name.replace("%", "%25").replace(",", "%2C")


def _old_keys(shape: Shape, changes: Changes, columns: Sequence[Values], old_columns: Sequence[Values]) -> pa.Array:
    """Return, per row, the key before the update as a JSON object of texts, if the update changed it."""
    rows = np.flatnonzero(changes.has_old)
    if not len(rows):
        return pa.nulls(len(changes), pa.string())
    key = [shape.contract.column_names.index(name) for name in shape.contract.key]
    is_changed = np.zeros(len(rows), dtype=np.bool_)
    olds = []
    for at in key:
        old = _print(shape.base_types[at], old_columns[at])
        new = _print(shape.base_types[at], columns[at].only(rows))
        is_changed |= pc.fill_null(pc.not_equal(old, new), fill_value=False).to_numpy(zero_copy_only=False)
        olds.append(old)
    chosen = np.flatnonzero(is_changed)
    texts = [
        json.dumps(dict(zip(shape.contract.key, values, strict=True)), ensure_ascii=False)
        for values in zip(*(old.take(pa.array(chosen)).to_pylist() for old in olds), strict=True)
    ]
    return _scattered(len(changes), rows[chosen], texts)


def _scattered(rows: int, places: NDArray[np.int64], texts: Sequence[str]) -> pa.Array:
    """Return an array that holds the texts at the places, and else NULL."""
    if not len(places):
        return pa.nulls(rows, pa.string())
    indices = np.zeros(rows, dtype=np.int64)
    indices[places] = np.arange(len(places))
    is_null = np.ones(rows, dtype=np.bool_)
    is_null[places] = False
    return pa.array(texts, pa.string()).take(pa.array(indices, mask=is_null))


def _print(base_type: str, values: Values) -> pa.Array:
    """Return a column's texts as a full load prints them; see `etl.replicate.snapshot`."""
    return _PRINTERS.get(base_type, Values.array)(values)


def _print_bytes(values: Values) -> pa.Array:
    """Leave out the two characters that begin every bytea."""
    cut = _HEX_PREFIX * values.is_text
    return replace(values, starts=values.starts + cut, lengths=values.lengths - cut).array()


def _print_characters(values: Values) -> pa.Array:
    """Leave out the padding of a char(n), as a cast to text does."""
    return pc.utf8_rtrim(values.array(), characters=" ")


def _print_addresses(values: Values) -> pa.Array:
    return _each(_with_mask, values)


def _print_reals(values: Values) -> pa.Array:
    return _each(_as_double, values)


def _each(function: Callable[[str], str], values: Values) -> pa.Array:
    texts = values.array().to_pylist()
    return pa.array([None if text is None else function(text) for text in texts], pa.string())


def _print_booleans(values: Values) -> pa.Array:
    data = np.frombuffer(values.data, dtype=np.uint8)
    is_true = data[np.where(values.is_text, values.starts, 0)] == ord("t")
    return pc.if_else(pa.array(is_true, mask=~values.is_text), "true", "false")


def _print_moments(values: Values) -> pa.Array:
    """Leave out the zone, which is UTC's: it ends the text unless the era does."""
    data = np.frombuffer(values.data, dtype=np.uint8)
    last = np.where(values.is_text, values.starts + values.lengths, len(_ZONE))
    has_zone = values.is_text & (data[last - len(_ZONE)] == _ZONE[0])
    texts = replace(values, lengths=values.lengths - len(_ZONE) * has_zone).array()
    if (values.is_text & (data[last - 1] == ord("C"))).any():
        texts = pc.replace_substring(texts, pattern="+00 BC", replacement=" BC")
    return texts


def _with_mask(text: str) -> str:
    """Return an address as a cast to text prints it: with its mask."""
    if "/" in text:
        return text
    return f"{text}/128" if ":" in text else f"{text}/32"


def _as_double(text: str) -> str:
    """Return the text of a real as PostgreSQL prints the same number as a double."""
    number = float(np.float32(text))
    if not np.isfinite(number):
        return text
    mantissa, _, exponent_text = np.format_float_scientific(number, trim="-").partition("e")
    exponent = int(exponent_text)
    if not _SMALLEST_EXACT_EXPONENT <= exponent < _LONGEST_EXACT_EXPONENT:
        return f"{mantissa}e{exponent:+03d}"
    return np.format_float_positional(number, trim="-")


_PRINTERS: Mapping[str, Callable[[Values], pa.Array]] = {
    "bool": _print_booleans,
    "timestamptz": _print_moments,
    "bytea": _print_bytes,
    "bpchar": _print_characters,
    "float4": _print_reals,
    "inet": _print_addresses,
}
"""By name in ``pg_catalog``; other types' own output is what a full load prints."""
