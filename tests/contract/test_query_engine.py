"""One suite for every `QueryEngine`: DuckDB over files, and Athena as its fake answers.

What none must ever do is show another tenant's rows.

Tenant 1 has rows marked ALPHA, tenant 2 rows marked BRAVO. Hostile SQL is tried twice: as
a reader would send it, and past the parser's check, straight into tenant 1's sandbox.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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
from lakehouse_admin.adapters.aws.athena_select import constant
from lakehouse_admin.adapters.aws.errors import CredentialsError, PermissionDeniedError, RequestRefusedError
from lakehouse_admin.adapters.aws.query_engine import AthenaConfig, AthenaQueryEngine, QueryTooLargeError
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine, _PinnedTable, _Sandbox
from tests.aws.athena import DATABASE, WORKGROUP, Execution, FakeAthena
from tests.aws.service import Fault
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
def embedded(lake: LakeConfig) -> DuckDBQueryEngine:
    return DuckDBQueryEngine(lake)


@pytest.fixture(scope="module")
def athena(publication: Publication) -> FakeAthena:
    """Athena over the same rows, at the same snapshots; its executions pile up over the module."""
    fake = FakeAthena()
    goals = "SELECT CAST(2 AS BIGINT) AS tenant_id, 'BRAVO' AS goal"
    selects = {"revenue": ROWS, "goals": goals, "platform": "SELECT CAST(2 AS BIGINT) AS tenants"}
    for pin in publication.pins:
        model = pin.table.partition(".")[2]
        fake.add(model, pin.snapshot_id, selects[model])
    return fake


def athena_engine(fake: FakeAthena, **options: Any) -> AthenaQueryEngine:
    return AthenaQueryEngine(
        fake.client(),
        AthenaConfig(workgroup=WORKGROUP, catalog="AwsDataCatalog", database=DATABASE, **options),
        tenant_tables=lambda: {"gold.revenue": True, "gold.goals": True, "gold.platform": False},
        now=fake.clock.now,
        monotonic=fake.clock.monotonic,
        sleep=fake.clock.sleep,
    )


@pytest.fixture(params=["embedded", "athena"])
def engine(request: pytest.FixtureRequest) -> QueryEngine:
    if request.param == "embedded":
        embedded: DuckDBQueryEngine = request.getfixturevalue("embedded")
        return embedded
    fake: FakeAthena = request.getfixturevalue("athena")
    return athena_engine(fake)


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


def test_pages_go_on_where_the_page_before_ended(engine: QueryEngine, publication: Publication) -> None:
    sql = "SELECT mark FROM gold.revenue WHERE mark <> ? ORDER BY day LIMIT ? OFFSET ?"
    pages = [ask(engine, publication, sql, "ALPHA0", 3, offset).rows for offset in (0, 3, 6)]
    assert pages == [(("ALPHA2",), ("ALPHA4",), ("ALPHA6",)), (("ALPHA8",),), ()]


def test_a_question_mark_in_a_text_takes_no_parameter(engine: QueryEngine, publication: Publication) -> None:
    sql = "SELECT ':lakeside_parameter_0 ?' AS text FROM gold.revenue WHERE mark = ? -- ? no"
    assert ask(engine, publication, sql, "ALPHA0").rows == ((":lakeside_parameter_0 ?",),)


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


def test_an_old_publication_answers_as_it_did(lake: LakeConfig, embedded: QueryEngine) -> None:
    sql = "SELECT SUM(revenue) FROM gold.moving"
    older = published(1, write_table(lake, "gold.moving", REVENUE, ROWS))
    before = ask(embedded, older, sql).rows
    newer = published(2, write_table(lake, "gold.moving", REVENUE, ROWS.replace("1.10", "2.20")))
    assert ask(embedded, newer, sql).rows == ((Decimal("44.00"),),)
    assert ask(embedded, older, sql).rows == before == ((Decimal("22.00"),),)
    assert ask(DuckDBQueryEngine(lake), older, sql).rows == before


@pytest.mark.parametrize("pattern", ["metadata/*.metadata.json", "metadata/snap-*.avro", "data/**/*.parquet"])
@pytest.mark.parametrize("asked_before", [False, True])
def test_files_that_are_gone_are_named_as_such(
    lake: LakeConfig, embedded: QueryEngine, pattern: str, asked_before: bool
) -> None:
    doomed = published(1, write_table(lake, "gold.doomed", REVENUE, ROWS))
    sql = "SELECT * FROM gold.doomed"
    if asked_before:
        ask(embedded, doomed, sql)
    hidden = list(Path(doomed.pins[0].metadata_location).parents[1].glob(pattern))
    for path in hidden:
        path.rename(f"{path}.hidden")
    try:
        if asked_before and not pattern.startswith("data"):
            assert len(ask(embedded, doomed, sql).rows) == 5, "the plan is remembered"
        else:
            with pytest.raises(SnapshotGoneError):
                ask(embedded, doomed, sql)
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


def test_a_long_answer_is_refused(embedded: QueryEngine, publication: Publication) -> None:
    tables = ", ".join(f"gold.revenue AS r{i}" for i in range(8))
    with pytest.raises(QueryRefusedError, match="rows"):
        ask(embedded, publication, f"SELECT r0.mark FROM {tables}")


def test_many_threads_get_their_own_answers(engine: QueryEngine, publication: Publication) -> None:
    sql = "SELECT DISTINCT tenant_id, LEFT_OF FROM (SELECT tenant_id, LOWER(mark) AS LEFT_OF FROM gold.revenue)"

    def check(number: int) -> bool:
        tenant_id = 1 + number % 3
        rows = ask(engine, publication, sql, tenant_id=tenant_id).rows
        return len(rows) == (0 if tenant_id == 3 else 5) and all(row[0] == tenant_id for row in rows)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(60)))


class TestAthena:
    """What only Athena has: executions with states of their own, tokens, pages, bytes that cost."""

    SQL = "SELECT COUNT(*) FROM gold.revenue"

    @pytest.fixture
    def fake(self, publication: Publication) -> FakeAthena:
        """An Athena nobody has asked before, over gold.revenue."""
        fake = FakeAthena()
        fake.add("revenue", publication.pin("gold.revenue").snapshot_id, ROWS)
        return fake

    def test_pages_are_read_to_the_end_and_the_header_once(self, fake: FakeAthena, publication: Publication) -> None:
        tables = ", ".join(f"gold.revenue AS r{i}" for i in range(5))
        result = ask(athena_engine(fake), publication, f"SELECT r0.mark, r4.mark AS other FROM {tables}")
        assert len(result.rows) == 5**5
        assert result.columns == ("mark", "other")
        assert fake.times_asked("GetQueryResults") == 4

    def test_a_long_answer_is_refused(self, fake: FakeAthena, publication: Publication) -> None:
        tables = ", ".join(f"gold.revenue AS r{i}" for i in range(5))
        with pytest.raises(QueryRefusedError, match="at most 1000 rows"):
            ask(athena_engine(fake, max_rows=1000), publication, f"SELECT r0.mark FROM {tables}")
        assert fake.times_asked("GetQueryResults") == 2, "what nobody gets is not fetched"

    def test_the_tenant_is_a_bound_parameter_and_the_snapshot_is_the_published_one(
        self, fake: FakeAthena, publication: Publication
    ) -> None:
        sql = "WITH own AS (SELECT mark FROM gold.revenue WHERE day < ?) SELECT COUNT(*) FROM own WHERE mark <> ?"
        ask(athena_engine(fake), publication, sql, date(2026, 1, 3), "it's")
        _, asked = fake.asked[0]
        assert asked["ExecutionParameters"] == ["1", "DATE '2026-01-03'", "'it''s'"]
        assert f"FOR VERSION AS OF {publication.pin('gold.revenue').snapshot_id}" in asked["QueryString"]
        assert "it's" not in asked["QueryString"]

    def test_asking_again_in_the_same_minute_is_the_same_execution(
        self, fake: FakeAthena, publication: Publication
    ) -> None:
        assert ask(athena_engine(fake), publication, self.SQL).rows == ((5,),)
        assert ask(athena_engine(fake), publication, self.SQL).rows == ((5,),)
        assert len(fake.executions) == 1
        ask(athena_engine(fake), publication, self.SQL, tenant_id=2)
        assert len(fake.executions) == 2, "another tenant's question is another question"
        fake.clock.advance(60)
        ask(athena_engine(fake), publication, self.SQL)
        assert len(fake.executions) == 3

    def test_a_query_that_takes_too_long_is_cancelled_and_asked_anew(
        self, fake: FakeAthena, publication: Publication
    ) -> None:
        fake.script = lambda execution: setattr(execution, "states", ["QUEUED", "RUNNING"])
        engine = athena_engine(fake, timeout_seconds=5.0)
        with pytest.raises(QueryUnavailableError, match="too long"):
            ask(engine, publication, self.SQL)
        (first,) = fake.executions.values()
        assert first.state == "CANCELLED"
        assert sum(fake.clock.slept) >= 5
        fake.script = lambda _execution: None
        assert ask(engine, publication, self.SQL).rows == ((5,),), "the cancelled one is nobody's answer"

    def test_a_failure_of_athenas_own_is_tried_once_more(self, fake: FakeAthena, publication: Publication) -> None:
        def fail_first(execution: Execution) -> None:
            if len(fake.executions) == 1:
                execution.states, execution.reason = ["FAILED"], "GENERIC_INTERNAL_ERROR"
                execution.error = {"ErrorCategory": 1, "ErrorType": 1, "Retryable": True}

        fake.script = fail_first
        assert ask(athena_engine(fake), publication, self.SQL).rows == ((5,),)

    @pytest.mark.parametrize(
        ("state", "reason", "error", "expected"),
        [
            ("CANCELLED", "Bytes scanned limit was exceeded", {}, QueryTooLargeError),
            ("CANCELLED", "Query cancelled by user", {}, QueryUnavailableError),
            (
                "FAILED",
                "SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved",
                {"ErrorCategory": 2},
                QueryRefusedError,
            ),
            ("FAILED", "Iceberg snapshot ID does not exist: 1", {"ErrorCategory": 2}, SnapshotGoneError),
            ("FAILED", "ICEBERG_MISSING_METADATA: Metadata not found", {"ErrorCategory": 2}, SnapshotGoneError),
            (
                "FAILED",
                "Access Denied (Service: Amazon S3; Status Code: 403)",
                {"ErrorCategory": 3},
                PermissionDeniedError,
            ),
            ("FAILED", "Query exhausted resources at this scale factor", {"ErrorCategory": 1}, QueryUnavailableError),
            (
                "FAILED",
                "Query timeout",
                {"ErrorCategory": 2, "ErrorType": 206, "Retryable": True},
                QueryUnavailableError,
            ),
        ],
    )
    def test_every_end_has_its_error(
        self,
        fake: FakeAthena,
        publication: Publication,
        *,
        state: str,
        reason: str,
        error: dict[str, Any],
        expected: type,
    ) -> None:
        def end(execution: Execution) -> None:
            execution.states, execution.reason, execution.error = ["QUEUED", "RUNNING", state], reason, error

        fake.script = end
        with pytest.raises(expected) as caught:
            ask(athena_engine(fake), publication, self.SQL)
        assert caught.value.guidance

    def test_values_of_every_kind_survive_the_way_as_text(self, fake: FakeAthena, publication: Publication) -> None:
        values: list[Value] = [
            True, False, -7, 2**40, 1.5, -1e300, Decimal("-12.30"), "", "é'\"\n,\\", date(1, 1, 1),
            datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=UTC), datetime(2026, 3, 29, 2, 30), None,  # noqa: DTZ001 - a timestamp without a zone
        ]  # fmt: skip
        for value in values:
            sql = "SELECT COUNT(*) FROM gold.revenue WHERE ? IS NOT DISTINCT FROM ?"
            assert ask(athena_engine(fake), publication, sql, value, value).rows == ((5,),)
        assert [constant(value) for value in values] == [
            "TRUE", "FALSE", "-7", "1099511627776", "DOUBLE '1.5'", "DOUBLE '-1e+300'", "DECIMAL '-12.30'", "''",
            "'é''\"\n,\\'", "DATE '0001-01-01'", "TIMESTAMP '2026-03-29 02:30:00.123456 UTC'",
            "TIMESTAMP '2026-03-29 02:30:00.000000'", "NULL",
        ]  # fmt: skip

    @pytest.mark.parametrize("value", ["x" * 1100, "a\0b", Decimal("NaN")])
    def test_a_value_that_cannot_be_bound_is_refused(
        self, fake: FakeAthena, publication: Publication, value: Value
    ) -> None:
        with pytest.raises(QueryRefusedError):
            ask(athena_engine(fake), publication, "SELECT 1 AS one FROM gold.revenue WHERE mark = ?", value)
        assert not fake.asked

    @pytest.mark.parametrize(
        ("kind", "text", "value"),
        [
            ("timestamp with time zone", "2026-01-01 00:30:00.000 UTC", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)),
            ("timestamp with time zone", "2026-01-01 01:30:00.000 +01:00", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)),
            (
                "timestamp with time zone",
                "2026-07-01 02:30:00.000 Europe/Berlin",
                datetime(2026, 7, 1, 0, 30, tzinfo=UTC),
            ),
            ("timestamp", "2026-01-01 00:30:00.000", datetime(2026, 1, 1, 0, 30)),  # noqa: DTZ001
            ("double", "NaN", None),
        ],
    )
    def test_text_is_read_by_its_column_type(
        self, fake: FakeAthena, publication: Publication, kind: str, text: str, value: Value
    ) -> None:
        def answer(execution: Execution) -> None:
            execution.columns, execution.rows = [("x", kind)], [(text,)]

        fake.script = answer
        ((found,),) = ask(athena_engine(fake), publication, "SELECT mark AS x FROM gold.revenue").rows
        assert found == value or (isinstance(found, float) and math.isnan(found))

    def test_values_that_are_not_plain_are_refused(self, fake: FakeAthena, publication: Publication) -> None:
        fake.script = lambda execution: setattr(execution, "columns", [("x", "array")])
        with pytest.raises(QueryRefusedError, match="array"):
            ask(athena_engine(fake), publication, "SELECT mark AS x FROM gold.revenue")

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            (Fault("TooManyRequestsException"), QueryUnavailableError),
            (Fault("InternalServerException", status=500), QueryUnavailableError),
            (
                Fault("AccessDeniedException", "not authorized to perform: athena:StartQueryExecution"),
                PermissionDeniedError,
            ),
            (Fault("UnrecognizedClientException"), CredentialsError),
            (Fault("InvalidRequestException", "WorkGroup lakeside-dev is not found."), RequestRefusedError),
        ],
    )
    def test_what_athena_refuses_is_told_apart(
        self, fake: FakeAthena, publication: Publication, fault: Fault, expected: type
    ) -> None:
        fake.fail("StartQueryExecution", fault)
        with pytest.raises(expected) as caught:
            ask(athena_engine(fake), publication, self.SQL)
        assert caught.value.guidance
        assert not fake.executions
