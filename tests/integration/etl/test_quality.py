"""Silver's suites in a real lake: what the job reports of good and bad rows, and of a table that changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.engine.lake import LakeConfig
from etl.jobs import reconcile
from etl.jobs.document import build, dump
from etl.jobs.progress import Progress
from etl.jobs.reconcile import Reconcile, ReconcileResult
from etl.quality.execute import CheckResult, Verdict
from etl.quality.suites import SuiteError
from tests.integration.etl.conftest import Source
from tests.lakes import apply, lake_in, load

pytestmark = pytest.mark.integration

TENANTS = """
    CREATE TABLE tenants (
        id bigint PRIMARY KEY, slug text, name text, plan text, currency char(3), timezone text, metadata jsonb,
        created_at timestamptz, updated_at timestamptz
    );
    INSERT INTO tenants SELECT i, 'shop-' || i, 'Shop', 'growth', 'EUR', 'UTC', '{}', now() - interval '1 day', now()
      FROM generate_series(1, 4) AS i
"""


@pytest.fixture
def lake(tmp_path: Path, source: Source) -> LakeConfig:
    source.execute(TENANTS)
    return lake_in(tmp_path, source.url)


def checked(source: Source, lake: LakeConfig, history: dict[str, list[int]] | None = None) -> ReconcileResult:
    """Load, apply and check, with the job's arguments as they arrive from the control plane."""
    load_id = load(lake, source.url, ["tenants"]).load_id
    apply(lake, load_id)
    arguments = build(Reconcile, {"lake": lake, "load_id": load_id, "checked": True, "history": history or {}})
    return reconcile.run(arguments, Progress())


def found(result: ReconcileResult) -> dict[str, CheckResult]:
    return {each.name: each for each in result.checks}


def test_good_rows_pass_and_what_cannot_be_judged_is_said(source: Source, lake: LakeConfig) -> None:
    result = checked(source, lake)
    assert result.equal
    assert {each.table for each in result.checks} == {"silver.tenants"}
    assert {each.name for each in result.checks if each.verdict is not Verdict.PASSED} == {"volume"}
    assert found(result)["volume"].verdict is Verdict.NOT_JUDGED
    assert '"verdict": "not_judged"' in dump(result)


def test_bad_rows_equal_the_source_and_are_named_all_the_same(source: Source, lake: LakeConfig) -> None:
    source.execute("UPDATE tenants SET plan = 'free' WHERE id = 3; UPDATE tenants SET currency = 'eur' WHERE id = 2")
    result = checked(source, lake, history={"tenants": [40] * 5})
    assert result.equal
    plan, currency = found(result)["accepted_values(plan)"], found(result)["currency_is_iso_4217"]
    assert (plan.verdict, plan.failing_rows, plan.sample) == (Verdict.BLOCKED, 1, ({"id": 3},))
    assert (currency.verdict, currency.sample) == (Verdict.WARNED, ({"id": 2},))
    assert found(result)["volume"].verdict is Verdict.WARNED
    assert "4 rows; usual are 40" in found(result)["volume"].explanation


def test_a_row_from_the_future_is_told_by_the_sources_own_clock(source: Source, lake: LakeConfig) -> None:
    source.execute("UPDATE tenants SET created_at = now() + interval '1 hour', updated_at = now() + interval '2 hours'")
    assert found(checked(source, lake))["not_from_the_future"].failing_rows == 4


def test_a_suite_that_names_a_column_no_longer_there_is_refused_before_anything_is_compared(
    source: Source, lake: LakeConfig
) -> None:
    source.execute("ALTER TABLE tenants RENAME COLUMN plan TO tariff")
    progress = Progress()
    load_id = load(lake, source.url, ["tenants"]).load_id
    apply(lake, load_id)
    with pytest.raises(SuiteError, match=r"tenants\.yaml:5: the check names plan, which is not among the columns"):
        reconcile.run(Reconcile(lake=lake, load_id=load_id, checked=True), progress)
    assert progress.fields == {}
    assert reconcile.run(Reconcile(lake=lake, load_id=load_id), progress).checks == ()
