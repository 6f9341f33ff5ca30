"""`/metrics`: what a monitoring system learns, and who may ask."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config.env import SettingsError, parse
from etl.replicate.status import Standing
from lakehouse_admin.actions.change_table import fail_table
from lakehouse_admin.actions.watch import watch
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import Health
from lakehouse_admin.status.metrics import exposition
from lakehouse_admin.status.replication import Replication
from saas.models import User
from tests.fakes import FakeLakehouse, reconcile_result, succeeded
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_flow import drive

pytestmark = pytest.mark.integration

TOKEN = "t0ken-" * 6


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the text as Prometheus does."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def measured(name: str, **labels: str) -> float | None:
    found = samples(exposition(now=NOW + timedelta(hours=1)).decode())
    return found.get((name, tuple(sorted({"pipeline": "commerce", **labels}.items()))))


@pytest.mark.usefixtures("patient_readers")
def test_a_published_run_can_be_seen(run: PipelineRun, lakehouse: FakeLakehouse):
    drive(run, lakehouse)

    assert measured("lakeside_publication_number") == 1
    assert measured("lakeside_runs_total", state="succeeded") == 1
    assert measured("lakeside_pipeline_health", health="healthy") == 1
    assert measured("lakeside_pipeline_health", health="failing") == 0
    assert measured("lakeside_table_rows", table="orders") == 5
    assert measured("lakeside_table_different", table="orders") == 0
    assert measured("lakeside_stage_seconds", stage="gold") is not None
    published = run.as_of
    assert published is not None
    assert measured("lakeside_freshness_seconds") == (NOW + timedelta(hours=1) - published).total_seconds()


@pytest.mark.usefixtures("pipeline")
def test_replication_tables_and_alerts_can_be_seen():
    behind = Replication(standing=Standing.WELL, lag_bytes=7, log_left_bytes=9)
    fail_table("orders", reason="A column was narrowed.", guidance="Resync it.", now=NOW)
    watch(replication=behind, now=NOW)

    found = {
        (name, *dict(labels).values()): value
        for (name, labels), value in samples(exposition(now=NOW, replication=behind).decode()).items()
    }

    assert found["lakeside_replicator_standing", "well"] == 1
    assert found["lakeside_replicator_standing", "silent"] == 0
    assert found["lakeside_replication_lag_bytes",] == 7
    assert found["lakeside_replication_slot_left_bytes",] == 9
    assert (found["lakeside_tables", "failed"], found["lakeside_tables", "following"]) == (1, 0)
    assert (found["lakeside_alerts", "table"], found["lakeside_alerts", "run"]) == (1, 0)
    assert "lakeside_replication_lag_bytes" not in exposition(now=NOW).decode()


def test_a_difference_can_be_seen(run: PipelineRun, lakehouse: FakeLakehouse):
    lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded(
        reconcile_result(lakehouse.replicator.tables, different=["orders"])
    )
    drive(run, lakehouse)

    assert measured("lakeside_table_different", table="orders") == 1
    assert measured("lakeside_table_different", table="tenants") == 0
    assert measured("lakeside_pipeline_health", health="failing") == 1
    assert measured("lakeside_publication_number") is None


def test_before_the_first_run_health_is_unknown(pipeline: Pipeline):
    assert measured("lakeside_pipeline_health", health="unknown") == 1
    assert sum(measured("lakeside_pipeline_health", health=each.value) or 0 for each in Health) == 1


@pytest.mark.django_db
class TestWhoMayAsk:
    @pytest.fixture(autouse=True)
    def _token(self, settings: Any) -> None:
        settings.LAKEHOUSE = dataclasses.replace(django_settings.LAKEHOUSE, metrics_token=TOKEN)

    def test_the_holder_of_the_token(self, client: Client):
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "no-store" in answer.headers["Cache-Control"]

    @pytest.mark.parametrize("given", ["", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer é"])
    def test_nobody_else_finds_a_page(self, client: Client, given: str):
        assert client.get("/metrics", headers={"Authorization": given}).status_code == 404

    def test_without_a_token_an_empty_one_opens_nothing(self, client: Client, settings: Any):
        settings.LAKEHOUSE = dataclasses.replace(django_settings.LAKEHOUSE, metrics_token=None)

        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer None"}).status_code == 404

    def test_staff(self, client: Client):
        client.force_login(User.objects.create_superuser("staff@lakeside.example", "a-password-of-theirs"))
        assert client.get("/metrics").status_code == 200

    def test_a_tenants_user_finds_no_page(self, client: Client):
        client.force_login(User.objects.create_user("someone@lakeside.example", "a-password-of-theirs"))
        assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("text", ["short", "x" * 31, "a b" * 20])
def test_a_weak_token_is_refused_without_being_repeated(text: str):
    with pytest.raises(SettingsError, match=r"LAKEHOUSE_METRICS_TOKEN .*at least 32") as caught:
        parse({"LAKEHOUSE_METRICS_TOKEN": text})
    assert text not in str(caught.value)
