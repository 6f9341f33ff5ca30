"""Constructs that engines read differently are refused, with the line and what to write instead."""

from __future__ import annotations

import pytest

from etl.gold.front_matter import parse_query
from etl.gold.lint import check_portable
from etl.gold.model import NotPortableError

REFUSED = {
    "SELECT a AT TIME ZONE 'UTC' AS x FROM silver.orders": "LOCAL_DAY",
    "SELECT TRY_CAST(a AS INT) AS x FROM silver.orders": "write CAST",
    "SELECT AVG(total) AS x FROM silver.orders": "divide sums",
    "SELECT MEDIAN(total) AS x FROM silver.orders": "PERCENT_RANK",
    "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY total) AS x FROM silver.orders": "PERCENT_RANK",
    "SELECT STRING_AGG(a, ',') AS x FROM silver.orders": "no common form",
    "SELECT ARRAY_AGG(a ORDER BY a) AS x FROM silver.orders": "Spark ignores the order",
    "SELECT a // 2 AS x FROM silver.orders": "DOUBLE",
    "SELECT a / b AS x FROM silver.orders": "CAST(x AS DOUBLE) / NULLIF",
    "SELECT CAST(a AS DOUBLE) / b AS x FROM silver.orders": "CAST(x AS DOUBLE) / NULLIF",
    "SELECT CURRENT_DATE AS x FROM silver.orders": "AS_OF()",
    "SELECT NOW() AS x FROM silver.orders": "AS_OF()",
    "SELECT DATE_TRUNC('month', day) AS x FROM silver.orders": "CAST(... AS DATE)",
    "SELECT day + INTERVAL '1' MONTH AS x FROM silver.orders": "CAST(... AS DATE)",
    "SELECT DATE_DIFF('month', a, b) AS x FROM silver.orders": "'day' and 'second' only",
    "SELECT EXTRACT(ISODOW FROM a) AS x FROM silver.orders": "YEAR, QUARTER, MONTH or DAY",
    "SELECT CAST(a AS TIMESTAMP) AS x FROM silver.orders": "cast to bigint",
    "SELECT CAST(a AS FLOAT) AS x FROM silver.orders": "cast to bigint",
    "SELECT * FROM silver.orders": "name the columns",
    "SELECT o.* FROM silver.orders AS o": "name the columns",
    "SELECT a FROM silver.orders GROUP BY ALL": "GROUP BY ALL",
    "SELECT a FROM silver.orders GROUP BY 1": "positions",
    "SELECT a FROM silver.orders ORDER BY a": "a table has no order",
    "SELECT a FROM silver.orders LIMIT 1": "LIMIT keeps arbitrary rows",
    "SELECT a FROM silver.orders NATURAL JOIN silver.tenants": "write the condition in ON",
    "SELECT a FROM read_csv('/etc/passwd')": "not from a table function",
    "SELECT a FROM pg_catalog.pg_tables": "outside the lake",
    "SELECT a FROM other.silver.orders": "outside the lake",
    "SELECT HASH(a) AS x FROM silver.orders": "not in the portable subset",
    "SELECT GETENV('HOME') AS x FROM silver.orders": "not in the portable subset",
    "SELECT LOCAL_DAY(a) AS x FROM silver.orders": "takes 2 arguments, not 1",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT n FROM r": "RECURSIVE",
    "SELECT s.m AS x FROM silver.orders AS o CROSS JOIN"
    " UNNEST(GENERATE_SERIES(o.a, GREATEST(o.a, o.b), INTERVAL '1' DAY)) AS s(m)": "CAST(s.m AS DATE)",
    "SELECT CAST(s.m AS DATE) AS x FROM silver.orders AS o CROSS JOIN"
    " UNNEST(GENERATE_SERIES(o.a, o.b, INTERVAL '1' DAY)) AS s(m)": "GREATEST(first, last)",
    "SELECT CAST(s.m AS DATE) AS x FROM silver.orders AS o CROSS JOIN"
    " UNNEST(GENERATE_SERIES(o.a, GREATEST(o.a, o.b), INTERVAL '1' HOUR)) AS s(m)": "one common form",
    "SELECT CAST(s.m AS DATE) AS x FROM silver.orders AS o CROSS JOIN UNNEST(o.list) AS s(m)": "one common form",
    "SELECT CAST(s.m AS DATE) AS x FROM"
    " UNNEST(GENERATE_SERIES(DATE '2026-01-01', DATE '2026-02-01', INTERVAL '1' DAY)) AS s(m)": "one common form",
    "SELECT GENERATE_SERIES(a, b, INTERVAL '1' DAY) AS x FROM silver.orders": "one common form",
    "SELECT UNNEST(a) AS x FROM silver.orders": "not in the portable subset",
    "SELECT FLOOR(a) AS x FROM silver.orders": "CAST(FLOOR(...) AS BIGINT)",
    "SELECT a[1] AS x FROM silver.orders": "not in the portable subset",
    "SELECT {'a': 1} AS x FROM silver.orders": "not in the portable subset",
    "SELECT a FROM silver.orders TABLESAMPLE 10%": "not in the portable subset",
}

ACCEPTED = (
    (
        "SELECT CAST(s.m AS DATE) AS x FROM silver.orders AS o"
        " CROSS JOIN UNNEST(GENERATE_SERIES(o.a, GREATEST(o.a, o.b), INTERVAL '1' MONTH)) AS s(m)"
    ),
    "SELECT CAST(FLOOR(5 * PERCENT_RANK() OVER (PARTITION BY b ORDER BY a)) AS BIGINT) AS x FROM silver.orders",
    "SELECT LOCAL_DAY(a, zone) AS x, AS_OF() AS y FROM silver.orders",
    "SELECT CAST(SUM(total) AS DOUBLE) / NULLIF(CAST(COUNT(*) AS DOUBLE), 0) AS x FROM silver.orders",
    "SELECT CAST(a AS DOUBLE) * 30 / NULLIF(CAST(b AS DOUBLE), 0) AS x FROM silver.orders",
    "SELECT CAST(DATE_TRUNC('month', CAST(d + INTERVAL '1' MONTH AS DATE)) AS DATE) AS x FROM silver.orders",
    "SELECT SUM(total) FILTER (WHERE status = 'completed') AS x FROM silver.orders GROUP BY status",
    "SELECT a FROM silver.orders QUALIFY ROW_NUMBER() OVER (PARTITION BY b ORDER BY c DESC, id) = 1",
    "SELECT CASE WHEN a IS NULL THEN 'none' ELSE LOWER(a) END AS x FROM silver.orders",
    "SELECT a FROM silver.orders WHERE EXISTS (SELECT 1 FROM silver.tenants AS t WHERE t.id = tenant_id)",
    "SELECT a FROM silver.orders EXCEPT SELECT a FROM gold.daily_revenue",
    "SELECT a FROM silver.orders WHERE a IS DISTINCT FROM b AND c IN ('x', 'y') AND d BETWEEN 1 AND 2",
    "SELECT DATE_DIFF('day', a, b) AS x, MAX_BY(a, b) AS y FROM silver.orders GROUP BY a",
)


@pytest.mark.parametrize(("sql", "instead"), REFUSED.items())
def test_refuses(sql: str, instead: str) -> None:
    with pytest.raises(NotPortableError) as caught:
        check_portable(parse_query(sql, file="m.sql"), file="m.sql")
    assert instead in str(caught.value)
    assert str(caught.value).startswith("m.sql:1: ")


@pytest.mark.parametrize("sql", ACCEPTED)
def test_accepts(sql: str) -> None:
    check_portable(parse_query(sql, file="m.sql"), file="m.sql")


def test_names_the_first_line_at_fault() -> None:
    sql = "SELECT\n  a,\n  MEDIAN(b) AS b,\n  AVG(c) AS c\nFROM silver.orders"
    with pytest.raises(NotPortableError) as caught:
        check_portable(parse_query(sql, file="m.sql"), file="m.sql")
    assert caught.value.line == 3
