"""Wrong models are refused before anything is written: file, line, what to write instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlglot
from sqlglot import exp

from etl.errors import OperatorError
from etl.gold.compile import compile_models, load_models
from etl.gold.front_matter import parse_model
from etl.gold.model import (
    Audience,
    FrontMatterError,
    ModelCycleError,
    ModelError,
    ModelSyntaxError,
    NotPortableError,
    OutputMismatchError,
    UnknownReferenceError,
)
from tests.unit.etl.gold.silver import COLUMNS

HEAD = """/* model
title: Sales
question: How much?
grain: [tenant_id]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id: {type: bigint, description: The tenant.}
  revenue: {type: "decimal(38,2)", unit: tenant currency, description: The money.}
checks: []
*/
"""
SELECT = "SELECT tenant_id, SUM(total) AS revenue FROM silver.orders GROUP BY tenant_id\n"
AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)


def compiled(*texts: str) -> object:
    names = ("sales", "second")
    models = [parse_model(text, file=f"{name}.sql") for name, text in zip(names, texts, strict=False)]
    return compile_models(models, silver=COLUMNS)


def swapped(old: str, new: str) -> str:
    text = HEAD + SELECT
    assert old in text
    return text.replace(old, new)


def test_the_pattern_of_these_tests_compiles() -> None:
    assert compiled(HEAD + SELECT)


WRONG = {
    "no front matter": (SELECT, FrontMatterError, 1, "must begin with"),
    "no yaml": ("/* model\n\n*/\n" + SELECT, FrontMatterError, 2, "must give title"),
    "broken yaml": (swapped("grain: [tenant_id]", "grain: [tenant_id"), FrontMatterError, 5, "cannot be read"),
    "unknown key": (swapped("checks: []", "checks: []\nowner: me"), FrontMatterError, 11, "`owner` is not known"),
    "missing key": (swapped("title: Sales\n", ""), FrontMatterError, 1, "`title` is missing"),
    "empty title": (swapped("title: Sales", "title: ''"), FrontMatterError, 2, "no title"),
    "key given twice": (swapped("title: Sales", "title: Sales\ntitle: x"), FrontMatterError, 3, "given twice"),
    "column given twice": (
        swapped("checks: []", "  revenue: {type: text, description: x}\nchecks: []"),
        FrontMatterError, 10, "`revenue` is given twice",
    ),
    "no description": (
        swapped("{type: bigint, description: The tenant.}", "{type: bigint}"),
        FrontMatterError, 8, "tenant_id has no description",
    ),
    "number without unit": (swapped("unit: tenant currency, ", ""), FrontMatterError, 9, "revenue has no unit"),
    "unknown type": (swapped("bigint", "int128"), FrontMatterError, 8, "'int128' is no type"),
    "type gold does not have": (swapped("bigint", "json"), FrontMatterError, 8, "'json' is no type"),
    "grain of unknown column": (swapped("grain: [tenant_id]", "grain: [day]"), FrontMatterError, 4, "names day"),
    "empty grain": (swapped("grain: [tenant_id]", "grain: []"), FrontMatterError, 4, "list of column names"),
    "freshness in words": (swapped("seconds: 300", "seconds: soon"), FrontMatterError, 5, "whole number"),
    "no time at all": (swapped("seconds: 300", "seconds: 0"), FrontMatterError, 5, "whole number of seconds above 0"),
    "part of a second": (swapped("seconds: 300", "seconds: 0.5"), FrontMatterError, 5, "whole number"),
    "time that is a truth": (swapped("seconds: 300", "seconds: true"), FrontMatterError, 5, "whole number"),
    "quotient without formula": (swapped('"decimal(38,2)"', "double"), FrontMatterError, 9, "revenue has no formula"),
    "empty formula": (swapped("unit: tenant", "formula: '', unit: tenant"), FrontMatterError, 9, "no formula"),
    "unknown audience": (
        swapped("grain:", "audience: everyone\ngrain:"), FrontMatterError, 4, "audience must be one of tenant, plat",
    ),
    "tenants' model without tenant": (
        (HEAD + SELECT).replace("tenant_id", "shop_id"), FrontMatterError, 7, "no tenant can read it",
    ),
    "unknown check": (swapped("checks: []", "checks:\n  - positive: [revenue]"), FrontMatterError, 11, "a check is"),
    "check of unknown column": (swapped("checks: []", "checks:\n  - unique: [day]"), FrontMatterError, 11, "names day"),
    "syntax error": (swapped("SUM(total) AS revenue", "SUM(total AS revenue"), ModelSyntaxError, 12, "near"),
    "open quote": (swapped("SUM(total)", "'SUM(total)"), ModelSyntaxError, 1, "not closed"),
    "two statements": (HEAD + SELECT + ";" + SELECT, ModelSyntaxError, 1, "exactly one SELECT"),
    "not a select": (HEAD + "DROP TABLE silver.orders", ModelSyntaxError, 1, "exactly one SELECT"),
    "no statement": (HEAD, ModelSyntaxError, 1, "exactly one SELECT"),
    "not portable": (swapped("SUM(total)", "AVG(total)"), NotPortableError, 12, "divide sums"),
    "unknown table": (swapped("silver.orders", "silver.odrers"), UnknownReferenceError, 12, "no table silver.odrers"),
    "unknown model": (swapped("silver.orders", "gold.orders"), UnknownReferenceError, 12, "no table gold.orders"),
    "bare table": (swapped("silver.orders", "orders"), UnknownReferenceError, 12, "no table orders"),
    "unknown column": (swapped("SUM(total)", "SUM(totl)"), UnknownReferenceError, 12, "no column totl"),
    "undescribed output": (
        swapped("AS revenue", "AS revenue, COUNT(*) AS orders"),
        OutputMismatchError, 12, "orders is selected but not described",
    ),
    "missing output": (swapped("SUM(total) AS revenue", "tenant_id AS tenant"), OutputMismatchError, 12, "tenant is"),
    "unselected column": (swapped(", SUM(total) AS revenue", ""), OutputMismatchError, 12, "revenue is described"),
    "nameless output": (swapped(" AS revenue", ""), OutputMismatchError, 12, "a name with AS"),
    "reads itself": (swapped("silver.orders", "gold.sales"), UnknownReferenceError, 12, "no column total"),
    "check that does not parse": (
        swapped("checks: []", "checks:\n  - name: c\n    sql: SELECT FROM WHERE"), ModelSyntaxError, 12, "near",
    ),
    "check on unknown table": (
        swapped("checks: []", "checks:\n  - name: c\n    sql: SELECT a FROM silver.nothing"),
        UnknownReferenceError, 12, "no table silver.nothing",
    ),
    "check on unknown column": (
        swapped("checks: []", "checks:\n  - name: c\n    sql: SELECT day FROM gold.sales"),
        UnknownReferenceError, 12, "no column day",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "error", "line", "problem"), WRONG.values(), ids=WRONG)
def test_refuses(text: str, error: type[ModelError], line: int, problem: str) -> None:
    with pytest.raises(error) as caught:
        compiled(text)
    assert isinstance(caught.value, OperatorError)
    assert str(caught.value).startswith(f"sales.sql:{line}: ")
    assert problem in str(caught.value)


def test_a_model_of_the_platform_needs_no_tenant_and_is_kept_from_tenants() -> None:
    text = (HEAD + SELECT).replace("grain: [tenant_id]", "audience: platform\ngrain: [tenant_id]")
    (model,) = [parse_model(text, file="sales.sql")]
    assert model.audience is Audience.PLATFORM
    assert model.partition_by is None
    assert parse_model(HEAD + SELECT, file="sales.sql").partition_by == "tenant_id"


def test_a_model_of_a_minute_is_live() -> None:
    assert parse_model(swapped("seconds: 300", "seconds: 60"), file="sales.sql").is_live
    assert not parse_model(swapped("seconds: 300", "seconds: 61"), file="sales.sql").is_live


def test_refuses_a_file_name_that_is_no_table_name() -> None:
    with pytest.raises(FrontMatterError, match="lower case"):
        parse_model(HEAD + SELECT, file="Daily Revenue.sql")


def test_refuses_a_circle() -> None:
    first = HEAD + "SELECT tenant_id, revenue FROM gold.second"
    second = HEAD + "SELECT tenant_id, revenue FROM gold.sales"
    with pytest.raises(ModelCycleError, match=r"gold\.sales -> gold\.second -> gold\.sales|second -> gold.sales"):
        compiled(first, second)


def test_refuses_a_model_that_reads_itself() -> None:
    with pytest.raises(ModelCycleError, match="reads itself"):
        compiled(HEAD + "SELECT tenant_id, revenue FROM gold.sales")


def test_a_check_that_reads_another_model_waits_for_it() -> None:
    check = (
        "checks:\n  - name: same\n    sql: SELECT tenant_id FROM gold.sales EXCEPT SELECT tenant_id FROM gold.second"
    )
    first, second = HEAD.replace("checks: []", check) + SELECT, HEAD + SELECT
    models = [parse_model(first, file="sales.sql"), parse_model(second, file="second.sql")]
    order = [each.model.name for each in compile_models(models, silver=COLUMNS)]
    assert order == ["second", "sales"]


def test_models_come_after_what_they_read() -> None:
    done: set[str] = set()
    for each in compile_models(load_models(), silver=COLUMNS):
        assert {name for name in each.inputs if name.startswith("gold.")} <= done
        done.add(each.model.table)


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "trino"])
def test_every_model_is_written_for_every_engine(dialect: str) -> None:
    for each in compile_models(load_models(), silver=COLUMNS):
        sql = each.sql(dialect, as_of=AS_OF)
        tree = sqlglot.parse_one(sql, dialect=dialect)
        assert [column.alias for column in tree.selects] == [name for name, _ in each.model.selected]
        assert all(isinstance(column.this, exp.Cast) for column in tree.selects)
        assert "LOCAL_DAY" not in sql
        assert "AS_OF" not in sql
        assert "/*" not in sql


@pytest.mark.parametrize(
    ("dialect", "day", "stamp"),
    [
        ("duckdb", "CAST(created_at AT TIME ZONE timezone AS DATE)", "CAST(updated_at AS TIMESTAMPTZ)"),
        ("spark", "CAST(FROM_UTC_TIMESTAMP(created_at, timezone) AS DATE)", "AS TIMESTAMP)"),
        ("trino", "CAST(AT_TIMEZONE(created_at, timezone) AS DATE)", "AS TIMESTAMP(6) WITH TIME ZONE)"),
    ],
)
def test_time_zones_are_written_for_the_engine(dialect: str, day: str, stamp: str) -> None:
    columns = "  day: {type: date, description: Day.}\n  updated_at: {type: timestamptz, description: Time.}\nchecks"
    text = HEAD.replace('  revenue: {type: "decimal(38,2)", unit: tenant currency, description: The money.}\n', "")
    text = text.replace("checks", columns)
    text += "SELECT id AS tenant_id, LOCAL_DAY(created_at, timezone) AS day, updated_at FROM silver.tenants"
    (only,) = compile_models([parse_model(text, file="m.sql")], silver=COLUMNS)
    sql = only.sql(dialect, as_of=AS_OF)
    assert day in sql
    assert stamp in sql


def test_as_of_is_utc_whatever_zone_it_is_given_in() -> None:
    text = HEAD + "SELECT id AS tenant_id, 0 AS revenue FROM silver.tenants WHERE created_at < AS_OF()"
    (only,) = compile_models([parse_model(text, file="m.sql")], silver=COLUMNS)
    in_berlin = AS_OF.astimezone(timezone(timedelta(hours=2)))
    assert only.sql("duckdb", as_of=in_berlin) == only.sql("duckdb", as_of=AS_OF)
    assert "'2026-06-30 12:00:00.000000+00:00'" in only.sql("duckdb", as_of=AS_OF)
