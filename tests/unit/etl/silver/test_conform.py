"""What becomes of every text that PostgreSQL, or somebody else, may have put into a bronze field."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf, isnan

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.silver.conform import conformed, latest, reasons, typed
from tests.contracts import contract

SEQ = "0" * 34 + "1"


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def conform(connection: duckdb.DuckDBPyConnection, logical_type: str, text: str | None) -> object:
    ((value,),) = connection.execute(
        f"SELECT {typed('c', logical_type)} FROM (SELECT CAST(? AS VARCHAR) AS c)", [text]
    ).fetchall()
    return value


GOOD = [
    ("text", "", ""),
    ("text", "NULL", "NULL"),
    ("text", "\\N", "\\N"),
    ("json", '{"a": [1, "é", null]}', '{"a": [1, "é", null]}'),
    ("json", "1" + "0" * 400, "1" + "0" * 400),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("boolean", "T", True),
    ("boolean", "0", False),
    ("integer", "-2147483648", -(2**31)),
    ("integer", "2147483647", 2**31 - 1),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("bigint", "0", 0),
    ("decimal(12,2)", "9999999999.99", Decimal("9999999999.99")),
    ("decimal(12,2)", "-0.01", Decimal("-0.01")),
    ("decimal(12,2)", "7", Decimal("7.00")),
    ("decimal(5,0)", "-12300", Decimal(-12300)),
    ("decimal(5,5)", "0.00012", Decimal("0.00012")),
    ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
    ("double", "1e+20", 1e20),
    ("double", "-0.1", -0.1),
    ("double", "5e-324", 5e-324),
    ("double", "1.7976931348623157e+308", 1.7976931348623157e308),
    ("double", "Infinity", inf),
    ("double", "-Infinity", -inf),
    ("date", "2024-02-29", date(2024, 2, 29)),
    ("date", "0001-01-01", date(1, 1, 1)),
    ("date", "9999-12-31", date(9999, 12, 31)),
    ("timestamp", "2024-01-31 23:59:59", datetime(2024, 1, 31, 23, 59, 59)),  # noqa: DTZ001 - without zone
    ("timestamp", "2024-01-31 00:00:00.1", datetime(2024, 1, 31, 0, 0, 0, 100_000)),  # noqa: DTZ001
    ("timestamptz", "2024-01-31 00:00:00.123456", datetime(2024, 1, 31, 0, 0, 0, 123_456, tzinfo=UTC)),
    ("timestamptz", "2024-01-31 00:00:00.5+00", datetime(2024, 1, 31, 0, 0, 0, 500_000, tzinfo=UTC)),
    ("timestamptz", "0001-01-01 00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
    ("binary", "", b""),
    ("binary", "00ff", b"\x00\xff"),
]

BAD = [
    ("json", ""),
    ("json", "{"),
    ("json", '"\\ud83d"'),  # half a character: PostgreSQL's json, not jsonb, lets it in
    ("json", '{"a": tru'),
    ("boolean", ""),
    ("boolean", "yes"),
    ("integer", "2147483648"),
    ("integer", "12.7"),
    ("integer", "1e3"),
    ("integer", ""),
    ("integer", " 1"),
    ("integer", "+1"),
    ("integer", "1\n"),
    ("integer", "0x10"),
    ("integer", "1_000"),
    ("bigint", "9223372036854775808"),
    ("bigint", "-9223372036854775809"),
    ("bigint", "99999999999999999999999"),
    ("bigint", "\uff11"),
    ("decimal(12,2)", "10000000000.00"),
    ("decimal(12,2)", "1.005"),
    ("decimal(12,2)", "1e2"),
    ("decimal(12,2)", "NaN"),
    ("decimal(12,2)", ".5"),
    ("decimal(12,2)", "1."),
    ("decimal(12,2)", "1.00\n"),
    ("decimal(5,5)", "1.5"),
    ("decimal(5,0)", "1.0"),
    ("double", "1.5d"),
    ("double", "inf"),
    ("double", "1e+400"),
    ("double", ""),
    ("date", "2023-02-29"),
    ("date", "2024-13-01"),
    ("date", "0000-01-01"),
    ("date", "10000-01-01"),
    ("date", "infinity"),
    ("date", "0044-03-15 BC"),
    ("date", "2024-1-1"),
    ("date", "2024"),
    ("timestamp", "2024-01-31"),
    ("timestamp", "2024-01-31 24:00:00"),
    ("timestamp", "2024-01-31 23:60:00"),
    ("timestamp", "2024-01-31T23:00:00"),
    ("timestamp", "2024-01-31 23:00:00.1234567"),
    ("timestamp", "2024-01-31 23:00:00+00"),
    ("timestamp", "-infinity"),
    ("timestamptz", "2024-01-31 23:00:00+02"),
    ("timestamptz", "2024-01-31 23:00:00Z"),
    ("timestamptz", "infinity"),
    ("timestamptz", "2024-01-31 23:00:00\n"),
    ("binary", "0"),
    ("binary", "\\x00"),
    ("binary", "zz"),
]


@pytest.mark.parametrize(("logical_type", "text", "value"), GOOD)
def test_what_postgresql_prints_is_read_exactly(
    connection: duckdb.DuckDBPyConnection, logical_type: str, text: str, value: object
) -> None:
    found = conform(connection, logical_type, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("logical_type", "text"), BAD)
def test_what_would_change_is_not_read(connection: duckdb.DuckDBPyConnection, logical_type: str, text: str) -> None:
    assert conform(connection, logical_type, text) is None


def test_not_a_number_is_a_double(connection: duckdb.DuckDBPyConnection) -> None:
    value = conform(connection, "double", "NaN")
    assert isinstance(value, float)
    assert isnan(value)


@pytest.mark.parametrize("logical_type", sorted({logical_type for logical_type, *_ in GOOD}))
def test_null_stays_null(connection: duckdb.DuckDBPyConnection, logical_type: str) -> None:
    assert conform(connection, logical_type, None) is None


@given(number=st.integers(-(10**20), 10**20))
def test_bigint_is_exact_or_refused(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    expected = number if -(2**63) <= number < 2**63 else None
    assert conform(connection, "bigint", str(number)) == expected


@given(number=st.decimals(-(10**11), 10**11, places=3))
def test_decimal_is_exact_or_refused(connection: duckdb.DuckDBPyConnection, number: Decimal) -> None:
    text = f"{number:f}"
    fits = abs(number) < 10**10 and len(text.partition(".")[2]) <= 2
    assert conform(connection, "decimal(12,2)", text) == (number if fits else None)
    short = number.quantize(Decimal("0.01"))
    assert conform(connection, "decimal(12,2)", f"{short:f}") == (short if abs(short) < 10**10 else None)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_double_is_exact(connection: duckdb.DuckDBPyConnection, number: float) -> None:
    assert conform(connection, "double", repr(number)) == number


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_timestamptz_is_exact(connection: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    text = moment.strftime("%H:%M:%S.%f").rstrip("0").rstrip(".")
    assert conform(connection, "timestamptz", f"{moment.date().isoformat()} {text}") == moment


@given(days=st.integers(0, (date.max - date.min).days))
def test_date_is_exact(connection: duckdb.DuckDBPyConnection, days: int) -> None:
    day = date.min + timedelta(days=days)
    assert conform(connection, "date", day.isoformat()) == day


ORDERS = contract(
    "orders", ("tenant_id", "bigint"), ("id", "bigint"), ("total", "decimal(12,2)!"), ("note", "text"),
    ("paid_on", "date"), key=("tenant_id", "id"),
)  # fmt: skip
ROW = {
    "Op": "I", "_committed_at": "2026-01-01 00:00:00.000000", "tenant_id": "1", "id": "2", "total": "3.50",
    "note": None, "paid_on": None, "_change_seq": SEQ,
}  # fmt: skip


def bronze(connection: duckdb.DuckDBPyConnection, *rows: dict[str, str | None]) -> str:
    columns = ", ".join(f'"{name}" VARCHAR' for name in ROW)
    connection.execute(f"CREATE OR REPLACE TABLE bronze ({columns})")
    connection.executemany(
        f"INSERT INTO bronze VALUES ({', '.join('?' * len(ROW))})", [list({**ROW, **row}.values()) for row in rows]
    )
    return "bronze"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, None),
        ({"note": ""}, None),
        ({"Op": "X"}, "bad_op"),
        ({"Op": None}, "bad_op"),
        ({"Op": "U"}, "bad_op"),
        ({"_change_seq": None}, "missing_change_seq"),
        ({"_change_seq": "12"}, "missing_change_seq"),
        ({"_committed_at": None}, "missing_or_invalid:_committed_at"),
        ({"_committed_at": "yesterday"}, "missing_or_invalid:_committed_at"),
        ({"id": None}, "bad_key:id"),
        ({"tenant_id": "x", "id": "y", "total": "z"}, "bad_key:tenant_id"),
        ({"total": None}, "missing_or_invalid:total"),
        ({"total": "1.005"}, "missing_or_invalid:total"),
        ({"paid_on": "infinity"}, "invalid:paid_on"),
    ],
)
def test_the_first_reason_is_given(
    connection: duckdb.DuckDBPyConnection, row: dict[str, str | None], reason: str | None
) -> None:
    relation = bronze(connection, row)
    found = connection.execute(reasons(ORDERS, relation, operations={"I"}, keep=["Op"])).fetchall()
    assert found == [(row.get("Op", "I"), reason)]


def test_a_delete_needs_its_key_alone(connection: duckdb.DuckDBPyConnection) -> None:
    relation = bronze(connection, {"Op": "D", "total": None}, {"Op": "D", "total": None, "id": None})
    found = connection.execute(reasons(ORDERS, relation, operations={"I", "U", "D"}, keep=[])).fetchall()
    assert found == [(None,), ("bad_key:id",)]


def test_conformed_rows_have_silvers_columns(connection: duckdb.DuckDBPyConnection) -> None:
    relation = bronze(connection, {}, {"total": "x"})
    rows = connection.execute(conformed(ORDERS, relation, operations={"I"})).fetchall()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert rows == [
        (1, 2, Decimal("3.50"), None, None, moment, SEQ, None),
        (1, 2, None, None, None, moment, SEQ, "missing_or_invalid:total"),
    ]


def test_the_newest_change_of_a_key_stays(connection: duckdb.DuckDBPyConnection) -> None:
    later = "0" * 34 + "2"
    relation = bronze(connection, {"_change_seq": later, "total": "2.00"}, {}, {"id": "3"})
    typed_rows = conformed(ORDERS, relation, operations={"I"})
    rows = connection.execute(f"SELECT id, total FROM ({latest(ORDERS, typed_rows)}) ORDER BY id").fetchall()
    assert rows == [(2, Decimal("2.00")), (3, Decimal("3.50"))]
