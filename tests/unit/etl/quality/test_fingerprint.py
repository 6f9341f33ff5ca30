"""The fingerprint as DuckDB computes it; that PostgreSQL computes the same is an integration test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isnan, nan

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etl.contracts.table import TableContract
from etl.engine.types import duckdb_type, iceberg_type
from etl.quality.fingerprint import Fingerprint, silver_fingerprint_sql, source_fingerprint_sql
from tests.contracts import contract

THINGS = contract(
    "things", ("id", "bigint"), ("a", "text"), ("b", "text"), ("whole", "integer"), ("amount", "decimal(12,2)"),
    ("flag", "boolean"), ("day", "date"), ("moment", "timestamptz"), ("local", "timestamp"), ("ratio", "double"),
    ("bytes", "binary"), ("data", "json"), ("fraction", "decimal(4,4)"),
)  # fmt: skip

text = st.none() | st.text(alphabet="ab|~:1\u00e9\U0001f926 ", max_size=6)
VALUES = {
    "a": text,
    "b": text,
    "whole": st.none() | st.integers(-(2**31), 2**31 - 1),
    "amount": st.none() | st.decimals(-(10**9), 10**9, places=2),
    "flag": st.none() | st.booleans(),
    "day": st.none() | st.dates(),
    "moment": st.none() | st.datetimes(timezones=st.just(UTC)),
    "local": st.none() | st.datetimes(),
    "ratio": st.none() | st.floats(),
    "bytes": st.none() | st.binary(max_size=4),
    "data": st.none() | st.sampled_from(["{}", "[]", "null", "1"]),
    "fraction": st.none() | st.decimals(Decimal("-0.9999"), Decimal("0.9999"), places=4),
}
rows = st.fixed_dictionaries({"id": st.integers(-(2**63), 2**63 - 1), **VALUES})


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{column.name}" {duckdb_type(iceberg_type(column.type))}' for column in THINGS.columns)
    connection.execute(f"CREATE TABLE things ({columns})")
    return connection


def fingerprint(connection: duckdb.DuckDBPyConnection, things: Sequence[dict[str, object]]) -> Fingerprint:
    connection.execute("DELETE FROM things")
    if things:
        row = f"({', '.join('?' * len(THINGS.columns))})"
        values = [thing[name] for thing in things for name in THINGS.column_names]
        connection.execute(f"INSERT INTO things VALUES {', '.join([row] * len(things))}", values)
    ((count, hi, lo),) = connection.execute(silver_fingerprint_sql(THINGS, "SELECT * FROM things")).fetchall()
    return Fingerprint(rows=count, hash_hi=hi, hash_lo=lo)


def same(one: object, other: object) -> bool:
    """Tell whether two values are one value to PostgreSQL."""
    if isinstance(one, float) and isinstance(other, float) and isnan(one) and isnan(other):
        return True
    return type(one) is type(other) and one == other


def test_nothing_is_zero(connection: duckdb.DuckDBPyConnection) -> None:
    assert fingerprint(connection, []) == Fingerprint(rows=0, hash_hi=0, hash_lo=0)
    assert fingerprint(connection, []).hash == "0-0"


@settings(max_examples=60)
@given(things=st.lists(rows, min_size=1, max_size=4), data=st.data())
def test_every_change_of_one_cell_is_seen(
    connection: duckdb.DuckDBPyConnection, things: list[dict[str, object]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(things) - 1))
    column = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(VALUES[column])
    assume(not same(value, things[number][column]))
    changed = [*things[:number], {**things[number], column: value}, *things[number + 1 :]]
    assert fingerprint(connection, changed) != fingerprint(connection, things)


@settings(max_examples=60)
@given(things=st.lists(rows, max_size=5), data=st.data())
def test_row_order_is_not_seen(
    connection: duckdb.DuckDBPyConnection, things: list[dict[str, object]], data: st.DataObject
) -> None:
    assert fingerprint(connection, data.draw(st.permutations(things))) == fingerprint(connection, things)


@given(thing=rows)
def test_repeated_rows_are_seen(connection: duckdb.DuckDBPyConnection, thing: dict[str, object]) -> None:
    found = {fingerprint(connection, [thing] * times).hash for times in range(4)}
    assert len(found) == 4


@given(one=rows, other=rows)
def test_values_that_change_places_are_seen(
    connection: duckdb.DuckDBPyConnection, one: dict[str, object], other: dict[str, object]
) -> None:
    assume(one["id"] != other["id"])
    assume(one["a"] != other["a"])
    swapped = [{**one, "a": other["a"]}, {**other, "a": one["a"]}]
    assert fingerprint(connection, swapped) != fingerprint(connection, [one, other])


def test_a_known_row_has_a_known_fingerprint(connection: duckdb.DuckDBPyConnection) -> None:
    """Pins the rule: a change of it would make every recorded fingerprint differ."""
    thing = {
        "id": 1, "a": "x|y", "b": None, "whole": -5, "amount": Decimal("1.50"), "flag": True, "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC), "local": None, "ratio": 0.5, "bytes": b"\xff",
        "data": "{}", "fraction": Decimal("-0.5"),
    }  # fmt: skip
    row = (
        "1|3|x|y|~|-5|1.50|true|2026-01-02|2026-01-02 03:04:05.6+00|~|"
        "0011111111100000000000000000000000000000000000000000000000000000|ff|2|{}|-0.5000"
    )
    assert fingerprint(connection, [thing]) == of_row(row)


@pytest.mark.parametrize(("ratio", "text"), [(0.0, "0"), (-0.0, "0"), (nan, "NaN")])
def test_equal_doubles_are_equal(connection: duckdb.DuckDBPyConnection, ratio: float, text: str) -> None:
    thing = {**dict.fromkeys(THINGS.column_names), "id": 1, "ratio": ratio}
    assert fingerprint(connection, [thing]) == of_row(f"1|~|~|~|~|~|~|~|~|{text}|~|~|~")


def of_row(row: str) -> Fingerprint:
    digest = hashlib.md5(row.encode(), usedforsecurity=False).hexdigest()
    return Fingerprint(rows=1, hash_hi=int(digest[:15], 16), hash_lo=int(digest[15:30], 16))


def test_the_source_is_asked_with_quoted_names() -> None:
    strange: TableContract = contract('other.a"b', ("id", "bigint"), ('c"d', "text"))
    assert '"other"."a""b"' in source_fingerprint_sql(strange)
    assert '"c""d"' in source_fingerprint_sql(strange)
