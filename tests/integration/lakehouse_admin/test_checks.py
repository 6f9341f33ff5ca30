"""Checks in a run: recorded with what they found, blocking publication where they must, shown to staff."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.flow import advance
from lakehouse_admin.models import CheckResult, Pipeline, PipelineRun, PublicationRecord, StageRun
from lakehouse_admin.record_checks import KEPT_RUNS
from lakehouse_admin.states import RunState, Stage, StageState, Trigger
from lakehouse_admin.status.overview import overview
from lakehouse_admin.status.publications import RecordedPublications
from tests.fakes import FakeLakehouse, gold_result, reconcile_result, succeeded
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

KEYS = [{"tenant_id": 1, "id": 7}]


def check(verdict: str, **fields: object) -> dict[str, object]:
    """Return what a job reports of one check."""
    failing = 0 if verdict in {"passed", "not_judged"} else 1
    return {
        "table": "silver.orders", "name": f"rule_{verdict}", "dimension": "accuracy",
        "severity": "block" if verdict == "blocked" else "warn", "verdict": verdict, "failing_rows": failing,
        "explanation": "", "sample": KEYS * failing, **fields,
    }  # fmt: skip


def silver_finds(lakehouse: FakeLakehouse, *checks: dict[str, object]) -> None:
    result = {**reconcile_result(lakehouse.replicator.tables), "checks": list(checks)}
    lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded(result)


def gold_finds(lakehouse: FakeLakehouse, *checks: dict[str, object], problem: str | None = None) -> None:
    result: dict[str, Any] = gold_result(list(lakehouse.catalog.pins.values()))
    result["models"][0]["checks"] = list(checks)
    lakehouse.jobs.script["silver_to_gold"] = lambda _spec: succeeded({**result, "problem": problem})


def finished(run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    run.refresh_from_db()
    return run


def another(pipeline: Pipeline) -> PipelineRun:
    return trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW)


def test_a_warning_is_recorded_and_published(run: PipelineRun, lakehouse: FakeLakehouse):
    silver_finds(lakehouse, check("passed"), check("warned"), check("not_judged", explanation="Too early."))
    gold_finds(lakehouse, check("passed", table="gold.daily_revenue"))

    assert finished(run, lakehouse).state == RunState.SUCCEEDED

    assert PublicationRecord.objects.count() == 1
    warned = CheckResult.objects.get(verdict="warned")
    assert (warned.stage, warned.failing_rows, warned.sample) == (Stage.QUALITY, 1, KEYS)
    assert CheckResult.objects.get(table="gold.daily_revenue").stage == Stage.GOLD
    messages = set(run.events.values_list("message", flat=True))
    assert any("1 check passed, 1 warns, 1 not judged yet." in each for each in messages)
    assert not any("checks" in attempt.result for attempt in run.stage_runs.filter(stage=Stage.QUALITY))


def test_a_blocking_check_of_silver_withholds_the_run(run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse):
    finished(run, lakehouse)
    silver_finds(lakehouse, check("blocked"))

    second = finished(another(pipeline), lakehouse)

    assert second.state == RunState.FAILED
    assert second.error_message == "Blocking checks failed: rule_blocked of silver.orders (1 row)."
    assert "keys of rows at fault" in second.guidance
    assert PublicationRecord.objects.get().run == run
    assert CheckResult.objects.get(run=second).verdict == "blocked"


def test_a_retry_copies_the_source_again_and_replaces_what_was_found(run: PipelineRun, lakehouse: FakeLakehouse):
    silver_finds(lakehouse, check("blocked"), check("warned"))
    finished(run, lakehouse)
    silver_finds(lakehouse, check("passed"))

    retry_run(run_id=run.pk, now=NOW)

    assert finished(run, lakehouse).state == RunState.SUCCEEDED
    assert len(lakehouse.replicator.requests) == 2
    assert [each.verdict for each in run.check_results.all()] == ["passed"]


def test_a_model_that_breaks_its_check_keeps_the_run_from_publishing(run: PipelineRun, lakehouse: FakeLakehouse):
    gold_finds(lakehouse, check("blocked", table="gold.daily_revenue"), problem="gold.daily_revenue failed: x")

    assert finished(run, lakehouse).state == RunState.WAITING

    assert run.error_message == "gold.daily_revenue failed: x"
    assert "models already done are not repeated" in run.guidance
    assert CheckResult.objects.get().table == "gold.daily_revenue"
    assert not PublicationRecord.objects.exists()


def withheld_as_of(reader: RecordedPublications) -> datetime | None:
    found = reader.withheld()
    return found.as_of if found else None


class TestWithheld:
    reader = RecordedPublications()

    def test_nothing_is_withheld_while_the_newest_run_is_published(self, run: PipelineRun, lakehouse: FakeLakehouse):
        assert self.reader.withheld() is None
        finished(run, lakehouse)
        assert self.reader.withheld() is None

    def test_a_run_kept_back_is_told_until_a_newer_one_is_published(
        self, run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        finished(run, lakehouse)
        lakehouse.replicator.snapshot_at = "2026-11-23T09:00:00+00:00"
        silver_finds(lakehouse, check("blocked"))
        second = finished(another(pipeline), lakehouse)
        assert withheld_as_of(self.reader) == second.as_of

        third = another(pipeline)
        assert withheld_as_of(self.reader) == second.as_of
        silver_finds(lakehouse)
        lakehouse.replicator.snapshot_at = "2026-11-23T10:00:00+00:00"
        assert finished(third, lakehouse).state == RunState.SUCCEEDED
        assert self.reader.withheld() is None

    def test_it_is_withheld_since_the_first_of_several_and_staff_sees_by_which_check(
        self, run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        finished(run, lakehouse)
        silver_finds(lakehouse, check("blocked"))
        lakehouse.replicator.snapshot_at = "2026-11-23T09:00:00+00:00"
        first = finished(another(pipeline), lakehouse)
        since = first.stage_runs.get(state=StageState.FAILED).finished_at
        StageRun.objects.filter(run=first, state=StageState.FAILED).update(finished_at=since - timedelta(hours=1))
        lakehouse.replicator.snapshot_at = "2026-11-23T10:00:00+00:00"
        second = finished(another(pipeline), lakehouse)

        found = self.reader.withheld()
        assert found is not None
        assert (found.as_of, found.since) == (second.as_of, since - timedelta(hours=1))
        staff = overview(pipeline, now=since).held_back
        assert staff is not None
        assert staff.run == second
        assert staff.why.startswith("Blocking checks failed:")

    def test_a_run_that_broke_for_another_reason_withholds_nothing(
        self, run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        finished(run, lakehouse)
        lakehouse.replicator.snapshot_at = "2026-11-23T09:00:00+00:00"
        lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded({"nonsense": 1})
        assert finished(another(pipeline), lakehouse).state == RunState.FAILED
        assert self.reader.withheld() is None


def test_volume_is_compared_with_published_runs_alone(run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse):
    finished(run, lakehouse)
    lakehouse.replicator.tables = {"tenants": 2, "orders": 900}
    silver_finds(lakehouse, check("blocked"))
    finished(another(pipeline), lakehouse)
    lakehouse.replicator.tables = {"tenants": 2, "orders": 6}
    silver_finds(lakehouse)
    finished(another(pipeline), lakehouse)

    finished(another(pipeline), lakehouse)

    asked = [spec.arguments for spec in lakehouse.jobs.submissions if spec.name == "reconcile"]
    assert [each["history"] for each in asked] == [
        {}, {"tenants": [2], "orders": [5]}, {"tenants": [2], "orders": [5]}, {"tenants": [2, 2], "orders": [5, 6]},
    ]  # fmt: skip
    assert all(each["checked"] is True for each in asked)


def test_old_results_are_let_go(
    run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse, monkeypatch: pytest.MonkeyPatch
):
    assert KEPT_RUNS >= 100
    monkeypatch.setattr("lakehouse_admin.record_checks.KEPT_RUNS", 1)
    silver_finds(lakehouse, check("passed"))
    runs = [finished(run, lakehouse), *(finished(another(pipeline), lakehouse) for _ in range(2))]
    assert set(CheckResult.objects.values_list("run", flat=True)) == {each.pk for each in runs[1:]}


class TestShown:
    @pytest.fixture
    def found(self, run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
        silver_finds(lakehouse, check("passed"), check("not_judged", explanation="Too early."))
        gold_finds(lakehouse, check("warned", table="gold.daily_revenue", failing_rows=1234))
        return finished(run, lakehouse)

    def test_in_the_shell(self, found: PipelineRun):
        answer = Answer("checks")
        assert answer.code == 0
        assert "gold.daily_revenue  rule_warned" in answer.out
        assert "rule_passed" not in answer.out
        assert f"Run {found.pk}: 1 passed, 1 failed, 1 not judged." in answer.out
        assert "rule_passed" in Answer("checks", "--all").out
        document = json.loads(Answer("checks", "--run", str(found.pk), "--json").out)
        assert [each["verdict"] for each in document["checks"]] == ["warned", "not_judged", "passed"]
        assert document["checks"][0]["sample"] == KEYS

    def test_a_blocked_run_exits_with_1(self, run: PipelineRun, lakehouse: FakeLakehouse):
        silver_finds(lakehouse, check("blocked"))
        finished(run, lakehouse)
        assert Answer("checks").code == 1

    def test_without_results_it_says_what_to_do(self, run: PipelineRun):
        answer = Answer("checks", "--run", str(run.pk))
        assert answer.code == 1
        assert f"Run {run.pk} has checked nothing" in answer.err
        assert "manage.py lakehouse run" in Answer("checks").err
