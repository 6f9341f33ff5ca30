"""Messages between workers: small, harmless when doubled, dispensable when lost."""

from __future__ import annotations

import importlib
import json

import pytest
import redis
from django.conf import settings
from django.db import transaction
from pytest_django import DjangoDbBlocker
from structlog.contextvars import get_contextvars

from config.celery import app
from etl.ports.job_runner import JobSpec, JobStatus
from lakehouse_admin import wiring
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.enqueue import ADVANCE_RUN, enqueue_advance
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import RunState, Trigger
from lakehouse_admin.tasks import advance_run, tick
from tests.fakes import RUNNING, FakeLakehouse
from tests.integration.lakehouse_admin.conftest import NOW, empty_control_plane

pytestmark = pytest.mark.integration

QUEUE = "control"
_NOBODY_LISTENS = "redis://127.0.0.1:1/0"


@pytest.fixture
def queue(django_db_setup: None) -> redis.Redis:
    """The broker's own list of waiting messages, empty."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(QUEUE)
    yield client
    client.delete(QUEUE)
    client.close()


def test_a_message_holds_a_run_and_a_token_and_no_secret(queue: redis.Redis, django_db_blocker: DjangoDbBlocker):
    with django_db_blocker.unblock():
        enqueue_advance(run_id=7, token=3)

    (raw,) = queue.lrange(QUEUE, 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == ADVANCE_RUN
    assert json.loads(message["headers"]["kwargsrepr"].replace("'", '"')) == {"run_id": 7, "token": 3}
    for url in (settings.LAKEHOUSE.source_url, settings.LAKEHOUSE.catalog_url, settings.REDIS_URL):
        password = url.split(":")[2].split("@")[0]
        assert len(password) > 10
        assert password not in raw.decode()


def test_a_rolled_back_trigger_sends_nothing(control_plane: list[dict[str, object]]):
    with transaction.atomic():
        trigger_run(pipeline=Pipeline.objects.default(), trigger=Trigger.COMMAND, now=NOW)
        transaction.set_rollback(True)

    assert control_plane == []
    assert not PipelineRun.objects.exists()


def test_a_trigger_sends_one_message(run: PipelineRun, control_plane: list[dict[str, object]]):
    assert control_plane == [{"run_id": run.pk, "token": 0, "delay_seconds": 0}]


class TestABrokerThatIsDown:
    @pytest.fixture(autouse=True)
    def broker_is_down(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(app.conf, "broker_url", _NOBODY_LISTENS)
        monkeypatch.setattr(app.conf, "broker_write_url", _NOBODY_LISTENS)
        monkeypatch.setattr(app, "_pool", None)
        app.amqp._producer_pool = None
        yield
        app.amqp._producer_pool = None

    @pytest.mark.usefixtures("django_db_setup")
    def test_keeps_the_run(self, django_db_blocker: DjangoDbBlocker):
        with django_db_blocker.unblock():
            run = trigger_run(pipeline=Pipeline.objects.default(), trigger=Trigger.COMMAND, now=NOW)
            try:
                assert PipelineRun.objects.get().state == RunState.QUEUED
                assert "Valkey does not answer" in run.events.get(name="broker_unavailable").message
            finally:
                empty_control_plane()


class TestTasks:
    @pytest.fixture(autouse=True)
    def backend(self, lakehouse: FakeLakehouse, monkeypatch: pytest.MonkeyPatch):
        for name in ("advance_run", "tick"):
            module = importlib.import_module(f"lakehouse_admin.tasks.{name}")
            monkeypatch.setattr(module, "lakehouse", lambda: lakehouse.ports)

    def test_a_step_sends_the_message_for_the_next(
        self, run: PipelineRun, lakehouse: FakeLakehouse, control_plane: list[dict[str, object]]
    ):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        control_plane.clear()

        advance_run(run_id=run.pk, token=0)

        (message,) = control_plane
        assert (message["run_id"], message["token"]) == (run.pk, 1)
        assert 0 < float(str(message["delay_seconds"])) <= 1

    def test_whatever_is_logged_on_the_way_names_run_and_stage(
        self, run: PipelineRun, lakehouse: FakeLakehouse, control_plane: list[dict[str, object]]
    ):
        seen: list[dict[str, object]] = []

        def job(_spec: JobSpec) -> JobStatus:
            seen.append(get_contextvars())
            return RUNNING

        lakehouse.jobs.script["bronze_to_silver"] = job
        control_plane.clear()

        advance_run(run_id=run.pk, token=0)

        assert {"run_id": run.pk, "stage": "silver", "attempt": 1} in seen
        assert get_contextvars() == {}

    def test_a_doubled_message_sends_none(
        self, run: PipelineRun, lakehouse: FakeLakehouse, control_plane: list[dict[str, object]]
    ):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        control_plane.clear()

        for _ in range(5):
            advance_run(run_id=run.pk, token=0)

        assert len(control_plane) == 1

    def test_the_last_step_sends_none(self, run: PipelineRun, control_plane: list[dict[str, object]]):
        control_plane.clear()

        advance_run(run_id=run.pk, token=0, a_field_of_a_newer_release=True)

        assert control_plane == []
        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED

    def test_the_tick_finds_what_was_lost(self, run: PipelineRun, control_plane: list[dict[str, object]]):
        control_plane.clear()

        tick()

        assert control_plane == [{"run_id": run.pk, "token": 0, "delay_seconds": 0}]


class TestHowTheyAreDeclared:
    @pytest.mark.parametrize("name", ["lakehouse_admin.advance_run", "lakehouse_admin.tick", "lakehouse_admin.watch"])
    def test_a_task_is_acknowledged_late_and_known_to_the_worker(self, name: str):
        app.loader.import_default_modules()
        task = app.tasks[name]

        assert task.acks_late
        assert app.amqp.router.route({}, name)["queue"].name == QUEUE
        assert task.ignore_result
        assert app.conf.task_reject_on_worker_lost

    def test_beat_sends_the_tick_and_lets_old_ones_expire(self):
        (entry,) = (entry for entry in app.conf.beat_schedule.values() if entry["task"] == "lakehouse_admin.tick")

        assert entry["schedule"] <= 5
        assert entry["options"]["expires"] <= entry["schedule"]


def test_the_settings_wire_the_embedded_backend(django_db_setup: None):
    wiring.lakehouse.cache_clear()
    wired = wiring.lakehouse()

    assert wired is wiring.lakehouse()
    assert type(wired.jobs).__name__ == "ChildProcessRunner"
    assert wiring.query_engine() is wired.queries
