"""The text is what PostgreSQL's COPY reads."""

import re

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from saas.seeding import columns
from saas.seeding.copy_text import encode

UNESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def decode(text: bytes) -> list[list[str | None]]:
    """Read COPY's text format as its documentation describes it."""
    rows = text.decode().split("\n")
    assert rows.pop() == "", "the last row ends with a newline"
    return [
        [
            None if field == "\\N" else re.sub(r"\\(.)", lambda match: UNESCAPED[match[1]], field)
            for field in row.split("\t")
        ]
        for row in rows
    ]


def test_every_kind_of_column():
    batch = columns.rows(
        {
            "whole": columns.whole(np.array([1, columns.NONE])),
            "money": columns.money(np.array([5, 123_456])),
            "at": columns.instants(np.array([0, 1_700_000_000_123_456])),
            "day": columns.days(np.array([20_000, columns.NONE])),
            "flag": columns.flags(np.array([True, False])),
            "text": columns.words(["plain", None]),
        }
    )
    assert bytes(encode(batch)) == (
        b"1\t0.05\t1970-01-01 00:00:00.000000\t2024-10-04\ttrue\tplain\n"
        b"\\N\t1234.56\t2023-11-14 22:13:20.123456\t\\N\tfalse\t\\N\n"
    )


TEXTS = st.text(st.sampled_from('\\\t\n\rNn. ,"é🌻') | st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(st.none() | TEXTS, st.none() | TEXTS), min_size=1))
def test_any_text_comes_back(rows: list[tuple[str | None, str | None]]):
    first, second = (pa.array(column, type=pa.string()) for column in zip(*rows, strict=True))
    decoded = decode(bytes(encode(columns.rows({"first": first, "second": second}))))
    assert decoded == [list(row) for row in rows]
