"""One suite for every `QueryEngine`, and what the embedded one must never do: show another tenant's rows.

Tenant 1 has rows marked ALPHA, tenant 2 rows marked BRAVO. Hostile SQL is tried twice: as
a reader would send it, and past the parser's check, straight into tenant 1's sandbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from etl.contracts.publication import Publication, TablePin
from etl.engine.gold_select import GoldSelect
from etl.engine.lake import LakeConfig
from etl.ports.query_engine import (
    QueryEngine,
    QueryRefusedError,
    QueryResult,
    QueryUnavailableError,
    SnapshotGoneError,
    Value,
)
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine, _PinnedTable, _Sandbox
from tests.lakes import lake_in, write_table
from tests.servers import Servers

pytestmark = pytest.mark.integration

REVENUE = {"tenant_id": "bigint", "day": "date", "revenue": "decimal(18,2)", "mark": "text", "seen_at": "timestamptz"}
ROWS = """
    SELECT 1 + i % 2 AS tenant_id, DATE '2026-01-01' + CAST(i // 2 AS INTEGER) AS day, i * 1.10 AS revenue,
           CASE i % 2 WHEN 0 THEN 'ALPHA' ELSE 'BRAVO' END || i AS mark,
           TIMESTAMPTZ '2026-01-01 00:30:00+00' AS seen_at
      FROM range(10) AS t(i)
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, servers: Servers, django_db_setup: None) -> Iterator[LakeConfig]:
    """One lake for the module: its publication never changes."""
    with servers.scratch_database() as database:
        yield lake_in(tmp_path_factory.mktemp("lake"), database.catalog_url)


@pytest.fixture(scope="module")
def publication(lake: LakeConfig) -> Publication:
    goals = {"tenant_id": "bigint", "goal": "text"}
    return published(
        1,
        write_table(lake, "gold.revenue", REVENUE, ROWS),
        write_table(lake, "gold.goals", goals, "SELECT 2 AS tenant_id, 'BRAVO' AS goal"),
        write_table(lake, "gold.platform", {"tenants": "bigint"}, "SELECT 2 AS tenants"),
    )


@pytest.fixture
def engine(lake: LakeConfig) -> QueryEngine:
    return DuckDBQueryEngine(lake)


def published(number: int, *pins: TablePin) -> Publication:
    now = datetime(2026, 1, 6, tzinfo=UTC)
    return Publication(number=number, published_at=now, as_of=now, source_lsn=1, pins=pins)


def ask(engine: QueryEngine, publication: Publication, sql: str, *parameters: Value, tenant_id: int = 1) -> QueryResult:
    return engine.query(sql, tenant_id=tenant_id, publication=publication, parameters=parameters)  # type: ignore[arg-type]


def test_a_tenant_sees_their_own_rows(engine: QueryEngine, publication: Publication) -> None:
    sql = "SELECT tenant_id, mark FROM gold.revenue ORDER BY day"
    assert ask(engine, publication, sql).rows == tuple((1, f"ALPHA{i}") for i in range(0, 10, 2))
    assert ask(engine, publication, sql, tenant_id=2).rows == tuple((2, f"BRAVO{i}") for i in range(1, 10, 2))
    assert ask(engine, publication, sql, tenant_id=3).rows == ()
    assert ask(engine, publication, "SELECT COUNT(*) FROM gold.goals").rows == ((0,),)


def test_values_keep_their_types(engine: QueryEngine, publication: Publication) -> None:
    result = ask(
        engine,
        publication,
        "SELECT day, revenue, mark, seen_at, revenue > 1 AS big, CAST(revenue AS DOUBLE) AS d, NULL AS nothing,"
        " SUM(tenant_id) OVER () AS total FROM gold.revenue WHERE day = ?",
        date(2026, 1, 2),
    )
    assert result.columns == ("day", "revenue", "mark", "seen_at", "big", "d", "nothing", "total")
    (row,) = result.rows
    assert row == (
        date(2026, 1, 2), Decimal("2.20"), "ALPHA2", datetime(2026, 1, 1, 0, 30, tzinfo=UTC), True, 2.2, None, 1,
    )  # fmt: skip
    assert [type(value) for value in row] == [date, Decimal, str, datetime, bool, float, type(None), int]
    assert row[3].tzinfo is UTC
    assert result.seconds > 0
    assert result.bytes_scanned is not None
    assert result.bytes_scanned > 0


@pytest.mark.parametrize(
    ("condition", "parameter", "rows"),
    [
        ("revenue = ?", Decimal("2.20"), 1),
        ("mark = ?", "ALPHA2", 1),
        ("mark = ?", "' OR tenant_id = 2 --", 0),
        ("seen_at = ?", datetime(2026, 1, 1, 0, 30, tzinfo=UTC), 5),
        ("day < ?", date(2026, 1, 3), 2),
        ("CAST(revenue AS DOUBLE) < ?", 3.0, 2),
        ("tenant_id = ?", 2, 0),
        ("(revenue > 5) = ?", True, 2),
        ("mark IS NOT DISTINCT FROM ?", None, 0),
    ],
)
def test_parameters_are_bound(
    engine: QueryEngine, publication: Publication, condition: str, parameter: Value, rows: int
) -> None:
    sql = f"SELECT mark FROM gold.revenue WHERE {condition}"
    assert len(ask(engine, publication, sql, parameter).rows) == rows


def test_a_platform_table_is_for_no_tenant(engine: QueryEngine, publication: Publication) -> None:
    with pytest.raises(QueryRefusedError, match="platform"):
        ask(engine, publication, "SELECT * FROM gold.platform")


def test_an_unpublished_table_is_refused(engine: QueryEngine, publication: Publication) -> None:
    with pytest.raises(QueryRefusedError, match=r"gold\.unheard_of"):
        ask(engine, publication, "SELECT * FROM gold.unheard_of")


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM silver.orders", "SELECT nothing FROM gold.revenue", "DROP TABLE gold.revenue", "SELECT ?"]
)
def test_what_does_not_compute_is_refused(engine: QueryEngine, publication: Publication, sql: str) -> None:
    with pytest.raises(QueryRefusedError):
        ask(engine, publication, sql)


def test_an_old_publication_answers_as_it_did(lake: LakeConfig, engine: QueryEngine) -> None:
    sql = "SELECT SUM(revenue) FROM gold.moving"
    older = published(1, write_table(lake, "gold.moving", REVENUE, ROWS))
    before = ask(engine, older, sql).rows
    newer = published(2, write_table(lake, "gold.moving", REVENUE, ROWS.replace("1.10", "2.20")))
    assert ask(engine, newer, sql).rows == ((Decimal("44.00"),),)
    assert ask(engine, older, sql).rows == before == ((Decimal("22.00"),),)
    assert ask(DuckDBQueryEngine(lake), older, sql).rows == before


@pytest.mark.parametrize("pattern", ["metadata/*.metadata.json", "metadata/snap-*.avro", "data/**/*.parquet"])
@pytest.mark.parametrize("asked_before", [False, True])
def test_files_that_are_gone_are_named_as_such(
    lake: LakeConfig, engine: QueryEngine, pattern: str, asked_before: bool
) -> None:
    doomed = published(1, write_table(lake, "gold.doomed", REVENUE, ROWS))
    sql = "SELECT * FROM gold.doomed"
    if asked_before:
        ask(engine, doomed, sql)
    hidden = list(Path(doomed.pins[0].metadata_location).parents[1].glob(pattern))
    for path in hidden:
        path.rename(f"{path}.hidden")
    try:
        if asked_before and not pattern.startswith("data"):
            assert len(ask(engine, doomed, sql).rows) == 5, "the plan is remembered"
        else:
            with pytest.raises(SnapshotGoneError):
                ask(engine, doomed, sql)
    finally:
        for path in hidden:
            Path(f"{path}.hidden").rename(path)


def test_an_unknown_snapshot_is_gone(engine: QueryEngine, publication: Publication) -> None:
    with pytest.raises(SnapshotGoneError):
        ask(engine, published(3, replace(publication.pins[0], snapshot_id=1)), "SELECT * FROM gold.revenue")


HOSTILE = [
    "SELECT mark FROM read_parquet('{bravo}')",
    "SELECT mark FROM '{bravo}'",
    "SELECT mark FROM gold.revenue UNION ALL SELECT mark FROM read_parquet('{bravo}')",
    "SELECT mark FROM gold.revenue WHERE 1 = 1 OR tenant_id = 2",
    "SELECT mark FROM gold.revenue AS r, (SELECT content FROM read_text('{bravo}')) AS t",
    "SELECT content FROM read_blob('{bravo}')",
    "SELECT * FROM parquet_metadata('{bravo}')",
    "SELECT * FROM parquet_kv_metadata('{bravo}')",
    "SELECT mark FROM read_parquet('{data}/**/*.parquet')",
    "SELECT mark FROM read_parquet('{alpha}/../../tenant_id=2/*.parquet')",
    "SELECT file FROM glob('{data}/**')",
    "SELECT * FROM read_csv('{bravo}', delim = '', columns = {{'mark': 'VARCHAR'}})",
    "SELECT * FROM query('SELECT mark FROM read_parquet(''{bravo}'')')",
    "SELECT * FROM sniff_csv('{bravo}')",
    "SET allowed_paths = ['{bravo}']",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "ATTACH '{bravo}' AS b",
    "COPY (SELECT 1) TO '{data}/x.parquet'",
    "COPY gold.revenue TO '{bravo}'",
    "COPY gold.goals FROM '{bravo}'",
    "EXPORT DATABASE '{data}/x'",
    "IMPORT DATABASE '{data}'",
    "CREATE VIEW v AS SELECT * FROM read_parquet('{bravo}')",
    "CREATE OR REPLACE VIEW gold.revenue AS SELECT * FROM read_parquet('{bravo}')",
    "INSTALL httpfs",
    "LOAD '{bravo}'",
    "SELECT * FROM read_json('{bravo}')",
    "SELECT mark FROM iceberg_scan('{data}')",
    "PRAGMA enable_logging",
]


@pytest.fixture
def places(publication: Publication) -> dict[str, str]:
    data = Path(publication.pins[0].metadata_location).parents[1] / "data"
    (alpha,) = (data / "tenant_id=1").iterdir()
    (bravo,) = (data / "tenant_id=2").iterdir()
    return {"data": str(data), "alpha": str(alpha), "bravo": str(bravo)}


def test_the_other_tenants_file_would_give_their_rows_away(places: dict[str, str]) -> None:
    rows = duckdb.execute(f"SELECT mark FROM read_parquet('{places['bravo']}')").fetchall()
    assert ("BRAVO1",) in rows


@pytest.mark.parametrize("template", HOSTILE)
def test_no_query_shows_another_tenants_rows(
    engine: QueryEngine, publication: Publication, places: dict[str, str], template: str
) -> None:
    shown = shown_by(lambda: ask(engine, publication, template.format(**places)).rows)
    assert "BRAVO" not in shown
    assert "ALPHA" in shown or "QueryRefusedError" in shown


@pytest.mark.parametrize("template", HOSTILE)
def test_no_sql_past_the_parser_shows_them_either(
    publication: Publication, places: dict[str, str], template: str
) -> None:
    pinned = {pin.table: _PinnedTable.open(pin) for pin in publication.pins}
    sandbox = _Sandbox(1, pinned, memory_limit_bytes=2**27)
    files = {path: path.read_bytes() for path in Path(places["data"]).rglob("*") if path.is_file()}
    select = GoldSelect(sql=template.format(**places), tables=frozenset())
    assert "BRAVO" not in shown_by(lambda: sandbox.run(select, [], timeout_seconds=10))
    assert {path: path.read_bytes() for path in Path(places["data"]).rglob("*") if path.is_file()} == files


def shown_by(query: Callable[[], object]) -> str:
    """Return all that somebody who asks gets to see."""
    try:
        return repr(query())
    except (QueryRefusedError, SnapshotGoneError) as error:
        return f"{type(error).__name__}: {error}"


def test_a_long_query_is_ended(lake: LakeConfig, publication: Publication) -> None:
    engine = DuckDBQueryEngine(lake, timeout_seconds=0.3)
    tables = ", ".join(f"gold.revenue AS r{i}" for i in range(16))
    started = time.monotonic()
    with pytest.raises(QueryUnavailableError, match="too long"):
        ask(engine, publication, f"SELECT COUNT(DISTINCT r0.mark || r15.mark || r7.mark) FROM {tables}")
    assert time.monotonic() - started < 5
    assert ask(engine, publication, "SELECT COUNT(*) FROM gold.revenue").rows == ((5,),)


def test_a_greedy_query_is_refused(lake: LakeConfig, publication: Publication) -> None:
    engine = DuckDBQueryEngine(lake, memory_limit_bytes=16 * 1024 * 1024)
    tables = ", ".join(f"gold.revenue AS r{i}" for i in range(9))
    marks = ", ".join(f"r{i}.mark" for i in range(9))
    with pytest.raises(QueryRefusedError, match="memory"):
        ask(engine, publication, f"SELECT COUNT(*) FROM (SELECT DISTINCT {marks} FROM {tables})")


def test_a_long_answer_is_refused(engine: QueryEngine, publication: Publication) -> None:
    tables = ", ".join(f"gold.revenue AS r{i}" for i in range(8))
    with pytest.raises(QueryRefusedError, match="rows"):
        ask(engine, publication, f"SELECT r0.mark FROM {tables}")


def test_many_threads_get_their_own_answers(engine: QueryEngine, publication: Publication) -> None:
    sql = "SELECT DISTINCT tenant_id, LEFT_OF FROM (SELECT tenant_id, LOWER(mark) AS LEFT_OF FROM gold.revenue)"

    def check(number: int) -> bool:
        tenant_id = 1 + number % 3
        rows = ask(engine, publication, sql, tenant_id=tenant_id).rows
        return len(rows) == (0 if tenant_id == 3 else 5) and all(row[0] == tenant_id for row in rows)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(60)))
