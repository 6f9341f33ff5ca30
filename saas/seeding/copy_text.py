r"""Columns to the text that PostgreSQL's COPY reads: tabs between fields, a newline after each row, NULL as ``\N``.

Instants are written in UTC without a zone: the session that copies them in has its time zone set to UTC.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saas.seeding.columns import INSTANT, Column

_NULL = "\\N"
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
"""The backslash first: the others bring new ones."""


def encode(batch: Column) -> memoryview:
    """Return a record batch's rows as text, UTF-8.

    The rows are joined into one string column, whose values Arrow keeps next to each other in
    memory: that memory is the text, and nothing is copied.
    """
    texts = [_texts(column) for column in batch.columns]
    texts[-1] = pc.binary_join_element_wise(texts[-1], "\n", "", null_handling="replace", null_replacement=_NULL)
    lines = pc.binary_join_element_wise(*texts, "\t", null_handling="replace", null_replacement=_NULL)
    _, offsets, text = lines.buffers()
    end = int(np.frombuffer(offsets, dtype=np.int32)[len(lines)])
    return memoryview(text)[:end]


def _texts(column: Column) -> Column:
    if pa.types.is_string(column.type):
        return _escaped(column)
    if column.type == INSTANT:
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.string())


def _escaped(column: Column) -> Column:
    """Escape what COPY would misread; most columns hold nothing of the kind, which a scan of their memory tells."""
    data = column.buffers()[2]
    if data is None:
        return column
    content = data.to_pybytes()
    for plain, escaped in _ESCAPES:
        if plain.encode() in content:
            column = pc.replace_substring(column, plain, escaped)
    return column
