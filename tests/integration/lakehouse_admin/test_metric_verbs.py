"""`manage.py lakehouse metrics` and `usage`: what the numbers mean, and who uses the platform."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from etl.gold.compile import load_models
from lakehouse_admin.models import PipelineRun, PublicationRecord
from tests.integration.lakehouse_admin.conftest import NOW
from tests.lakes import lake_in, write_table
from tests.servers import Database

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

USAGE = """
    SELECT 1 AS tenant_id, 'Quiet' AS name, 'starter' AS plan, 'EUR' AS currency, DATE '2026-05-01' AS month,
           true AS is_complete, 0 AS signups, 1 AS orders, 5.50 AS revenue, 2 AS visits, 3 AS events,
           1 AS most_active_customers, 0.25 AS orders_share, NULL AS events_share
    UNION ALL SELECT 2, 'Busy', 'scale', 'USD', DATE '2026-05-01', true, 7, 3, 12345.60, 9, 9, 4, 0.75, NULL
    UNION ALL SELECT 2, 'Busy', 'scale', 'USD', DATE '2026-06-01', false, 0, 0, 0, 1, 1, 1, NULL, 1
"""


def ask(*arguments: str) -> tuple[object, str, str]:
    """Return exit code, answer and progress."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("lakehouse", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def published(scratch_database: Callable[[], Database], tmp_path: Path, run: PipelineRun) -> None:
    (model,) = [model for model in load_models() if model.name == "platform_usage"]
    lake = lake_in(tmp_path, scratch_database().catalog_url)
    pin = write_table(lake, model.table, {column.name: column.type for column in model.columns}, USAGE)
    pins = [{name: getattr(pin, name) for name in ("table", "metadata_location", "snapshot_id", "rows")}]
    PublicationRecord.objects.create(number=1, run=run, published_at=NOW, as_of=NOW, source_lsn=1, pins=pins)


def test_definitions_as_a_document():
    code, out, _ = ask("metrics", "--json")
    listed = {each["name"]: each for each in json.loads(out)}
    assert code == 0
    assert set(listed) == {model.name for model in load_models()}
    assert listed["daily_revenue"]["is_live"] is True
    assert listed["platform_usage"]["audience"] == "platform"


@pytest.mark.usefixtures("published")
def test_usage_latest_month_and_busiest_tenant_first():
    code, out, _ = ask("usage")
    assert code == 0
    header, *lines = [line.split() for line in out.splitlines()]
    assert header[:3] == ["month", "name", "plan"]
    assert [line[:2] for line in lines] == [["2026-06", "Busy"], ["2026-05", "Busy"], ["2026-05", "Quiet"]]
    assert "12,345.60" in lines[1]
    assert "75.0%" in lines[1]


@pytest.mark.usefixtures("published")
def test_usage_of_one_month_as_a_document():
    code, out, _ = ask("usage", "--month", "2026-05", "--json")
    assert code == 0
    assert [(row["name"], row["revenue"]) for row in json.loads(out)] == [("Busy", "12345.60"), ("Quiet", "5.50")]


def test_usage_before_the_first_publication_says_what_to_do():
    code, out, err = ask("usage")
    assert code == 1
    assert out == ""
    assert "not published yet" in err
    assert "lakehouse run --wait" in err
