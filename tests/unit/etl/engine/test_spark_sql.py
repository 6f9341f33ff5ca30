"""Our SQL in Spark's words, as text: what Spark makes of it is for `make test-spark`."""

from __future__ import annotations

import pytest

from etl.engine.json_text import is_json
from etl.engine.spark_sql import quoted, renamed, spark_sql
from etl.silver.conform import conformed, latest
from tests.contracts import contract

EVERY_TYPE = contract(
    "public.things",
    ("id", "bigint"),
    ("amount", "decimal(12,2)"),
    ("data", "json"),
    ("moment", "timestamptz"),
    ("local", "timestamp"),
    ('strange " name', "text"),
)


def test_conforming_is_written_for_spark_with_nothing_left_out():
    sql = spark_sql(latest(EVERY_TYPE, conformed(EVERY_TYPE, "bronze", operations=["I"])))
    assert "LAKESIDE_IS_JSON(`data`)" in sql
    assert "`amount` RLIKE '^-?[0-9]{1,10}([.][0-9]{1,2})?\\\\z'" in sql, "a Spark text halves backslashes"
    assert "CAST(TRY_CAST(`moment` AS TIMESTAMP_NTZ) AS TIMESTAMP)" in sql
    assert "TRY_CAST(`local` AS TIMESTAMP_NTZ)" in sql
    assert '`strange " name`' in sql


def test_seconds_are_counted_as_they_begin():
    sql = spark_sql("SELECT DATE_DIFF('second', MIN(a), MAX(b)) AS seconds FROM visits")
    assert sql == (
        "SELECT DATEDIFF(SECOND, DATE_TRUNC('SECOND', MIN(a)), DATE_TRUNC('SECOND', MAX(b))) AS seconds FROM visits"
    )


def test_a_view_stands_for_a_table_and_keeps_its_name_in_the_query():
    sql = "SELECT orders.id, c.id FROM silver.orders JOIN gold.customers AS c ON orders.id = c.id"
    views = {"silver.orders": "silver__orders", "gold.customers": "gold__customers"}
    assert renamed(sql, views) == (
        "SELECT orders.id, c.id FROM silver__orders AS orders JOIN gold__customers AS c ON orders.id = c.id"
    )


def test_a_table_without_a_view_and_a_common_table_expression_stay_as_they_are():
    sql = "WITH orders AS (SELECT 1 AS id) SELECT * FROM orders, silver.tenants"
    assert renamed(sql, {"silver.orders": "silver__orders"}) == sql


@pytest.mark.parametrize("text", ['{"a": [1, 2.50, 1e999, null]}', '"\\u00e9"', " 1 ", "null"])
def test_json_is_json(text: str):
    assert is_json(text) is True


@pytest.mark.parametrize("text", ["", "{'a': 1}", '{"a": 1} x', '{"a": NaN}', "[1,]", "{", "[" * 100_000])
def test_what_is_no_json_is_told(text: str):
    assert is_json(text) is False


def test_no_text_is_neither():
    assert is_json(None) is None


def test_quoting_doubles_backticks():
    assert quoted("a`b") == "`a``b`"
