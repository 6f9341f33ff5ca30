"""What runs cost is recorded once, whole, and split exactly; budgets open alerts."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from etl.ports.job_runner import JobState, JobStatus
from etl.ports.query_engine import QueryResult
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.actions.watch import watch
from lakehouse_admin.costs.metered_queries import MeteredQueries
from lakehouse_admin.costs.money import QUANTUM
from lakehouse_admin.costs.month import By, month_costs
from lakehouse_admin.costs.prices import STANDARD_BOOK, read_book
from lakehouse_admin.costs.record import record_costs, tenant_shares
from lakehouse_admin.costs.run_cost import run_cost
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Alert, CostEntry, CostShare, Pipeline, PipelineRun, QueryUse
from lakehouse_admin.states import DATA_STAGES, AlertRule, RunState, Stage, Trigger
from lakehouse_admin.status.replication import Replication, Standing
from tests.fakes import RUNNING, FakeLakehouse, failed, silver_result
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

ABSENT = Replication(standing=Standing.ABSENT)
PRICES = read_book(STANDARD_BOOK)
MINUTE = timedelta(minutes=1)


def finish(run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    run.refresh_from_db()
    return run


def total(run: PipelineRun) -> Decimal:
    return sum((entry.amount for entry in run.costs.all()), Decimal(0))


def shares(run: PipelineRun, kind: CostShare.Kind) -> dict[str, Decimal]:
    return dict(run.cost_shares.filter(kind=kind).values_list("key", "amount"))


class TestARunsCost:
    def test_is_recorded_by_stage_and_item_with_the_price_and_its_day(self, run: PipelineRun, lakehouse: FakeLakehouse):
        finish(run, lakehouse)

        entries = {(entry.stage, entry.item): entry for entry in run.costs.all()}
        assert {stage for stage, _ in entries} == set(DATA_STAGES) - {Stage.PUBLISH}
        job = entries[Stage.GOLD, "glue.dpu_hour"]
        assert (job.quantity, job.unit_price) == (Decimal("0.033333333333"), Decimal("0.44"))
        assert job.amount == Decimal("0.014666667")
        assert (job.currency, job.is_charged, job.price_date) == ("USD", False, date(2026, 10, 7))
        assert job.month == date(2026, 11, 1)

    def test_falls_on_tables_and_tenants_to_the_last_quantum(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.tables = {"tenants": 2, "orders": 5, "events": 1001}
        finish(run, lakehouse)

        by_table, by_tenant = (shares(run, kind) for kind in CostShare.Kind)
        assert sum(by_table.values()) == sum(by_tenant.values()) == total(run) > 0
        assert by_table["events"] > by_table["orders"] > by_table["tenants"] > 0
        assert by_tenant.keys() == {"1", "2"}
        assert by_tenant["1"] > by_tenant["2"] > 0

    def test_a_failed_run_costs_what_it_did_and_a_retry_adds_to_it(self, run: PipelineRun, lakehouse: FakeLakehouse):
        good = lakehouse.jobs.script["silver_to_gold"]
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: failed(MemoryError, "no memory")
        before = total(finish(run, lakehouse))
        assert run.state == RunState.FAILED
        assert before > 0

        lakehouse.jobs.script["silver_to_gold"] = good
        retry_run(run_id=run.pk, now=NOW)
        finish(run, lakehouse)

        assert run.state == RunState.SUCCEEDED
        assert total(run) > before
        assert run.costs.get(stage=Stage.GOLD, item="glue.dpu_hour").quantity == Decimal("0.066666666667")

    def test_a_cancelled_run_costs_the_time_until_its_job_was_ended(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        cancel_run(run_id=run.pk, now=NOW)
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW + 10 * MINUTE)

        job = run.costs.get(stage=Stage.SILVER, item="glue.dpu_hour")
        assert job.quantity == Decimal("0.333333333333"), "two DPUs for ten minutes"
        assert shares(run, CostShare.Kind.TENANT).keys() == {""}, "no run has told who has rows"

    def test_what_the_backend_metered_is_taken(self, run: PipelineRun, lakehouse: FakeLakehouse):
        result = silver_result(lakehouse.replicator.tables)
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: JobStatus(
            state=JobState.SUCCEEDED, result=result, usage={"dpu_seconds": 7200.0, "seconds": 720.0}
        )
        finish(run, lakehouse)

        assert run.costs.get(stage=Stage.SILVER, item="glue.dpu_hour").quantity == 2
        assert run.stage_runs.get(stage=Stage.SILVER).usage == {"dpu_seconds": 7200.0, "seconds": 720.0}

    def test_recorded_again_it_is_the_same(self, run: PipelineRun, lakehouse: FakeLakehouse):
        finish(run, lakehouse)
        before = (total(run), shares(run, CostShare.Kind.TENANT), run.costs.count())

        record_costs(run, now=NOW + MINUTE)

        assert (total(run), shares(run, CostShare.Kind.TENANT), run.costs.count()) == before

    def test_that_cannot_be_worked_out_keeps_nothing_from_readers(
        self, run: PipelineRun, lakehouse: FakeLakehouse, settings: Settings
    ):
        settings.LAKEHOUSE = dataclasses.replace(settings.LAKEHOUSE, price_book=settings.LAKEHOUSE.home / "absent")

        assert finish(run, lakehouse).state == RunState.SUCCEEDED
        assert run_cost(run) is None


ROWS = st.dictionaries(st.sampled_from("123456789"), st.integers(min_value=0, max_value=10**9), max_size=9)


@given(
    parts=st.dictionaries(st.sampled_from("abcdef"), st.integers(min_value=0, max_value=10**12), min_size=1),
    rows=st.dictionaries(st.sampled_from("abcdef"), ROWS),
    otherwise=ROWS,
)
def test_tenants_pay_the_whole_whatever_is_known_of_them(
    parts: dict[str, int], rows: dict[str, dict[str, int]], otherwise: dict[str, int]
):
    by_table = {table: quanta * QUANTUM for table, quanta in parts.items()}

    by_tenant = tenant_shares(by_table, rows, otherwise)

    assert sum(by_tenant.values()) == sum(by_table.values())
    assert by_tenant.keys() <= {tenant for counts in (*rows.values(), otherwise) for tenant in counts} | {""}


class TestAMonth:
    @hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        tables=st.dictionaries(
            st.sampled_from(["tenants", "orders", "events", "invoices"]),
            st.integers(min_value=1, max_value=10**7),
            min_size=1,
        ),
        hours=st.integers(min_value=0, max_value=2000),
        asked=st.dictionaries(st.integers(1, 4), st.integers(min_value=0, max_value=10**13), max_size=3),
    )
    def test_sums_to_the_same_however_it_is_split(
        self, pipeline: Pipeline, lakehouse: FakeLakehouse, tables: dict[str, int], hours: int, asked: dict[int, int]
    ):
        lakehouse.replicator.tables = tables
        finish(trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW), lakehouse)
        QueryUse.objects.all().delete()
        for tenant, size_bytes in asked.items():
            QueryUse.objects.create(day=NOW.date(), tenant_id=tenant, is_charged=False, charged_bytes=size_bytes)

        months = {by: month_costs(NOW, by=by, prices=PRICES, now=NOW + timedelta(hours=hours)) for by in By}

        (whole,) = {month.total for month in months.values()}
        runs = sum((total(run) for run in PipelineRun.objects.all()), Decimal(0))
        standing = PRICES.prices["dms.instance_hour"].of(Decimal(min(hours, 184)))  # Until December begins.
        questions = sum(
            (PRICES.prices["athena.scanned_tb"].of(Decimal(size_bytes) / 2**40) for size_bytes in asked.values()),
            Decimal(0),
        )
        assert whole == runs + standing + questions

    def test_of_another_backend_is_another_month(self, run: PipelineRun, lakehouse: FakeLakehouse):
        finish(run, lakehouse)
        CostEntry.objects.update(is_charged=True)
        CostShare.objects.update(is_charged=True)

        assert month_costs(NOW, by=By.RUN, prices=PRICES, now=NOW).total == 0

    def test_without_runs_costs_nothing(self):
        assert month_costs(NOW, by=By.TENANT, prices=PRICES, now=NOW).lines == ()


class TestQuestions:
    class Engine:
        """Answers everything alike."""

        def query(self, *_arguments: object, **_named: object) -> QueryResult:
            return QueryResult(columns=("n",), rows=((1,),), seconds=0.1, bytes_scanned=50 * 2**20)

    def test_are_counted_by_tenant_and_day(self):
        now = [NOW]
        engine = MeteredQueries(self.Engine(), is_charged=True, clock=lambda: now[0])  # type: ignore[arg-type]
        for tenant, day in ((1, 0), (2, 0), (1, 0), (1, 1)):
            now[0] = NOW + timedelta(days=day)
            assert engine.query("SELECT 1", tenant_id=tenant, publication=None).rows == ((1,),)  # type: ignore[arg-type]

        counted = {(use.tenant_id, use.day.day): (use.queries, use.charged_bytes) for use in QueryUse.objects.all()}
        assert counted == {(1, 23): (2, 100 * 2**20), (2, 23): (1, 50 * 2**20), (1, 24): (1, 50 * 2**20)}

    def test_that_cannot_be_counted_are_answered(self):
        engine = MeteredQueries(self.Engine(), is_charged=True, clock=lambda: NOW)  # type: ignore[arg-type]

        result = engine.query("SELECT 1", tenant_id=2**70, publication=None)  # type: ignore[arg-type]

        assert result.rows == ((1,),)
        assert not QueryUse.objects.exists()


class TestBudgets:
    def budget(self, settings: Settings, **budgets: Decimal) -> None:
        settings.LAKEHOUSE = dataclasses.replace(settings.LAKEHOUSE, **budgets)

    def test_a_run_over_its_budget_is_one_alert_until_a_cheaper_one(
        self, run: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse, settings: Settings
    ):
        finish(run, lakehouse)
        self.budget(settings, budget_run=total(run))
        watch(replication=ABSENT, now=NOW)
        assert not Alert.objects.filter(rule=AlertRule.COST).exists(), "what it may cost it may"

        self.budget(settings, budget_run=total(run) - QUANTUM)
        for _ in range(2):
            watch(replication=ABSENT, now=NOW)

        alert = Alert.objects.get(rule=AlertRule.COST)
        assert alert.title.startswith(f"{run} would cost, on AWS, 0.06 USD: more than the budget of 0.05")
        assert "list prices of us-east-1" in alert.detail
        trigger_run(pipeline=pipeline, trigger=Trigger.COMMAND, now=NOW)
        watch(replication=ABSENT, now=NOW)
        alert.refresh_from_db()
        assert alert.state == "open", "a run on its way has no cost yet"
        self.budget(settings, budget_run=Decimal(1))
        watch(replication=ABSENT, now=NOW)
        alert.refresh_from_db()
        assert alert.state == "resolved"

    def test_a_month_over_its_budget_counts_what_stands_between_runs(
        self, run: PipelineRun, lakehouse: FakeLakehouse, settings: Settings
    ):
        finish(run, lakehouse)
        self.budget(settings, budget_month=Decimal(1))
        watch(replication=ABSENT, now=NOW)
        assert not Alert.objects.filter(rule=AlertRule.COST).exists()

        watch(replication=ABSENT, now=NOW + timedelta(hours=13))

        assert Alert.objects.get(rule=AlertRule.COST).key == "cost:month 2026-11"


class TestTheVerb:
    def test_prints_parts_that_sum_to_the_total(self, run: PipelineRun, lakehouse: FakeLakehouse):
        finish(run, lakehouse)

        for by in By:
            document = Answer("costs", "--month", "2026-11", "--by", str(by), "--json").document
            parts = document["parts"]
            assert isinstance(parts, list)
            assert sum(Decimal(part["amount"]) for part in parts) == Decimal(str(document["total"]))
            assert (document["charged"], document["currency"], document["month"]) == (False, "USD", "2026-11")
        printed = Answer("costs", "--month", "2026-11", "--by", "tenant").out
        assert "Would cost on AWS, by tenant" in printed
        assert "Tenant 1" in printed

    def test_of_a_month_that_is_none_is_one_sentence(self):
        with pytest.raises(Exception, match="'2026-13' is no month; write it as YYYY-MM"):
            Answer("costs", "--month", "2026-13")

    def test_prints_the_development_month(self):
        document = Answer("costs", "--development-month", "--json").document

        assert 120 <= float(str(document["low"])) <= float(str(document["high"])) <= 135
        assert "dms.t3.medium, 100 GB" in Answer("costs", "--development-month").out

    def test_a_run_tells_its_cost(self, run: PipelineRun, lakehouse: FakeLakehouse):
        finish(run, lakehouse)

        (document,) = json.loads(Answer("runs", "--run", str(run.pk), "--json").out)
        assert document["cost"] == {"amount": f"{total(run):f}", "currency": "USD", "charged": False}
