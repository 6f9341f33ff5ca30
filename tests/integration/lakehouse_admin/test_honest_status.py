"""Green only with proof: what each verdict rests on, and what a run would do before it does it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl.replicate.status import ReplicatorState, ReplicatorStatus, Standing
from lakehouse_admin.actions.change_table import fail_table, skip_table
from lakehouse_admin.actions.find_table import AllTablesLeftOutError, selected_tables
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.alerts.rules import Limits, findings
from lakehouse_admin.claim import claim_run
from lakehouse_admin.costs.prices import STANDARD_BOOK, read_book
from lakehouse_admin.flow import advance
from lakehouse_admin.lease import LAKE
from lakehouse_admin.models import FollowerState, Pipeline, PipelineRun, PublicationRecord, TableState
from lakehouse_admin.states import FollowerPhase, Health
from lakehouse_admin.status.follower import SILENT, follower_now
from lakehouse_admin.status.metrics import exposition
from lakehouse_admin.status.overview import UNMOVED, overview
from lakehouse_admin.status.plan import plan_document, plan_run
from lakehouse_admin.status.promises import complete_until, promised_seconds, promises
from lakehouse_admin.status.queue import queue
from lakehouse_admin.status.replication import Replication, TableTrouble, replication_now
from lakehouse_admin.status.tables import table_lines
from tests.fakes import RUNNING, FakeLakehouse, failed
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

DAY = timedelta(days=1)
A_MINUTE_AGO = (NOW - timedelta(seconds=61)).isoformat()
ABSENT = Replication(standing=Standing.ABSENT)
PRICES = read_book(STANDARD_BOOK)
LIMITS = Limits(lag_bytes=100, left_bytes=1000)


@pytest.fixture
def published(run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    run.refresh_from_db()
    return run


def health(pipeline: Pipeline, *, now: datetime = NOW, replication: Replication = ABSENT) -> tuple[Health, str]:
    found = overview(pipeline, now=now, replication=replication)
    return found.health, found.reason


class TestHealth:
    @pytest.mark.usefixtures("published")
    def test_fresh_and_proven_is_healthy(self, pipeline: Pipeline):
        assert health(pipeline)[0] is Health.HEALTHY

    @pytest.mark.usefixtures("published")
    def test_older_than_promised_is_late_and_names_the_table(self, pipeline: Pipeline):
        found = health(pipeline, now=NOW + 3 * DAY)

        assert found == (Health.LATE, "gold.daily_revenue is 3 days old and promises 60 s.")

    @pytest.mark.usefixtures("published")
    def test_a_source_that_had_nothing_to_say_is_idle_however_old_the_data_is(self, pipeline: Pipeline):
        later = NOW + 3 * DAY
        quiet = Replication(standing=Standing.WELL, committed_to=NOW - DAY, heard_at=later)

        found = overview(pipeline, now=later, replication=quiet)

        assert found.health is Health.IDLE
        assert found.freshness_seconds == 0

    @pytest.mark.usefixtures("published")
    def test_a_source_that_went_on_is_late(self, pipeline: Pipeline):
        later = NOW + 3 * DAY
        busy = Replication(standing=Standing.WELL, committed_to=later, heard_at=later)

        assert health(pipeline, now=later, replication=busy)[0] is Health.LATE

    def test_a_run_that_no_worker_moves_is_stuck(self, run: PipelineRun, pipeline: Pipeline):
        claim_run(run.pk, now=NOW)  # And its worker is gone.
        run.refresh_from_db()
        assert run.lease_expires_at is not None

        assert health(pipeline, now=run.lease_expires_at)[0] is Health.RUNNING
        verdict, reason = health(pipeline, now=run.lease_expires_at + UNMOVED + timedelta(seconds=1))
        assert verdict is Health.STUCK
        assert "no worker moves it" in reason

    @pytest.mark.usefixtures("published")
    @pytest.mark.parametrize(
        ("standing", "verdict"),
        [
            (Standing.NOT_MOVING, Health.STUCK),
            (Standing.SILENT, Health.STUCK),
            (Standing.FAILED, Health.FAILING),
            (Standing.STOPPED, Health.UNKNOWN),
        ],
    )
    def test_a_replicator_in_trouble_is_never_green(self, pipeline: Pipeline, standing: Standing, verdict: Health):
        assert health(pipeline, replication=Replication(standing=standing, message="why"))[0] is verdict

    @pytest.mark.usefixtures("published")
    def test_a_failed_table_is_failing_though_the_others_go_on(self, pipeline: Pipeline):
        fail_table("orders", reason="A column was narrowed.", guidance="Resync it.", now=NOW)

        assert health(pipeline) == (Health.FAILING, "public.orders failed: A column was narrowed.")

    def test_a_run_that_failed_is_not_hidden_by_an_older_success(
        self, published: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        lakehouse.jobs.script["reconcile"] = lambda _spec: failed(ValueError, "oops")
        advance(resync_table("orders", now=NOW).pk, lakehouse=lakehouse.ports, now=NOW)

        assert PublicationRecord.objects.get().run == published
        assert health(pipeline)[0] is Health.FAILING


def follower_says(state: FollowerPhase, *, ago: timedelta = timedelta(), **fields: object) -> None:
    FollowerState.objects.update_or_create(
        name=LAKE, defaults={"state": state, "written_at": NOW - ago, "holder": "follower-1", **fields}
    )


class TestFollower:
    def test_that_never_spoke_is_absent_and_nobody_minds(self, pipeline: Pipeline):
        found = overview(pipeline, now=NOW)

        assert found.follower.standing is Standing.ABSENT
        assert not [each for each in findings(found, limits=LIMITS, disk_free_bytes=None) if "follower" in each.key]

    @pytest.mark.parametrize(
        ("state", "ago", "standing"),
        [
            (FollowerPhase.FOLLOWING, timedelta(), Standing.WELL),
            (FollowerPhase.YIELDING, timedelta(), Standing.WELL),
            (FollowerPhase.WAITING, timedelta(), Standing.WAITING),
            (FollowerPhase.FAILING, timedelta(), Standing.FAILED),
            (FollowerPhase.STOPPED, DAY, Standing.STOPPED),
            (FollowerPhase.FOLLOWING, SILENT, Standing.WELL),
            (FollowerPhase.FOLLOWING, SILENT + timedelta(seconds=1), Standing.SILENT),
            (FollowerPhase.FAILING, SILENT + timedelta(seconds=1), Standing.SILENT),
        ],
    )
    def test_is_judged(self, state: FollowerPhase, ago: timedelta, standing: Standing):
        follower_says(state, ago=ago)

        assert follower_now(now=NOW).standing is standing

    @pytest.mark.usefixtures("published")
    def test_that_fails_is_failing_alerted_and_said(self, pipeline: Pipeline):
        follower_says(FollowerPhase.FAILING, error_message="The catalog is away.", guidance="Start it.")

        found = overview(pipeline, now=NOW)
        assert (found.health, found.reason) == (Health.FAILING, "The follower fails: The catalog is away.")
        (alert,) = findings(found, limits=LIMITS, disk_free_bytes=None)
        assert (alert.key, alert.detail, alert.guidance) == ("movement:follower", "The catalog is away.", "Start it.")

    @pytest.mark.usefixtures("published")
    def test_that_is_silent_is_stuck_and_alerted_once(self, pipeline: Pipeline):
        follower_says(FollowerPhase.FOLLOWING, ago=timedelta(minutes=3))

        found = overview(pipeline, now=NOW)
        assert found.health is Health.STUCK
        assert [each.key for each in findings(found, limits=LIMITS, disk_free_bytes=None)] == ["movement:follower"]

    @pytest.mark.usefixtures("published")
    def test_what_it_holds_back_is_an_alert_a_model_and_a_table(self, pipeline: Pipeline):
        follower_says(
            FollowerPhase.FOLLOWING,
            tables={"public.orders": "RowTooLongError: x"},
            gold_models={"gold.daily_revenue": "2 rows break no_negative_revenue"},
        )

        found = {each.key: each for each in findings(overview(pipeline, now=NOW), limits=LIMITS, disk_free_bytes=None)}
        assert found.keys() == {"table:public.orders, followed", "check:gold.daily_revenue, followed"}
        assert "no_negative_revenue" in found["check:gold.daily_revenue, followed"].detail

    @pytest.mark.usefixtures("pipeline")
    def test_is_said_by_the_status_verb_and_the_metrics(self):
        follower_says(FollowerPhase.STOPPED, publication=7, lag_bytes=9, gold_models={"gold.x": "why"})

        assert "Follower: stopped. Stopped." in Answer("status").out
        assert "gold.x: why" in Answer("status").out
        said = json.loads(Answer("status", "--json").out)["follower"]
        assert (said["standing"], said["publication"], said["failed_models"]) == ("stopped", 7, {"gold.x": "why"})
        metrics = exposition(now=NOW).decode()
        assert 'lakeside_follower_standing{standing="stopped"} 1.0' in metrics
        assert "lakeside_follower_lag_bytes 9.0" in metrics
        assert "lakeside_follower_failed_models 1.0" in metrics


class TestPromises:
    def test_are_read_from_every_model(self):
        assert promised_seconds()["gold.daily_revenue"] == 60
        assert len(promised_seconds()) >= 5

    def test_in_seconds_as_well(self, tmp_path: Path):
        (tmp_path / "live.sql").write_text("/*\ntitle: Live\nfreshness_seconds: 60\n*/\nselect 1\n")

        assert promised_seconds(tmp_path) == {"gold.live": 60}

    @pytest.mark.usefixtures("published")
    def test_a_pin_may_be_older_than_its_publication(self):
        publication = PublicationRecord.objects.get()
        publication.pins[0]["as_of"] = (NOW - 2 * DAY).isoformat()

        first = promises(publication, ABSENT, now=NOW)
        ages = {each.table: (each.age_seconds, each.is_kept) for each in first}

        assert ages["gold.daily_revenue"] == (2 * DAY.total_seconds(), False)
        assert ages["gold.tenant_summary"] == (None, False)

    def test_nothing_is_proven_by_a_replicator_that_has_seen_no_change(self):
        well = Replication(standing=Standing.WELL, heard_at=NOW + DAY)

        assert complete_until(NOW, well) == NOW


class TestReplicatorsDocument:
    def write(self, folder: Path, **fields: object) -> Path:
        (folder / "_status").mkdir(exist_ok=True)
        known = {"slot": "lakeside", "state": ReplicatorState.STREAMING, "written_at": NOW.isoformat(), **fields}
        (folder / "_status" / "replicator.json").write_text(ReplicatorStatus(**known).to_json())
        return folder

    @pytest.mark.parametrize(
        ("fields", "after", "standing"),
        [
            ({}, timedelta(), Standing.WELL),
            ({}, timedelta(seconds=31), Standing.SILENT),
            ({"state": ReplicatorState.WAITING}, timedelta(), Standing.WAITING),
            ({"state": ReplicatorState.STOPPED}, DAY, Standing.STOPPED),
            ({"state": ReplicatorState.FAILED}, DAY, Standing.FAILED),
            (
                {"server_lsn": 9, "moved_at": A_MINUTE_AGO},
                timedelta(),
                Standing.NOT_MOVING,
            ),
            ({"server_lsn": 0, "moved_at": A_MINUTE_AGO}, timedelta(), Standing.WELL),
        ],
    )
    def test_is_judged(self, tmp_path: Path, fields: dict[str, object], after: timedelta, standing: Standing):
        assert replication_now(self.write(tmp_path, **fields), now=NOW + after).standing is standing

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"state": 3}', '{"state": "streaming", "tables": 4}'])
    def test_that_cannot_be_read_is_none(self, tmp_path: Path, text: str):
        self.write(tmp_path)
        (tmp_path / "_status" / "replicator.json").write_text(text)

        assert replication_now(tmp_path, now=NOW).standing in {Standing.ABSENT, Standing.SILENT}

    def test_that_does_not_exist_is_none(self, tmp_path: Path):
        assert replication_now(tmp_path, now=NOW) == ABSENT


class TestTables:
    @pytest.mark.usefixtures("published")
    def test_a_table_that_follows_a_silent_replicator_does_not_move(self, pipeline: Pipeline):
        lines = table_lines(pipeline, Replication(standing=Standing.SILENT), now=NOW)

        orders = next(line for line in lines if line.table.table == "public.orders")
        assert not orders.is_moving
        assert "silent" in orders.trouble

    @pytest.mark.usefixtures("published")
    def test_trouble_of_one_table_is_said_of_it_alone(self, pipeline: Pipeline):
        trouble = TableTrouble(table="public.orders", message="Row too long.", guidance="Leave it out.")
        lines = table_lines(pipeline, Replication(standing=Standing.WELL, tables=(trouble,)), now=NOW)

        assert [line.table.table for line in lines if line.trouble] == ["public.orders"]

    @pytest.mark.usefixtures("published")
    def test_verbs_change_and_list_them(self):
        assert Answer("pause", "orders").code == 0
        assert Answer("skip", "tenants", "--json").document == {"table": "public.tenants", "state": "skipped"}
        refused = Answer("resume", "tenants")
        assert refused.code == 1
        assert "left out and cannot become following" in refused.err
        listed = {each["table"]: each["state"] for each in json.loads(Answer("tables", "--json").out)}
        assert (listed["public.orders"], listed["public.tenants"]) == ("paused", "skipped")
        assert len(listed) == 8
        assert "Paused" in Answer("tables").out
        assert Answer("pause", "nowhere").code == 1


class TestThePlan:
    def test_before_the_first_run_knows_no_figures(self, pipeline: Pipeline):
        plan = plan_run(pipeline, replication=ABSENT, prices=PRICES)

        assert {each.table for each in plan.tables} == {str(table) for table in selected_tables(pipeline)}
        assert (plan.rows, plan.seconds, plan.publication) == (None, None, 1)
        assert not PipelineRun.objects.exists()

    def test_after_one_tells_rows_seconds_and_what_it_waits_for(
        self, published: PipelineRun, pipeline: Pipeline, lakehouse: FakeLakehouse
    ):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        resync = resync_table("orders", now=NOW)
        advance(resync.pk, lakehouse=lakehouse.ports, now=NOW)
        ahead = Replication(standing=Standing.WELL, durable_lsn=2**40)
        plan = plan_run(pipeline, replication=ahead, prices=PRICES, tables=["orders"])

        document = plan_document(plan)
        assert document["rows"] == lakehouse.replicator.tables["orders"]
        assert document["new_in_bronze"] == {"after_lsn": published.source_lsn, "until_lsn": 2**40}
        assert document["waits_behind"] == [resync.pk]
        assert document["publication"] == 2
        assert document["cost"] == {
            "amount": f"{plan.cost.amount:f}",
            "currency": "USD",
            "charged": False,
            "prices": "list prices of us-east-1, read from 2024-11-01 to 2026-10-07",
        }
        assert plan.cost.amount > 0
        assert plan_run(pipeline, replication=ABSENT, prices=PRICES).seconds == 0

    def test_names_what_is_left_out(self, pipeline: Pipeline):
        skip_table("orders", now=NOW)
        assert plan_run(pipeline, replication=ABSENT, prices=PRICES).left_out == ("public.orders",)
        for table in selected_tables(pipeline):
            skip_table(str(table), now=NOW)
        with pytest.raises(AllTablesLeftOutError):
            plan_run(pipeline, replication=ABSENT, prices=PRICES)

    def test_is_printed(self):
        answer = Answer("plan")
        assert answer.code == 0
        assert "makes publication 1" in answer.out
        assert Answer("plan", "--json", "--table", "orders").document["tables"] == [
            {"table": "public.orders", "rows": None, "size_bytes": None}
        ]
        assert not TableState.objects.exists()


class TestTheQueue:
    def test_tells_who_writes_the_lake_and_who_is_next(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        late, urgent = resync_table("orders", now=NOW), resync_table("tenants", now=NOW)

        found = queue(now=NOW)

        assert found.holder == f"run-{run.pk}"
        assert [each.pk for each in found.runs] == [run.pk, late.pk, urgent.pk]
        assert "resync" in Answer("queue", "--json").out
        assert "public.tenants" in Answer("queue").out
