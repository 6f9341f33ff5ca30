"""Typed Arrow columns from the numbers that tables draw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saas.seeding.shapes import Bools, Ints

Column: TypeAlias = Any
"""A pyarrow array; the library has no types of its own."""

MONEY = pa.decimal128(12, 2)
INSTANT = pa.timestamp("us", tz="UTC")

NONE = -1
"""Stands in a column of numbers for NULL: ids, days and positions are never negative."""


def whole(numbers: Ints) -> Column:
    """Return a bigint column; `NONE` becomes NULL."""
    return pa.array(numbers, mask=_missing(numbers))


def money(cents: Ints) -> Column:
    """Return a numeric(12,2) column: the cents become the decimal's unscaled value, without a float."""
    words = np.empty((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(words)])


def instants(microseconds: Ints) -> Column:
    """Return a timestamptz column from microseconds since 1970 UTC."""
    return pa.array(microseconds).cast(INSTANT)


def days(numbers: Ints) -> Column:
    """Return a date column from days since 1970; `NONE` becomes NULL."""
    return pa.array(numbers.astype(np.int32), mask=_missing(numbers)).cast(pa.date32())


def flags(answers: Bools) -> Column:
    """Return a boolean column."""
    return pa.array(answers)


def words(pool: Sequence[str | None]) -> Column:
    """Return a pool of texts to `take` from."""
    return pa.array(pool, type=pa.string())


def documents(pool: Iterable[object]) -> Column:
    """Return a pool of JSON texts to `take` from or to `join` into bigger documents."""
    return words([json.dumps(each, ensure_ascii=False) for each in pool])


def members(name: str, pool: Iterable[object]) -> Column:
    """Return a pool of JSON object members, ``, "name": value``; nothing where the value is None."""
    return words(
        ["" if each is None else f", {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for each in pool]
    )


def take(pool: Column, positions: Ints) -> Column:
    """Return the texts at ``positions``; NULL at `NONE`."""
    return pool.take(pa.array(positions.astype(np.int32), mask=_missing(positions)))


def join(*parts: Column | str) -> Column:
    """Return the parts of each row put together."""
    return pc.binary_join_element_wise(*parts, "")


def together(*pools: Column) -> Column:
    """Return pools one after the other, as one."""
    return pa.concat_arrays(pools)


def digits(numbers: Ints, width: int = 0) -> Column:
    """Return whole numbers as text, filled with zeros to ``width`` characters."""
    texts = pa.array(numbers).cast(pa.string())
    return pc.utf8_lpad(texts, width, "0") if width else texts


def uuids(random_bytes: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Column:
    """Return version 4 UUIDs as text.

    Args:
        random_bytes: Sixteen a row.
    """
    octets = random_bytes.copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x40
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    hexadecimal = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    nibbles = np.empty((len(octets), 32), dtype=np.uint8)
    nibbles[:, 0::2] = hexadecimal[octets >> 4]
    nibbles[:, 1::2] = hexadecimal[octets & 0x0F]
    texts = np.insert(nibbles, (8, 12, 16, 20), ord("-"), axis=1)
    offsets = np.arange(len(octets) + 1, dtype=np.int32) * texts.shape[1]
    return pa.StringArray.from_buffers(len(octets), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(texts)))


def rows(columns: Mapping[str, Column]) -> Column:
    """Return columns as one record batch."""
    return pa.RecordBatch.from_pydict(dict(columns))


def _missing(numbers: Ints) -> Bools | None:
    missing = numbers == NONE
    return missing if missing.any() else None
