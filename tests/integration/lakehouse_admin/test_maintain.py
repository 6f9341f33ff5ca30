"""Maintenance as the control plane runs it, retention, and a follower that stays as light as it began."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django_celery_beat.models import IntervalSchedule
from pyiceberg.table import StaticTable

from etl.follow.cycle import Follower
from lakehouse_admin.actions.keep_publication import PublicationMissingError, keep_publication
from lakehouse_admin.actions.request_maintenance import request_maintenance
from lakehouse_admin.actions.retire_publications import kept_pins, publications_to_retire, retire_publications
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.start_due import start_due
from lakehouse_admin.actions.trigger_run import RunActiveError, trigger_run
from lakehouse_admin.follow import Following
from lakehouse_admin.lease import LAKE, Held, LeaseLostError, take
from lakehouse_admin.models import AuditEntry, Pipeline, PublicationRecord, Schedule
from lakehouse_admin.retention import Retention
from lakehouse_admin.states import RunState, ScheduleKind, Stage, StageState, Trigger
from tests.fakes import FakeLakehouse, failed, succeeded
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_command import Answer
from tests.integration.lakehouse_admin.test_flow import attempts, drive
from tests.integration.lakehouse_admin.test_follow import MODELS, World, catch_up, order
from tests.lakes import lake_in
from tests.servers import Database

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

NOTHING = timedelta()
RULE = Retention(newest=2, every=NOTHING, hourly=NOTHING, daily=NOTHING)
RESULT = {
    "tables": [
        {
            "table": "gold.daily_revenue",
            "compacted_partitions": 1,
            "forgotten_snapshots": 3,
            "removed_files": 7,
            "removed_bytes": 2048,
            "kept_files": 2,
            "kept_bytes": 100,
            "problem": "",
        }
    ],
    "bronze": {"loads": 0, "flushes": 0, "orphans": 0, "files": 1, "size_bytes": 1024},
    "dry_run": False,
    "seconds": 1.0,
}


def publish(count: int, *, at: datetime = NOW - timedelta(days=100)) -> None:
    """Record publications that share a table and differ in another."""
    for number in range(1, count + 1):
        pins = [
            {"table": "gold.a", "metadata_location": "/m/same", "snapshot_id": 1, "rows": 1},
            {"table": "gold.b", "metadata_location": f"/m/{number}", "snapshot_id": number, "rows": 1},
        ]
        PublicationRecord.objects.create(
            number=number, published_at=at + timedelta(minutes=number), as_of=at, source_lsn=number, pins=pins
        )


def numbers() -> list[int]:
    return sorted(PublicationRecord.objects.values_list("number", flat=True))


class TestRetention:
    def test_what_the_rule_does_not_keep_is_removed_and_its_pins_are_no_longer_kept(self) -> None:
        publish(4)
        held = take(LAKE, holder="run-1", now=NOW)
        assert held is not None
        keep_publication(1, reason="closing", now=NOW)
        assert publications_to_retire(RULE, now=NOW) == {2}
        assert retire_publications(held=held, rule=RULE, now=NOW) == {2}
        assert numbers() == [1, 3, 4]
        assert {pin.metadata_location for pin in kept_pins()} == {"/m/same", "/m/1", "/m/3", "/m/4"}
        keep_publication(1, reason="", now=NOW)
        assert retire_publications(held=held, rule=RULE, now=NOW) == {1}

    def test_whoever_lost_the_lake_retires_nothing(self) -> None:
        publish(4)
        held = Held(name=LAKE, holder="run-1", token=1)
        with pytest.raises(LeaseLostError):
            retire_publications(held=held, rule=RULE, now=NOW)
        assert numbers() == [1, 2, 3, 4]

    def test_one_that_is_gone_cannot_be_kept(self) -> None:
        with pytest.raises(PublicationMissingError):
            keep_publication(7, reason="closing", now=NOW)


class TestTheVerbs:
    def test_keep_and_release(self) -> None:
        publish(1)
        kept = Answer("keep", "1", "--reason", "audit", "--until", "2999-01-01", "--json")
        assert kept.document == {"publication": 1, "kept_reason": "audit", "kept_until": "2999-01-01T00:00:00+00:00"}
        assert Answer("keep", "1", "--release").code == 0
        assert PublicationRecord.objects.get().kept_reason == ""
        assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
            "publication_kept",
            "publication_released",
        ]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["1"],
            ["1", "--reason", "x", "--release"],
            ["1", "--reason", " "],
            ["1", "--reason", "x" * 201],
            ["1", "--reason", "x", "--until", "soon"],
            ["1", "--reason", "x", "--until", "2026-13-01"],
            ["1", "--reason", "x", "--until", "2000-01-01"],
            ["9", "--reason", "x"],
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, arguments: list[str]) -> None:
        publish(1)
        answer = Answer("keep", *arguments)
        assert answer.code == 1
        assert len(answer.err.splitlines()) == 2, "what is wrong, and what to do"
        assert PublicationRecord.objects.get().kept_reason == ""

    def test_maintain_asks_for_a_run(self) -> None:
        document = Answer("maintain", "--json").document
        assert (document["trigger"], document["state"]) == ("maintenance", "queued")
        assert Answer("maintain").code == 1, "one is on its way"


class TestTheRun:
    def test_it_has_one_stage_and_ends_well(self, lakehouse: FakeLakehouse) -> None:
        publish(60)
        lakehouse.jobs.script["maintain"] = lambda _spec: succeeded(RESULT)
        run = request_maintenance(NOW)
        drive(run, lakehouse)
        assert (run.state, attempts(run)) == (RunState.SUCCEEDED, [(Stage.MAINTAIN, 1, StageState.SUCCEEDED)])
        assert len(numbers()) == 50, "the newest 50 stay, by default"
        (job,) = lakehouse.jobs.submissions
        assert job.arguments["safe_age_seconds"] == 3600
        assert len(job.arguments["pins"]) == 51  # type: ignore[arg-type]
        assert run.events.filter(name="stage_succeeded").get().message == (
            "8 files, 3.0 KB, removed; 3 snapshots forgotten, 1 partitions compacted."
        )
        assert PublicationRecord.objects.filter(run=run).count() == 0

    def test_it_waits_behind_runs_and_disturbs_no_schedule(self, lakehouse: FakeLakehouse) -> None:
        maintenance = request_maintenance(NOW)
        run = trigger_run(pipeline=Pipeline.objects.default(), trigger=Trigger.SCHEDULE, now=NOW)
        drive(maintenance, lakehouse, calls=1)
        assert maintenance.state == RunState.QUEUED
        drive(run, lakehouse)
        assert run.state == RunState.SUCCEEDED
        with pytest.raises(RunActiveError):
            request_maintenance(NOW)

    def test_a_schedule_of_its_own_starts_it(self) -> None:
        hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
        Schedule.objects.create(
            name="Upkeep",
            pipeline=Pipeline.objects.default(),
            kind=ScheduleKind.MAINTENANCE,
            interval=hourly,
            begins_at=NOW,
        )
        assert start_due(now=NOW + timedelta(minutes=59)) == 0
        assert start_due(now=NOW + timedelta(minutes=61)) == 1
        assert Pipeline.objects.maintenance().runs.get().trigger == Trigger.MAINTENANCE
        assert start_due(now=NOW + timedelta(minutes=62)) == 0

    def test_one_that_failed_is_tried_again_by_a_person(self, lakehouse: FakeLakehouse) -> None:
        lakehouse.jobs.script["maintain"] = lambda _spec: failed(ValueError)
        run = request_maintenance(NOW)
        now = drive(run, lakehouse)
        assert run.state == RunState.FAILED
        lakehouse.jobs.script["maintain"] = lambda _spec: succeeded(RESULT)
        retry_run(run_id=run.pk, now=now)
        drive(run, lakehouse, now=now)
        assert run.state == RunState.SUCCEEDED


def test_a_follower_leaves_no_more_behind_after_many_publications_than_after_few(
    scratch_database: Callable[[], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "lakehouse_admin.follow._RETIRE_SECONDS": 0.0,
        "etl.follow.cycle._SWEEP_SECONDS": 0.0,
        "etl.gold.refresh._SNAPSHOTS_KEPT": 4,
        "etl.silver.table.SNAPSHOTS_KEPT": 4,
        "etl.silver.table._SNAPSHOTS_MORE": 2,
    }.items():
        monkeypatch.setattr(name, value)
    world = World(lake_in(tmp_path, scratch_database().catalog_url))
    world.load()
    world.publish()
    PublicationRecord.objects.update(published_at=datetime.now(UTC))
    following = Following(
        world.store,
        open_follower=lambda slot: Follower(world.lake, world.store, slot=slot, models=MODELS, safe_age=NOTHING),
        rule=RULE,
    )
    sizes: list[tuple[int, int, int]] = []
    try:
        for number in range(1, 61):
            world.insert("orders", order(100 + number, tenant_id=number % 2 + 1))
            catch_up(following)
            if number % 10 == 0:
                sizes.append(_size(world))
    finally:
        following.close()
    files, size_bytes, publications = (list(each) for each in zip(*sizes, strict=True))
    assert max(publications[1:]) <= 3
    assert max(files[3:]) <= 1.3 * max(files[1:3])
    assert max(size_bytes[3:]) <= 1.3 * max(size_bytes[1:3])
    for record in PublicationRecord.objects.all():
        for pin in record.to_contract().pins:
            rows = StaticTable.from_metadata(pin.metadata_location).scan(snapshot_id=pin.snapshot_id).to_arrow()
            assert rows.num_rows == pin.rows


def _size(world: World) -> tuple[int, int, int]:
    """Return files and bytes of the warehouse, and how many publications are kept."""
    files = [path for path in Path(world.lake.warehouse).rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files), PublicationRecord.objects.count()
