"""Checks as they are written, and what they find: each shorthand on rows that keep it and rows that break it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlglot

from etl.gold.compile import check_sql
from etl.gold.model import ModelError, ModelSyntaxError, NotPortableError, UnknownReferenceError
from etl.quality.checks import Dimension, Severity
from etl.quality.execute import SAMPLED_ROWS, CheckNotComputedError, CheckResult, Verdict
from etl.quality.suites import SuiteError, load_suites, run_suites
from tests.unit.etl.gold.silver import TABLES, open_silver

AS_OF = datetime(2026, 7, 1, 12, tzinfo=UTC)
TYPES = {
    table: {name: {"TEXT": "text"}.get(kind, kind.lower()) for name, kind in columns.items()}
    for table, columns in TABLES.items()
}
HEAD = "key: [tenant_id, id]\nchecks:\n"


def suite(tmp_path: Path, checks: str, *, table: str = "orders", head: str = HEAD) -> Path:
    (tmp_path / f"{table}.yaml").write_text(head + checks)
    return tmp_path


def run(
    folder: Path, given: Mapping[str, Sequence[Mapping[str, object]]], history: Sequence[int] = ()
) -> dict[str, CheckResult]:
    suites = load_suites(TYPES, folder)
    with open_silver(given) as connection:
        results = run_suites(connection, suites, as_of=AS_OF, history={"orders": history})
    return {each.name: each for each in results}


def order(key: int, **fields: object) -> dict[str, object]:
    money = {"subtotal": "10.00", "tax": "1.00", "total": "11.00"}
    return {"id": key, "tenant_id": 1, "customer_id": 5, "number": f"N{key}", **money, **fields}


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("not_null: [number, tax]", {}, {"tax": None}),
        ("unique: [tenant_id, number]", {}, {"number": "N1"}),
        ("accepted_values: {column: status, values: [completed, pending]}", {}, {"status": "lost"}),
        ("relationship: {columns: [customer_id], to: silver.customers, key: [id]}", {}, {"customer_id": 6}),
        ("range: {column: total, min: 0, max: 100}", {"total": 100}, {"total": "100.01"}),
        ("range: {column: total, min: 0.5}", {"total": "0.50"}, {"total": "0.49"}),
        (
            "range: {column: order_date, max: as_of}",
            {"order_date": "2026-07-01 12:00:00+00"}, {"order_date": "2026-07-01 12:00:01+00"},
        ),
        ("{name: rule, expression: total = subtotal - discount + tax}", {"total": 11}, {"total": "11.01"}),
        ("{name: rule, sql: 'SELECT tenant_id, id FROM silver.orders WHERE total > 50'}", {"total": 50}, {"total": 51}),
    ],
)  # fmt: skip
def test_each_shorthand_finds_the_row_that_breaks_it(
    tmp_path: Path, check: str, good: Mapping[str, object], bad: Mapping[str, object]
) -> None:
    customers = [{"id": 5, "tenant_id": 1}]
    folder = suite(tmp_path, f"  - {check}\n")
    kept = list(run(folder, {"customers": customers, "orders": [order(1), order(2, **good)]}).values())[-1]
    assert (kept.verdict, kept.failing_rows, kept.sample) == (Verdict.PASSED, 0, ())

    broken = list(run(folder, {"customers": customers, "orders": [order(1), order(2, **bad)]}).values())[-1]
    assert broken.failing_rows == (2 if "unique" in check else 1)
    assert broken.verdict is (Verdict.WARNED if broken.severity is Severity.WARN else Verdict.BLOCKED)
    assert {"tenant_id": 1, "id": 2} in broken.sample


@pytest.mark.parametrize(
    ("check", "fields"),
    [
        ("unique: [tenant_id, number]", {"number": None}),
        ("accepted_values: {column: status, values: [pending]}", {"status": None}),
        ("relationship: {columns: [tenant_id, customer_id], to: silver.customers, key: [tenant_id, id]}",
         {"customer_id": None}),
        ("range: {column: total, min: 0}", {"total": None}),
        ("{name: rule, expression: total = subtotal + tax}", {"total": None}),
    ],
)  # fmt: skip
def test_null_breaks_no_rule_but_not_null(tmp_path: Path, check: str, fields: Mapping[str, object]) -> None:
    results = run(suite(tmp_path, f"  - {check}\n"), {"orders": [order(1, **fields), order(2, **fields)]})
    assert list(results.values())[-1].verdict is Verdict.PASSED


def test_the_key_is_checked_without_being_asked(tmp_path: Path) -> None:
    results = run(suite(tmp_path, "  - volume: {}\n"), {"orders": [order(1), order(1), order(2, tenant_id=None)]})
    assert results["unique(tenant_id, id)"].verdict is Verdict.BLOCKED
    assert results["unique(tenant_id, id)"].sample == ({"tenant_id": 1, "id": 1},)
    assert results["not_null(tenant_id, id)"].sample == ({"id": 2},)


@pytest.mark.parametrize(
    ("placed", "verdict"),
    [
        ("2026-06-30 12:00:00+00", Verdict.PASSED),
        ("2026-06-30 11:59:59+00", Verdict.WARNED),
    ],
)
def test_freshness_is_measured_to_where_the_data_stands(tmp_path: Path, placed: str, verdict: Verdict) -> None:
    folder = suite(tmp_path, "  - freshness: {column: order_date, seconds: 86400}\n")
    results = run(folder, {"orders": [order(1, order_date="2020-01-01 00:00:00+00"), order(2, order_date=placed)]})
    assert results["freshness(order_date)"].verdict is verdict
    assert run(folder, {})["freshness(order_date)"].verdict is Verdict.PASSED


def test_volume_is_judged_by_history(tmp_path: Path) -> None:
    folder = suite(tmp_path, "  - volume: {minimum_runs: 2, tolerance: 0.1}\n    severity: block\n")
    orders = [order(number) for number in range(10)]
    assert run(folder, {"orders": orders}, history=[10])["volume"].verdict is Verdict.NOT_JUDGED
    assert run(folder, {"orders": orders}, history=[10, 10])["volume"].verdict is Verdict.PASSED
    lost = run(folder, {"orders": orders[:5]}, history=[10, 10])["volume"]
    assert (lost.verdict, lost.failing_rows, lost.sample) == (Verdict.BLOCKED, 0, ())
    assert "5 rows; usual are 10" in lost.explanation


def test_defaults_and_what_may_be_said_instead(tmp_path: Path) -> None:
    folder = suite(
        tmp_path,
        "  - not_null: [tax]\n  - range: {column: total, min: 0}\n"
        "  - {range: {column: tax, min: 0}, name: tax_is_due, severity: block, dimension: timeliness}\n",
    )
    results = run(folder, {"orders": [order(1, total=-1, tax=-1)]})
    missing, total, tax = (results[name] for name in ("not_null(tax)", "range(total)", "tax_is_due"))
    assert (missing.severity, missing.dimension) == (Severity.BLOCK, Dimension.COMPLETENESS)
    assert (total.severity, total.dimension, total.verdict) == (Severity.WARN, Dimension.ACCURACY, Verdict.WARNED)
    assert (tax.severity, tax.dimension, tax.verdict) == (Severity.BLOCK, Dimension.TIMELINESS, Verdict.BLOCKED)


def test_a_sample_is_small_and_holds_keys_alone(tmp_path: Path) -> None:
    folder = suite(
        tmp_path,
        "  - {name: all, sql: 'SELECT tenant_id, id, email, name FROM silver.customers'}\n"
        "  - {name: only_texts, sql: 'SELECT email, name FROM silver.customers'}\n",
        table="customers",
    )
    people = [{"id": number, "tenant_id": 1, "email": "ada@shop.example", "name": "Ada"} for number in range(99)]
    results = run(folder, {"customers": people})
    assert results["all"].failing_rows == 99
    assert results["all"].sample == tuple({"tenant_id": 1, "id": number} for number in range(SAMPLED_ROWS))
    assert (results["only_texts"].failing_rows, results["only_texts"].sample) == (99, ())


def test_a_check_of_another_table_is_not_counted_on_this_one(tmp_path: Path) -> None:
    folder = suite(tmp_path, "  - {name: other, sql: SELECT id FROM silver.tenants WHERE id > 1}\n")
    given = {"tenants": [{"id": 1}, {"id": 2}], "orders": [order(number) for number in range(5)]}
    assert run(folder, given)["other"].failing_rows == 1


def test_one_check_that_cannot_be_computed_is_named_with_its_place(tmp_path: Path) -> None:
    folder = suite(tmp_path, "  - not_null: [tax]\n  - {name: digits, expression: CAST(number AS BIGINT) > 0}\n")
    with pytest.raises(CheckNotComputedError, match=r"orders\.yaml:4: check digits: Conversion Error"):
        run(folder, {"orders": [order(1)]})


WRONG = {
    "no mapping": ("- nothing", SuiteError, 1, "must give key and checks"),
    "unknown part": (HEAD.replace("checks:", "owner: me\nchecks:") + "  - volume:", SuiteError, 2, "`owner` is not"),
    "no key": ("checks: []", SuiteError, 1, "`key` is missing"),
    "key of unknown column": ("key: [uid]\nchecks: []", SuiteError, 1, "columns of silver.orders: id, tenant_id"),
    "broken yaml": ("key: [id\nchecks: []", SuiteError, 2, "cannot be read"),
    "key given twice": ("key: [id]\nkey: [id]\nchecks: []", SuiteError, 2, "`key` is given twice"),
    "checks no list": ("key: [id]\nchecks: {volume: {}}", SuiteError, 2, "must be a list"),
    "unknown kind": (HEAD + "  - positive: [total]", SuiteError, 3, "a check is one of not_null, unique"),
    "two kinds": (HEAD + "  - {not_null: [id], unique: [id]}", SuiteError, 3, "a check is one of"),
    "unknown extra": (HEAD + "  - {volume: {}, owner: me}", SuiteError, 3, "`owner` is not known in a volume check"),
    "unknown column": (HEAD + "  - not_null: [totl]", SuiteError, 3, "names totl, which is not among the columns"),
    "columns no list": (HEAD + "  - unique: total", SuiteError, 3, "list of column names"),
    "bad severity": (HEAD + "  - {volume: {}, severity: fatal}", SuiteError, 3, "severity must be block or warn"),
    "bad dimension": (HEAD + "  - {volume: {}, dimension: depth}", SuiteError, 3, "must be completeness or accuracy"),
    "range in words": (
        HEAD + "  - range: {column: total, min: low}", SuiteError, 3, "`min` must be a number, not 'low'",
    ),
    "range of days for a number": (HEAD + "  - range: {column: total, max: 2026-01-01}", SuiteError, 3, "a number"),
    "range of text": (HEAD + "  - range: {column: number, min: 1}", SuiteError, 3, "has no range; write an expression"),
    "range of time": (HEAD + "  - range: {column: order_date, min: 1}", SuiteError, 3, "must be as_of"),
    "range without ends": (HEAD + "  - range: {column: total}", SuiteError, 3, "needs `min`, `max` or both"),
    "range upside down": (HEAD + "  - range: {column: total, min: 2, max: 1}", SuiteError, 3, "no value of total"),
    "range with more": (HEAD + "  - range: {column: total, least: 2}", SuiteError, 3, "range needs column"),
    "boolean for a number": (HEAD + "  - range: {column: total, min: true}", SuiteError, 3, "must be a number"),
    "values of another type": (
        HEAD + "  - accepted_values: {column: status, values: [1]}", SuiteError, 3, "text, which 1 is not",
    ),
    "values of money": (
        HEAD + "  - accepted_values: {column: total, values: [1]}", SuiteError, 3, "does not suit total",
    ),
    "no values": (HEAD + "  - accepted_values: {column: status, values: []}", SuiteError, 3, "needs values"),
    "freshness of text": (HEAD + "  - freshness: {column: number, seconds: 9}", SuiteError, 3, "timestamptz column"),
    "freshness in words": (HEAD + "  - freshness: {column: order_date, seconds: soon}", SuiteError, 3, "whole number"),
    "volume of nothing": (HEAD + "  - volume: {minimum_runs: 1}", SuiteError, 3, "at least 2"),
    "volume of everything": (HEAD + "  - volume: {tolerance: 1}", SuiteError, 3, "between 0 and 1"),
    "expression without name": (HEAD + "  - expression: total > 0", SuiteError, 3, "check a `name`"),
    "empty expression": (HEAD + "  - {name: x, expression: ''}", SuiteError, 3, "must be a text"),
    "same name twice": (HEAD + "  - not_null: [id]\n  - not_null: [id]", SuiteError, 4, "two checks called not_"),
    "unknown target": (
        HEAD + "  - relationship: {columns: [id], to: silver.nowhere, key: [id]}",
        UnknownReferenceError, 3, "no table silver.nowhere",
    ),
    "unknown target column": (
        HEAD + "  - relationship: {columns: [id], to: silver.tenants, key: [uid]}", UnknownReferenceError, 3, "uid",
    ),
    "uneven relationship": (
        HEAD + "  - relationship: {columns: [id], to: silver.tenants, key: [id, id]}", SuiteError, 3, "the 1",
    ),
    "not portable": (
        HEAD + "  - {name: x, expression: MEDIAN(total) > 0}", NotPortableError, 3, "rank with PERCENT_RANK()",
    ),
    "a clock": (HEAD + "  - {name: x, expression: order_date < NOW()}", NotPortableError, 3, "AS_OF()"),
    "no SELECT": (HEAD + "  - {name: x, sql: DROP TABLE silver.orders}", ModelSyntaxError, 3, "exactly one SELECT"),
    "syntax error": (HEAD + "  - {name: x, expression: total >}", ModelSyntaxError, 3, ""),
    "unknown column in sql": (
        HEAD + "  - volume: {}\n  - {name: x, sql: SELECT totl FROM silver.orders}", UnknownReferenceError, 4, "totl",
    ),
    "outside the lake": (
        HEAD + "  - {name: x, sql: SELECT id FROM bronze.orders}", NotPortableError, 3, "outside the lake",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "error", "line", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_suite_is_refused_with_its_place(
    tmp_path: Path, text: str, error: type[ModelError], line: int, says: str
) -> None:
    with pytest.raises(error) as caught:
        load_suites(TYPES, suite(tmp_path, text, head=""))
    assert str(caught.value).startswith(f"orders.yaml:{line}: ")
    assert says in str(caught.value)
    assert "Correct the file" in caught.value.guidance


def test_a_suite_for_an_unknown_table_is_refused_unless_it_may_be_left_out(tmp_path: Path) -> None:
    folder = suite(tmp_path, "  - volume: {}\n", table="oders")
    with pytest.raises(
        SuiteError, match=r"oders\.yaml:1: there is no table silver\.oders; known are customers, events"
    ):
        load_suites(TYPES, folder)
    assert load_suites(TYPES, suite(tmp_path, "  - volume: {}\n", table="oders", head=f"optional: true\n{HEAD}")) == ()
    with pytest.raises(SuiteError, match="`optional` is true or false"):
        load_suites(TYPES, suite(tmp_path, "  - volume: {}\n", table="oders", head=f"optional: perhaps\n{HEAD}"))


def test_a_check_into_a_table_left_out_is_said_not_judged(tmp_path: Path) -> None:
    folder = suite(
        tmp_path,
        "  - relationship: {columns: [customer_id], to: silver.customers, key: [id]}\n",
        head=f"optional: true\n{HEAD}",
    )
    silver = {name: columns for name, columns in TYPES.items() if name != "customers"}
    (only,) = load_suites(silver, folder)
    (left_out,) = only.left_out
    assert (left_out.verdict, left_out.explanation) == (Verdict.NOT_JUDGED, "silver.customers is not replicated.")


class TestOurSuites:
    def test_every_table_has_one_and_every_dimension_is_covered(self) -> None:
        suites = load_suites(TYPES)
        assert {each.table for each in suites} == {f"silver.{name}" for name in TABLES}
        for each in suites:
            assert {check.check.dimension for check in each.checks} == set(Dimension), each.table

    @pytest.mark.parametrize("dialect", ["duckdb", "spark", "trino"])
    def test_every_check_is_written_for_every_engine(self, dialect: str) -> None:
        for each in load_suites(TYPES):
            for check in each.checks:
                assert sqlglot.parse_one(check_sql(check, dialect, as_of=AS_OF), dialect=dialect)

    def test_an_empty_lake_breaks_nothing(self) -> None:
        with open_silver({}) as connection:
            results = run_suites(connection, load_suites(TYPES), as_of=AS_OF, history={})
        assert {each.verdict for each in results} == {Verdict.PASSED, Verdict.NOT_JUDGED}
        assert {each.name for each in results if each.verdict is Verdict.NOT_JUDGED} == {"volume"}
