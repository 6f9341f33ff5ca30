"""The control plane over the session's real PostgreSQL, with rows that threads see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import Trigger
from tests.fakes import FakeLakehouse, fake_lakehouse

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def empty_control_plane() -> None:
    """Remove every row, as the owner and past the triggers of append-only tables."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute(
            "truncate lakehouse_tables, lakehouse_audit_entries, lakehouse_alerts, lakehouse_alert_deliveries,"
            " lakehouse_publications, lakehouse_run_events, lakehouse_table_results, lakehouse_check_results,"
            " lakehouse_stage_runs, lakehouse_runs, lakehouse_pipelines, lakehouse_leases, lakehouse_follower,"
            " lakehouse_costs, lakehouse_cost_shares, lakehouse_query_use, lakehouse_schedules"
        )
        cursor.execute("set session_replication_role = default")


@pytest.fixture
def control_plane(django_db_setup: None, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch):
    """Let the test commit; afterwards remove what it left. Messages to Celery are collected, not sent."""
    sent: list[dict[str, object]] = []
    monkeypatch.setattr("lakehouse_admin.enqueue._send", lambda **message: sent.append(message))
    with django_db_blocker.unblock():
        yield sent
        empty_control_plane()


@pytest.fixture
def pipeline(control_plane: list[dict[str, object]]) -> Pipeline:
    return Pipeline.objects.default()


@pytest.fixture
def lakehouse() -> FakeLakehouse:
    return fake_lakehouse()


@pytest.fixture
def run(pipeline: Pipeline) -> PipelineRun:
    from lakehouse_admin.actions.trigger_run import trigger_run

    return trigger_run(pipeline=pipeline, trigger=Trigger.CONSOLE, now=NOW)


@pytest.fixture
def patient_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise nothing: rows of these tests stand at a fixed time, and pages ask what time it is."""
    monkeypatch.setattr("lakehouse_admin.status.promises.promised_seconds", dict)
