"""Numbers become typed columns without passing through a float."""

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.seeding import columns
from saas.seeding.pools import Grouped


@given(st.lists(st.integers(-(10**12) + 1, 10**12 - 1), min_size=1))
def test_cents_become_the_same_decimal(cents: list[int]):
    amounts = columns.money(np.array(cents, dtype=np.int64)).to_pylist()
    assert amounts == [Decimal(each).scaleb(-2) for each in cents]


def test_none_becomes_null():
    assert columns.whole(np.array([7, columns.NONE])).to_pylist() == [7, None]
    assert columns.days(np.array([20_000, columns.NONE])).to_pylist() == [date(2024, 10, 4), None]
    assert columns.take(columns.words(["a", "b"]), np.array([1, columns.NONE, 0])).to_pylist() == ["b", None, "a"]


def test_instants_are_utc():
    assert columns.instants(np.array([1_700_000_000_123_456])).to_pylist() == [
        datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=UTC)
    ]


def test_digits_are_filled_up():
    assert columns.digits(np.array([7, 12_345]), 4).to_pylist() == ["0007", "12345"]
    assert columns.digits(np.array([7, 12_345])).to_pylist() == ["7", "12345"]


def test_uuids_are_random_ones():
    octets = np.random.default_rng(1).integers(0, 256, (1_000, 16), dtype=np.uint8)
    texts = columns.uuids(octets).to_pylist()
    assert len(set(texts)) == len(texts)
    for text in texts:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)


def test_documents_and_members_are_json():
    values = ['a "quoted", text\nin two lines', {"nested": [1, None]}, "ü 🌻"]
    assert [json.loads(text) for text in columns.documents(values).to_pylist()] == values
    joined = columns.join('{"first": 1', columns.members("second", [*values, None]), "}").to_pylist()
    assert [json.loads(text) for text in joined] == [*({"first": 1, "second": each} for each in values), {"first": 1}]


@pytest.mark.parametrize("group", [0, 1, 2])
def test_pools_draw_from_the_group(group: int):
    pool = Grouped.of([["a", "b"], ["c"], ["d", "e", "f"]])
    drawn = pool.draw(np.random.default_rng(1), np.full(200, group))
    assert set(columns.take(pool.texts, drawn).to_pylist()) == [{"a", "b"}, {"c"}, {"d", "e", "f"}][group]
