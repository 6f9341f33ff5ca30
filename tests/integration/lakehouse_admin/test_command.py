"""`manage.py lakehouse`: answers, documents and exit codes."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from django.core.management import call_command
from django.db import connection

from etl.contracts.table import TableId
from etl.engine.write import CommitConflictError
from etl.errors import LakehouseError
from etl.quality.differences import Difference, DifferenceKind
from etl.quality.live import LakeLayer, LayerComparison, LiveComparison, LiveReport
from etl.silver.quarantine import WaitingRows
from etl.silver.repair import Repaired
from etl.silver.replay import Replayed
from lakehouse_admin.actions.repair_tables import LakeBusyError, repair_tables
from lakehouse_admin.cli import run_events
from lakehouse_admin.flow import advance
from lakehouse_admin.lease import LAKE, LeaseLostError, take, withdraw
from lakehouse_admin.models import AuditEntry, Lease, PipelineRun
from lakehouse_admin.states import RunState, Trigger
from tests.fakes import FakeLakehouse, failed
from tests.integration.lakehouse_admin.conftest import NOW

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]


class Answer:
    """What a command printed, and its exit code."""

    def __init__(self, *arguments: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        try:
            call_command("lakehouse", *arguments, stdout=out, stderr=err)
            self.code: object = 0
        except SystemExit as end:
            self.code = end.code
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def document(self) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.out)
        return document


@pytest.fixture
def worker(control_plane: list[dict[str, object]], lakehouse: FakeLakehouse) -> Iterator[None]:
    """A worker that moves whatever run there is."""
    with working(lambda run_id: advance(run_id, lakehouse=lakehouse.ports, now=NOW)):
        yield


@contextmanager
def working(move: Callable[[int], object]) -> Iterator[None]:
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.01):
            for run in PipelineRun.objects.all():
                move(run.pk)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class TestRun:
    def test_without_wait_it_asks_and_returns(self):
        answer = Answer("run")

        assert answer.code == 0
        assert "is queued" in answer.out
        assert PipelineRun.objects.get().state == RunState.QUEUED

    @pytest.mark.usefixtures("worker")
    def test_wait_tells_the_stages_and_ends_with_the_publication(self):
        answer = Answer("run", "--wait")

        assert answer.code == 0
        assert "Publication 1 is what readers see" in answer.out
        for stage in ("Replicate", "Silver", "Quality", "Gold", "Publish"):
            assert f"{stage} started." in answer.err

    @pytest.mark.usefixtures("worker")
    def test_wait_prints_one_document(self):
        answer = Answer("run", "--wait", "--json")

        assert answer.code == 0
        document = answer.document
        assert (document["state"], document["publication"]) == ("succeeded", 1)
        assert isinstance(document["tables"], list)
        assert {table["reconciliation"] for table in document["tables"]} == {"equal"}

    @pytest.mark.usefixtures("worker")
    def test_a_failed_run_exits_with_1_and_says_what_to_do(self, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: failed(ValueError, "no such column")

        answer = Answer("run", "--wait")

        assert answer.code == 1
        assert "failed: no such column" in answer.out
        assert LakehouseError.guidance in answer.out

    def test_without_a_worker_it_gives_up_and_keeps_the_run(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(run_events, "_HINT_AFTER", timedelta())
        monkeypatch.setattr(run_events, "_GIVE_UP_AFTER", timedelta(seconds=0.5))

        answer = Answer("run", "--wait")

        assert answer.code == 1
        assert "is the stack up?" in answer.err
        assert "No worker has taken the run." in answer.err
        assert "manage.py up" in answer.err
        assert PipelineRun.objects.get().state == RunState.QUEUED

    def test_settings_are_for_this_run_and_recorded(self, lakehouse: FakeLakehouse):
        answer = Answer("run", "--set", "threads=2", "--set", " memory_limit_bytes = 134217728", "--json")

        assert answer.document["settings"] == {"threads": 2, "memory_limit_bytes": 2**27}
        run = PipelineRun.objects.get()
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        assert all(spec.arguments["threads"] == 2 for spec in lakehouse.jobs.submissions)

    @pytest.mark.parametrize(
        ("texts", "sentence"),
        [
            (["threads"], "'threads' sets nothing; write name=value, such as threads=2."),
            (["=2"], "'=2' sets nothing"),
            (["threads=2", "threads=3"], "threads is set twice."),
            (["thread=2"], "thread is no setting of a run; there are memory_limit_bytes, threads."),
            (["threads=two"], "threads must be a whole number from 1 to 256."),
            (["threads=1.5"], "threads must be a whole number from 1 to 256."),
            (["threads="], "threads must be a whole number from 1 to 256."),
            (["threads=٣"], "threads must be a whole number from 1 to 256."),
            (["threads=257"], "threads must be a whole number from 1 to 256."),
            (["lake_uri=3"], "lake_uri is no setting of a run"),
        ],
    )
    def test_settings_that_no_job_would_take_start_nothing(self, texts: list[str], sentence: str):
        answer = Answer("run", *(part for text in texts for part in ("--set", text)))

        assert answer.code == 1
        assert sentence in answer.err
        assert "Nothing was changed" in answer.err
        assert not PipelineRun.objects.exists()

    def test_a_retry_may_set_them_too(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: failed(MemoryError, "no memory")
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        assert Answer("retry", str(run.pk), "--set", "threads=1").code == 0

        run.refresh_from_db()
        assert run.settings == {"threads": 1}

    def test_a_second_run_is_refused(self):
        Answer("run")

        answer = Answer("run", "--json")

        assert answer.code == 1
        assert "only one goes at a time" in str(answer.document["error"])
        assert "cancel it" in str(answer.document["guidance"])


class TestStatus:
    def test_before_the_first_run(self):
        answer = Answer("status")

        assert answer.code == 0
        assert answer.out.startswith("Unknown: ")

    @pytest.mark.usefixtures("patient_readers")
    def test_after_a_publication(self, run: PipelineRun, lakehouse: FakeLakehouse):
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        answer = Answer("status", "--json")

        assert answer.code == 0
        document = answer.document
        assert document["health"] == "healthy"
        publication = document["publication"]
        assert isinstance(publication, dict)
        assert publication["tables"] == {"gold.daily_revenue": 3}
        assert "Succeeded" in Answer("status").out

    def test_after_a_failure_it_exits_with_1(self, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["reconcile"] = lambda _spec: failed(ValueError, "oops")
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        answer = Answer("status")

        assert answer.code == 1
        assert answer.out.startswith("Failing: ")


class TestRuns:
    def test_lists_runs(self, run: PipelineRun):
        assert "Queued" in Answer("runs").out
        assert json.loads(Answer("runs", "--json", "--run", str(run.pk)).out)[0]["run"] == run.pk
        assert json.loads(Answer("runs", "--json", "--run", str(run.pk + 1)).out) == []

    def test_cancel_and_retry(self, run: PipelineRun):
        assert Answer("cancel", str(run.pk)).code == 0
        run.refresh_from_db()
        assert run.state == RunState.CANCELLING

        answer = Answer("retry", str(run.pk))

        assert answer.code == 1
        assert "cannot become queued" in answer.err

    def test_a_run_that_does_not_exist(self):
        answer = Answer("cancel", "4711", "--json")

        assert answer.code == 1
        assert "4711" in str(answer.document["error"])


def layer(
    which: LakeLayer, rows: int | None, *, equal: bool = True, problem: str = "", keys: str = ""
) -> LayerComparison:
    return LayerComparison(
        layer=which,
        equal=equal,
        rows=rows,
        hash="aa",
        problem=problem,
        guidance="Do this." if problem else "",
        differences=tuple(Difference(key=key, kind=DifferenceKind.MISSING) for key in keys.split()),
    )


def table(name: str, bronze: LayerComparison, silver: LayerComparison) -> LiveComparison:
    return LiveComparison(
        table=name,
        source_table=f"public.{name}",
        source_rows=1234,
        source_hash="aa",
        bronze=bronze,
        silver=silver,
        seconds=0.1,
    )


class TestReconcile:
    EQUAL = table("orders", layer(LakeLayer.BRONZE, 1234), layer(LakeLayer.SILVER, 1234))
    WRONG_SILVER = table(
        "events", layer(LakeLayer.BRONZE, 1234), layer(LakeLayer.SILVER, 1233, equal=False, keys="1|2")
    )
    WRONG_BRONZE = table(
        "products",
        layer(LakeLayer.BRONZE, None, equal=False, problem="A file is damaged"),
        layer(LakeLayer.SILVER, 1234),
    )

    @pytest.fixture
    def compared(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
        """Have the comparisons return these tables, one after another; return which were asked for."""

        def returns(*reports: tuple[LiveComparison, ...]) -> list[str]:
            asked: list[str] = []
            left = list(reports)

            def compare(
                _url: str, _lake: object, _store: object, wanted: list[object], **_options: object
            ) -> LiveReport:
                asked.extend(str(table) for table in wanted)
                return LiveReport(lsn=16, tables=left.pop(0), seconds=0.1)

            monkeypatch.setattr("etl.quality.live.compare_live", compare)
            return asked

        return returns

    @pytest.fixture
    def repaired(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Have repairs succeed; tells of which tables."""
        asked: list[str] = []

        def repair(
            _lake: object,
            _store: object,
            table: object,
            *,
            slot: str,
            committing: Callable[[Repaired], AbstractContextManager[object]],
        ) -> Repaired:
            done = Repaired(table="events", keys=1, removed=0, added=1, lsn=16, snapshot_id=1)
            with committing(done):
                asked.append(str(table))
            return done

        monkeypatch.setattr("etl.silver.repair.repair_table", repair)
        return asked

    def test_equal_tables_exit_with_0(self, compared: Callable[..., list[str]]):
        asked = compared((self.EQUAL,))

        answer = Answer("reconcile")

        assert answer.code == 0
        assert "equal" in answer.out
        assert "as of 0/10" in answer.out
        assert len(asked) == 8

    def test_a_difference_exits_with_1_and_is_named_where_it_came_about(self, compared: Callable[..., list[str]]):
        asked = compared((self.EQUAL, self.WRONG_SILVER, self.WRONG_BRONZE))

        answer = Answer("reconcile", "--table", "orders", "--table", "events")

        assert answer.code == 1
        assert asked == ["public.orders", "public.events"]
        assert "1,234" in answer.out
        assert "DIFFERENT from silver on" in answer.out
        assert "DIFFERENT from bronze on" in answer.out
        assert "events: missing in silver: 1|2" in answer.out
        assert "products: A file is damaged. Do this." in answer.out
        assert AuditEntry.objects.count() == 0

    def test_json(self, compared: Callable[..., list[str]]):
        compared((self.EQUAL, self.WRONG_SILVER))

        answer = Answer("reconcile", "--json")

        assert answer.code == 1
        assert (answer.document["equal"], answer.document["position"]) == (False, "0/10")
        first, second = cast("list[dict[str, object]]", answer.document["tables"])
        assert (first["equal"], second["first_different"]) == (True, "silver")

    def test_a_repair_is_recorded_and_compared_again(self, compared: Callable[..., list[str]], repaired: list[str]):
        compared((self.EQUAL, self.WRONG_SILVER), (self.EQUAL, self.EQUAL))

        answer = Answer("reconcile", "--repair")

        assert (answer.code, repaired) == (0, ["public.events"])
        assert "missing in silver: 1|2" in answer.err
        assert "1 keys were put right in silver (0 removed, 1 added)" in answer.err
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.subject, entry.after["added"]) == ("silver_repaired", "public.events", 1)
        assert Lease.objects.get(name=LAKE).holder == ""

    def test_what_is_wrong_in_bronze_is_loaded_anew(self, compared: Callable[..., list[str]], repaired: list[str]):
        compared((self.WRONG_BRONZE, self.EQUAL), (self.WRONG_BRONZE, self.EQUAL))

        answer = Answer("reconcile", "--repair", "--json")

        assert (answer.code, repaired) == (1, [])
        run = PipelineRun.objects.get()
        assert (run.tables, run.trigger) == (["public.products"], Trigger.RESYNC)
        (done,) = cast("list[dict[str, object]]", answer.document["repairs"])
        assert done["resync_run"] == run.pk
        assert AuditEntry.objects.filter(action="table_resynced").count() == 1

    def test_refused_rows_are_not_loaded_again_and_again(self, compared: Callable[..., list[str]], repaired: list[str]):
        refused = replace(self.WRONG_BRONZE, bronze=replace(self.WRONG_BRONZE.bronze, refused=3))
        compared((refused,), (refused,))

        answer = Answer("reconcile", "--repair")

        assert (answer.code, repaired, PipelineRun.objects.count()) == (1, [], 0)
        assert "lakehouse quarantine" in answer.err

    def test_a_repair_that_fails_leaves_no_entry_and_no_lease(
        self, compared: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
    ):
        def repair(*_lake: object, committing: Callable[[Repaired], AbstractContextManager[object]], slot: str) -> None:
            with committing(Repaired(table="events", keys=1, removed=0, added=1, lsn=16, snapshot_id=1)):
                raise CommitConflictError(table=slot)

        monkeypatch.setattr("etl.silver.repair.repair_table", repair)
        compared((self.WRONG_SILVER,), (self.WRONG_SILVER,))

        answer = Answer("reconcile", "--repair")

        assert answer.code == 1
        assert "was not repaired" in answer.err
        assert (AuditEntry.objects.count(), Lease.objects.get(name=LAKE).holder) == (0, "")

    def test_a_repair_waits_for_the_lake_and_a_late_one_changes_nothing(
        self, monkeypatch: pytest.MonkeyPatch, repaired: list[str]
    ):
        assert take(LAKE, holder="run-1", now=NOW) is not None

        def one(table: TableId, *, committing: Callable[[Repaired], AbstractContextManager[object]]) -> Repaired:
            Lease.objects.filter(name=LAKE).update(token=99, holder="somebody else")
            done = Repaired(table="events", keys=1, removed=0, added=1, lsn=16, snapshot_id=1)
            with committing(done):
                repaired.append(str(table))
            return done

        with pytest.raises(LakeBusyError):
            repair_tables([self.WRONG_SILVER], repair=one, clock=lambda: NOW, wait_seconds=0)
        monkeypatch.setattr("time.sleep", lambda _seconds: withdraw(LAKE, holder="run-1"))
        (done,) = repair_tables([self.WRONG_SILVER], repair=one, clock=lambda: NOW)
        assert isinstance(done.error, LeaseLostError)
        assert (repaired, AuditEntry.objects.count()) == ([], 0)


class TestQuarantine:
    def test_refused_rows_are_listed_by_reason(self, monkeypatch: pytest.MonkeyPatch):
        waiting = WaitingRows(table="orders", reason="bad_key:id", rows=1200, first="public/orders/x.csv.gz, row 7")
        monkeypatch.setattr("etl.silver.quarantine.waiting_rows", lambda _lake, _tables: (waiting,))

        answer = Answer("quarantine")

        assert answer.code == 1
        assert "orders" in answer.out
        assert "1,200" in answer.out
        assert "row 7" in answer.out
        assert Answer("quarantine", "list", "--json").document["refused_rows"] == 1200

    def test_a_replay_that_leaves_none_exits_with_0(self, monkeypatch: pytest.MonkeyPatch):
        asked: list[str] = []

        def replay(_lake: object, _store: object, tables: list[object]) -> tuple[Replayed, ...]:
            asked.extend(map(str, tables))
            return (Replayed(table="orders", resolved=3, inserted=2, remaining=0, snapshot_id=1),)

        monkeypatch.setattr("etl.silver.replay.replay_tables", replay)

        answer = Answer("quarantine", "replay", "--table", "orders")

        assert answer.code == 0
        assert asked == ["public.orders"]
        assert answer.out.splitlines()[1].split() == ["orders", "3", "2", "0", "0", "0"]

    def test_an_empty_quarantine_says_so(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("etl.silver.quarantine.waiting_rows", lambda _lake, _tables: ())

        assert Answer("quarantine").out == "No row is in quarantine.\n"


def test_states_prints_the_page():
    assert Answer("states").out.startswith("# States\n")
