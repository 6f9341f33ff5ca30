import duckdb
import pytest

from etl.engine.gold_select import gold_select
from etl.ports.query_engine import QueryRefusedError

ACCEPTED = [
    "SELECT * FROM gold.daily_revenue",
    "SELECT day, SUM(revenue) AS revenue FROM gold.daily_revenue WHERE day >= ? GROUP BY day ORDER BY day LIMIT 10",
    "WITH best AS (SELECT * FROM gold.a), worst AS (SELECT * FROM best) SELECT * FROM best JOIN worst USING (id)",
    "SELECT a.x, b.y FROM gold.a AS a LEFT JOIN gold.b AS b ON a.id = b.id WHERE EXISTS (SELECT 1 FROM gold.c)",
    "SELECT id FROM gold.a UNION ALL SELECT id FROM gold.b",
    "SELECT NTILE(10) OVER (ORDER BY x DESC) AS tenth, COUNT(*) FILTER (WHERE y > 0) OVER () FROM gold.a",
    "FROM gold.a",
    "SELECT * EXCLUDE (x) FROM gold.a",
    "SELECT DATE_TRUNC('month', day), x / NULLIF(y, 0) FROM gold.a QUALIFY ROW_NUMBER() OVER (ORDER BY x) = 1",
    "SELECT CASE WHEN x IS DISTINCT FROM y THEN 'a' ELSE LOWER(z) END, day + INTERVAL '1' MONTH FROM gold.a",
    "SELECT STRFTIME(day, '%Y-%m') FROM gold.a WHERE name ILIKE ? AND id IN (1, 2)",
]

REFUSED = [
    "",
    "SELECT 1; SELECT 2",
    "SELECT * FROM gold.a; DROP VIEW gold.a",
    "SELECT * FROM read_parquet('/lake/x.parquet')",
    "SELECT * FROM '/lake/x.parquet'",
    'SELECT * FROM "/lake/x.parquet"',
    "SELECT * FROM gold.a UNION ALL SELECT * FROM read_parquet('/x.parquet')",
    "SELECT * FROM gold.a, read_text('/etc/passwd')",
    "SELECT * FROM glob('/**')",
    "SELECT * FROM silver.orders",
    "SELECT * FROM orders",
    "SELECT * FROM other.gold.a",
    "SELECT * FROM memory.gold.a",
    'SELECT * FROM gold."A.parquet"',
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pragma_show('x')",
    "SELECT current_setting('allowed_paths')",
    "SELECT getenv('HOME')",
    "SELECT repeat('x', 2000000000)",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT query('SELECT 1') FROM gold.a",
    "SELECT * FROM query_table('gold.a')",
    "SELECT * FROM range(1000000000000)",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT UNNEST(range(100))",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT * FROM t",
    'WITH "/x.parquet" AS (SELECT 1) SELECT * FROM "/x.parquet"',
    'WITH x AS (SELECT * FROM gold.a) SELECT * FROM (WITH "y.csv" AS (SELECT 1) SELECT 1), "y.csv"',
    "COPY gold.a TO '/tmp/out.parquet'",
    "COPY (SELECT * FROM gold.a) TO '/tmp/out.csv'",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "PRAGMA database_list",
    "CALL enable_logging(storage = 'file')",
    "CREATE TABLE t AS SELECT * FROM gold.a",
    "INSERT INTO gold.a SELECT 1",
    "DELETE FROM gold.a",
    "UPDATE gold.a SET x = 1",
    "DESCRIBE gold.a",
    "EXPLAIN SELECT * FROM gold.a",
    "SUMMARIZE gold.a",
    "SHOW TABLES",
    "VALUES (1)",
    "PREPARE p AS SELECT 1",
    "EXPORT DATABASE '/tmp/x'",
    "SELECT * FROM gold.a USING SAMPLE 10",
    "SELECT COLUMNS('.*') FROM gold.a",
    "SELECT [x FOR x IN [1, 2]] FROM gold.a",
    "SELECT {'a': 1}",
    "SELECT x -> 'a' FROM gold.a",
    "SELECT ARRAY_AGG(x) FROM gold.a",
    "SELECT version()",
    "SELECT now()",
    "SELECT * FROM gold.a WHERE x = (SELECT MAX(content) FROM read_text('/etc/passwd'))",
    "SELECT " + "1 + " * 20_000 + "1",
]


@pytest.mark.parametrize("sql", ACCEPTED)
def test_accepted_queries_mean_the_same_written_out_again(sql: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    connection.execute("CREATE TABLE gold.daily_revenue AS SELECT DATE '2026-01-01' AS day, 1.50 AS revenue")
    for name in "abc":
        connection.execute(
            f"CREATE TABLE gold.{name} AS "
            "SELECT 1 AS id, 2 AS x, 3 AS y, 'Z' AS z, 'n' AS name, DATE '2026-01-01' AS day"
        )
    parameters = ["2026-01-01"] * sql.count("?")
    select = gold_select(sql)
    assert connection.execute(select.sql, parameters).fetchall() == connection.execute(sql, parameters).fetchall()


def test_tables_are_named() -> None:
    assert gold_select(ACCEPTED[3]).tables == {"gold.a", "gold.b", "gold.c"}
    assert gold_select(ACCEPTED[2]).tables == {"gold.a"}


@pytest.mark.parametrize("sql", REFUSED)
def test_everything_else_is_refused(sql: str) -> None:
    with pytest.raises(QueryRefusedError):
        gold_select(sql)
