"""One table is paused, left out, resynced or fails; the others go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, connections, transaction

from etl.contracts.table import TableId
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.change_table import fail_table, pause_table, remove_table, resume_table, skip_table
from lakehouse_admin.actions.find_table import (
    AllTablesLeftOutError,
    TableUnknownError,
    selected_tables,
    tables_not_followed,
    tables_of,
)
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.actions.trigger_run import RunActiveError
from lakehouse_admin.flow import advance
from lakehouse_admin.models import AuditEntry, Pipeline, PipelineRun, TableState
from lakehouse_admin.states import RunState, TablePhase, Trigger
from lakehouse_admin.transition import TransitionRefusedError
from tests.fakes import FakeLakehouse, failed
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_claims import in_threads

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control_plane")]

ORDERS = TableId.parse("orders")


def state_of(name: str) -> str:
    return TableState.objects.get(table=str(TableId.parse(name))).state


@pytest.fixture
def following(run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
    """A run that loaded and proved two tables."""
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    return run


class TestARun:
    def test_takes_up_the_tables_that_it_proved(self, following: PipelineRun):
        assert {each.table: each.state for each in TableState.objects.all()} == {
            "public.orders": TablePhase.FOLLOWING,
            "public.tenants": TablePhase.FOLLOWING,
        }
        following.refresh_from_db()
        assert TableState.objects.get(table="public.orders").source_lsn == following.source_lsn

    @pytest.mark.usefixtures("following")
    def test_loads_no_table_that_is_left_out(self, pipeline: Pipeline):
        pause_table("orders", now=NOW)
        skip_table("tenants", now=NOW)
        run = PipelineRun(pipeline=pipeline)

        assert set(selected_tables(pipeline)) - set(tables_of(run)) == {ORDERS, TableId.parse("tenants")}

    def test_over_nothing_is_refused(self, pipeline: Pipeline, lakehouse: FakeLakehouse, run: PipelineRun):
        for table in selected_tables(pipeline):
            skip_table(str(table), now=NOW)

        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        run.refresh_from_db()
        assert run.state == RunState.WAITING
        assert run.error_class.endswith(AllTablesLeftOutError.__name__)
        assert lakehouse.replicator.requests == []


@pytest.mark.usefixtures("following")
class TestOneTable:
    @pytest.mark.parametrize(
        ("act", "state"),
        [
            (pause_table, TablePhase.PAUSED),
            (skip_table, TablePhase.SKIPPED),
            (remove_table, TablePhase.REMOVED),
        ],
    )
    def test_is_taken_out_and_the_others_stay(self, act: Callable[..., TableState], state: TablePhase):
        act("orders", now=NOW)
        act("orders", now=NOW)  # Once more changes nothing.

        assert (state_of("orders"), state_of("tenants")) == (state, TablePhase.FOLLOWING)
        assert tables_not_followed() == {ORDERS}
        entry = AuditEntry.objects.filter(subject="public.orders").exclude(action="table_followed").get()
        assert (entry.before["state"], entry.after["state"]) == ("following", state)

    def test_a_paused_one_is_resumed(self):
        pause_table("orders", now=NOW)
        resume_table("orders", now=NOW)

        assert tables_not_followed() == frozenset()

    def test_one_left_out_is_not_simply_resumed(self):
        skip_table("orders", now=NOW)

        with pytest.raises(TransitionRefusedError):
            resume_table("orders", now=NOW)

    def test_a_failed_one_says_why(self):
        fail_table("orders", reason="A column was narrowed.", guidance="Resync it.", now=NOW)
        fail_table("orders", reason="Again.", guidance="Resync it.", now=NOW)

        table = TableState.objects.get(table="public.orders")
        assert (table.state, table.reason, table.guidance) == ("failed", "A column was narrowed.", "Resync it.")

    def test_a_paused_one_does_not_fail(self):
        pause_table("orders", now=NOW)
        fail_table("orders", reason="Late news.", guidance="None.", now=NOW)

        assert state_of("orders") == TablePhase.PAUSED

    def test_an_unknown_one_is_named(self):
        with pytest.raises(TableUnknownError, match="ordres"):
            pause_table("ordres", now=NOW)
        assert not TableState.objects.filter(table__contains="ordres").exists()


@pytest.mark.usefixtures("following")
class TestResync:
    def test_loads_the_table_alone_and_takes_it_up_again(self, lakehouse: FakeLakehouse):
        skip_table("orders", now=NOW)
        run = resync_table("orders", now=NOW)
        assert (run.trigger, run.tables, state_of("orders")) == (Trigger.RESYNC, ["public.orders"], "resyncing")
        asked: list[object] = []
        start = lakehouse.replicator.start_full_load
        lakehouse.replicator.start_full_load = lambda **options: (  # type: ignore[method-assign]
            asked.append(options["tables"]),
            start(**options),
        )[1]

        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
        assert asked == [(ORDERS,)]
        assert state_of("orders") == TablePhase.FOLLOWING

    def test_of_many_at_once_one_is_made(self):
        outcomes = in_threads(12, lambda: resync_table("orders", now=NOW))

        assert len([each for each in outcomes if isinstance(each, PipelineRun)]) == 1
        assert len([each for each in outcomes if isinstance(each, RunActiveError)]) == 11
        assert PipelineRun.objects.filter(trigger=Trigger.RESYNC).count() == 1

    def test_that_fails_fails_the_table_and_a_retry_takes_it_up(self, lakehouse: FakeLakehouse):
        good = lakehouse.jobs.script["bronze_to_silver"]
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: failed(ValueError, "no")
        run = resync_table("orders", now=NOW)
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        assert state_of("orders") == TablePhase.FAILED
        assert "no" in TableState.objects.get(table="public.orders").reason

        lakehouse.jobs.script["bronze_to_silver"] = good
        retry_run(run_id=run.pk, now=NOW)
        assert state_of("orders") == TablePhase.RESYNCING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        assert state_of("orders") == TablePhase.FOLLOWING

    def test_that_is_cancelled_fails_the_table(self, lakehouse: FakeLakehouse):
        run = resync_table("orders", now=NOW)
        cancel_run(run_id=run.pk, now=NOW)
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        assert state_of("orders") == TablePhase.FAILED
        assert "cancelled" in TableState.objects.get(table="public.orders").reason


@pytest.mark.usefixtures("following")
class TestTheDatabase:
    @pytest.mark.parametrize(
        "statement",
        [
            "update lakehouse_audit_entries set actor = 'nobody'",
            "delete from lakehouse_audit_entries",
            "delete from lakehouse_run_events",
            "update lakehouse_run_events set message = ''",
        ],
    )
    def test_refuses_the_applications_role_to_change_what_was_written(self, statement: str):
        pause_table("orders", now=NOW)

        for prelude in ("select 1", "set local lakeside.retention = 'on'"):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(prelude)
                with pytest.raises(DatabaseError, match="are never"), transaction.atomic():
                    cursor.execute(statement)

    @pytest.mark.parametrize("table", ["lakehouse_audit_entries", "lakehouse_run_events"])
    def test_refuses_even_the_owner_to_truncate(self, table: str):
        with (
            pytest.raises(DatabaseError, match="are never removed"),
            transaction.atomic(using="owner"),
            connections["owner"].cursor() as cursor,
        ):
            cursor.execute(f"truncate {table}")

    def test_lets_the_owner_alone_apply_retention(self):
        pause_table("orders", now=NOW)
        with pytest.raises(DatabaseError), transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("delete from lakehouse_audit_entries")

        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute("set local lakeside.retention = 'on'")
            cursor.execute("delete from lakehouse_audit_entries")
            assert cursor.rowcount > 0
