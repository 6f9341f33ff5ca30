"""The staff console: who may see it, what it shows, what it starts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from pytest_django import Settings

from etl.replicate.status import Standing
from lakehouse_admin.actions.change_table import fail_table
from lakehouse_admin.actions.watch import watch
from lakehouse_admin.admin import (
    AlertAdmin,
    AuditEntryAdmin,
    PipelineAdmin,
    PipelineRunAdmin,
    PublicationAdmin,
    ScheduleAdmin,
    TableStateAdmin,
)
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Alert, AuditEntry, Pipeline, PipelineRun, PublicationRecord, TableState
from lakehouse_admin.states import DATA_STAGES, AlertState, PipelineState, RunState, TablePhase, Trigger
from lakehouse_admin.status.replication import Replication
from saas.models import User
from tests.fakes import RUNNING, FakeLakehouse, failed, reconcile_result, succeeded
from tests.integration.lakehouse_admin.conftest import NOW
from tests.integration.lakehouse_admin.test_checks import check, silver_finds

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

RUN = "admin:lakehouse_admin_pipelinerun_"


@pytest.fixture
def run(db: None) -> PipelineRun:
    from lakehouse_admin.actions.trigger_run import trigger_run

    return trigger_run(pipeline=Pipeline.objects.default(), trigger=Trigger.COMMAND, now=NOW)


@pytest.fixture
def published(run: PipelineRun, lakehouse: FakeLakehouse) -> PipelineRun:
    advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    return run


@pytest.fixture
def staff(db: None) -> Client:
    return signed_in(User.objects.create_superuser("staff@lakeside.example", "a long pass phrase"))


def signed_in(user: User, **options: bool) -> Client:
    client = Client(**options)  # type: ignore[arg-type]
    client.force_login(user)
    return client


def console_addresses(run: PipelineRun) -> list[str]:
    """Return every address of the console that is ours, its parameters filled in."""
    from django.contrib import admin

    addresses = [reverse("admin:index"), reverse("queue"), reverse("costs")]
    kinds = (
        PipelineRunAdmin,
        PublicationAdmin,
        PipelineAdmin,
        ScheduleAdmin,
        TableStateAdmin,
        AlertAdmin,
        AuditEntryAdmin,
    )
    for kind in kinds:
        model = next(model for model, registered in admin.site._registry.items() if type(registered) is kind)
        for pattern in admin.site._registry[model].get_urls():
            if isinstance(pattern, URLPattern) and pattern.name:
                parameters = dict.fromkeys(pattern.pattern.converters, run.pk)
                addresses.append(reverse(f"admin:{pattern.name}", kwargs=parameters))
    return addresses


class TestWhoMaySeeIt:
    @pytest.fixture(params=["anonymous", "tenant user"])
    def outsider(self, request: pytest.FixtureRequest) -> Client:
        if request.param == "anonymous":
            return Client()
        return signed_in(User.objects.create_user("owner@shop.example", "a long pass phrase"))

    def test_nobody_but_staff_reaches_any_page(self, outsider: Client, published: PipelineRun):
        addresses = console_addresses(published)
        assert len(addresses) > 30

        for address in addresses:
            for answer in (outsider.get(address), outsider.post(address)):
                assert answer.status_code in {302, 404}, address
                if answer.status_code == 302:
                    assert "/login/" in answer["Location"], address
        assert PipelineRun.objects.count() == 1

    def test_staff_without_permission_see_no_run(self, published: PipelineRun):
        client = signed_in(User.objects.create_user("new@lakeside.example", "a long pass phrase", is_staff=True))

        assert "You may not see the pipeline" in client.get(reverse("admin:index")).text
        for name in ("change", "live", "cancel", "retry"):
            assert client.get(reverse(RUN + name, args=[published.pk])).status_code == 403
        assert client.post(reverse(RUN + "run_now")).status_code == 403
        assert client.get(reverse("queue")).status_code == 403

    def test_staff_who_may_only_look_cannot_act(self, run: PipelineRun):
        viewer = User.objects.create_user("viewer@lakeside.example", "a long pass phrase", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
        client = signed_in(viewer)

        page = client.get(reverse(RUN + "change", args=[run.pk]))
        assert page.status_code == 200
        assert "Cancel run" not in page.text
        assert client.post(reverse(RUN + "cancel", args=[run.pk])).status_code == 403
        assert client.post(reverse(RUN + "run_now")).status_code == 403
        run.refresh_from_db()
        assert run.state == RunState.QUEUED


class TestChecks:
    def test_the_run_page_lists_what_was_found(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        late = check("not_judged", explanation="Too early.")
        silver_finds(lakehouse, check("passed"), late, check("warned", failing_rows=1234))
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        page = staff.get(reverse(RUN + "change", args=[run.pk])).text

        for text in ("rule_warned", "silver.orders", "1,234", "tenant_id 1, id 7 and more", "Accuracy", "Too early."):
            assert text in page
        assert "1 not judged" in page
        assert "1 passed" in page

    def test_a_run_without_results_shows_no_empty_table(self, staff: Client, run: PipelineRun):
        assert "Dimension" not in staff.get(reverse(RUN + "change", args=[run.pk])).text


class TestActions:
    def test_run_now_asks_first(self, staff: Client):
        page = staff.get(reverse(RUN + "run_now"))

        assert page.status_code == 200
        assert "publishes it to all tenants" in page.text
        assert not PipelineRun.objects.exists()

    def test_run_now_starts_a_run_in_the_persons_name(self, staff: Client):
        answer = staff.post(reverse(RUN + "run_now"))

        run = PipelineRun.objects.get()
        assert answer["Location"] == reverse(RUN + "change", args=[run.pk])
        assert str(run.requested_by) == "staff@lakeside.example"
        assert run.trigger == Trigger.CONSOLE

    def test_a_second_run_now_says_why_not(self, staff: Client, run: PipelineRun):
        answer = staff.post(reverse(RUN + "run_now"))

        assert answer.status_code == 409
        assert f"Run {run.pk} of this pipeline is queued" in answer.text
        assert PipelineRun.objects.count() == 1

    def test_actions_want_the_token_of_a_form(self, run: PipelineRun):
        user = User.objects.create_superuser("strict@lakeside.example", "a long pass phrase")
        client = signed_in(user, enforce_csrf_checks=True)

        assert client.post(reverse(RUN + "cancel", args=[run.pk])).status_code == 403
        run.refresh_from_db()
        assert run.state == RunState.QUEUED

    def test_cancel_and_retry(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [KeyError("oops")]
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        run.refresh_from_db()
        assert run.state == RunState.FAILED

        assert staff.post(reverse(RUN + "retry", args=[run.pk])).status_code == 302
        run.refresh_from_db()
        assert run.state == RunState.QUEUED
        assert staff.post(reverse(RUN + "cancel", args=[run.pk])).status_code == 302
        run.refresh_from_db()
        assert run.state == RunState.CANCELLING

    def test_what_is_no_longer_possible_is_explained(self, staff: Client, published: PipelineRun):
        answer = staff.post(reverse(RUN + "cancel", args=[published.pk]))

        assert answer.status_code == 409
        assert "succeeded and cannot become cancelling" in answer.text

    def test_nothing_can_be_added_changed_or_deleted_by_hand(self, staff: Client, published: PipelineRun):
        publication = PublicationRecord.objects.get()
        for name, arguments in {
            RUN + "add": [],
            RUN + "delete": [published.pk],
            "admin:lakehouse_admin_publicationrecord_add": [],
            "admin:lakehouse_admin_publicationrecord_delete": [publication.pk],
            "admin:lakehouse_admin_pipeline_add": [],
        }.items():
            assert staff.post(reverse(name, args=arguments)).status_code == 403, name


TABLE = "admin:lakehouse_admin_tablestate_"


@pytest.mark.usefixtures("published")
class TestTables:
    def test_every_table_is_listed_with_what_may_be_asked_of_it(self, staff: Client):
        orders = TableState.objects.get(table="public.orders")

        page = staff.get(reverse(TABLE + "changelist")).text

        assert page.count("data-table=") == 8
        assert page.count('data-state="following"') == 2  # Those that the source of these tests has.
        for verb, offered in {"pause": True, "resync": True, "skip": True, "remove": True, "resume": False}.items():
            assert (reverse(TABLE + verb, args=[orders.pk]) in page) is offered, verb

    @pytest.mark.parametrize(
        ("verb", "state", "action"),
        [
            ("pause", TablePhase.PAUSED, "table_paused"),
            ("skip", TablePhase.SKIPPED, "table_skipped"),
            ("remove", TablePhase.REMOVED, "table_removed"),
            ("resync", TablePhase.RESYNCING, "table_resynced"),
        ],
    )
    def test_a_verb_asks_then_acts_in_the_persons_name(self, staff: Client, verb: str, state: TablePhase, action: str):
        orders = TableState.objects.get(table="public.orders")
        address = reverse(TABLE + verb, args=[orders.pk])
        assert "public.orders" in staff.get(address).text
        orders.refresh_from_db()
        assert orders.state == TablePhase.FOLLOWING

        assert staff.post(address).status_code == 302

        orders.refresh_from_db()
        assert orders.state == state
        entry = AuditEntry.objects.get(action=action)
        assert (entry.actor, entry.subject) == ("staff@lakeside.example", "public.orders")
        assert entry.before["state"] == "following"

    def test_a_failed_table_says_why_and_is_resumed(self, staff: Client):
        fail_table("orders", reason="A column was narrowed.", guidance="Widen it <again>.", now=NOW)
        orders = TableState.objects.get(table="public.orders")
        page = staff.get(reverse(TABLE + "changelist")).text
        assert "A column was narrowed." in page
        assert "Widen it &lt;again&gt;." in page

        staff.post(reverse(TABLE + "resume", args=[orders.pk]))

        orders.refresh_from_db()
        assert orders.state == TablePhase.FOLLOWING

    def test_what_its_state_does_not_allow_is_explained(self, staff: Client):
        orders = TableState.objects.get(table="public.orders")
        staff.post(reverse(TABLE + "skip", args=[orders.pk]))

        answer = staff.post(reverse(TABLE + "pause", args=[orders.pk]))

        assert answer.status_code == 409
        assert "left out and cannot become paused" in answer.text

    def test_who_may_only_look_is_offered_nothing(self):
        orders = TableState.objects.get(table="public.orders")
        viewer = User.objects.create_user("viewer@lakeside.example", "a long pass phrase", is_staff=True)
        assert signed_in(viewer).get(reverse(TABLE + "changelist")).status_code == 403
        viewer.user_permissions.add(Permission.objects.get(codename="view_tablestate"))
        client = signed_in(viewer)

        page = client.get(reverse(TABLE + "changelist"))

        assert page.status_code == 200
        assert reverse(TABLE + "pause", args=[orders.pk]) not in page.text
        assert client.post(reverse(TABLE + "pause", args=[orders.pk])).status_code == 403
        assert staff_entries() == 0


def staff_entries() -> int:
    return AuditEntry.objects.filter(subject_kind="table", actor__contains="@").count()


class TestQueueAndPlan:
    def test_the_queue_names_who_writes_the_lake_and_who_waits(
        self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse
    ):
        from lakehouse_admin.actions.resync_table import resync_table

        assert "Nobody writes the lake now." in staff.get(reverse("queue")).text
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=timezone.now())
        waiting = resync_table("orders", now=timezone.now())

        page = staff.get(reverse("queue")).text

        assert f"The lake is written by run-{run.pk}." in page
        assert page.index(f'data-run="{run.pk}"') < page.index(f'data-run="{waiting.pk}"')
        assert reverse(RUN + "cancel", args=[waiting.pk]) in page

    def test_an_empty_queue(self, staff: Client):
        assert "No run is on its way" in staff.get(reverse("queue")).text

    @pytest.mark.usefixtures("published")
    def test_run_now_shows_the_plan(self, staff: Client):
        page = staff.get(reverse(RUN + "run_now")).text

        assert "Publication 2" in page
        assert "Would cost on AWS about" in page

    def test_run_now_without_a_table_left_says_so(self, staff: Client):
        from lakehouse_admin.actions.change_table import skip_table
        from lakehouse_admin.actions.find_table import selected_tables

        for table in selected_tables(Pipeline.objects.default()):
            skip_table(str(table), now=NOW)

        assert "Every table is paused, left out or removed." in staff.get(reverse(RUN + "run_now")).text

    def test_a_retry_takes_changed_settings(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.replicator.answers = [KeyError("oops")]
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)
        PipelineRun.objects.update(settings={"threads": 3})
        address = reverse(RUN + "retry", args=[run.pk])
        page = staff.get(address).text
        assert "goes on from Replicate" in page
        assert 'name="threads" value="3"' in page

        refused = staff.post(address, {"threads": "0", "memory_limit_bytes": ""})
        assert refused.status_code == 400
        assert "greater than or equal to 1" in refused.text
        run.refresh_from_db()
        assert run.state == RunState.FAILED

        assert staff.post(address, {"threads": "200", "memory_limit_bytes": ""}).status_code == 302
        run.refresh_from_db()
        assert run.settings == {"threads": 200}


class TestAlerts:
    @pytest.fixture
    def alert(self, db: None) -> Alert:
        del db
        watch(replication=Replication(standing=Standing.FAILED, message="No <route>."), now=NOW)
        return Alert.objects.get()

    def test_is_shown_on_the_first_page_in_the_list_and_on_its_own(self, staff: Client, alert: Alert):
        address = reverse("admin:lakehouse_admin_alert_change", args=[alert.pk])
        assert address in staff.get(reverse("admin:index")).text
        assert address in staff.get(reverse("admin:lakehouse_admin_alert_changelist")).text
        page = staff.get(address).text
        assert "No &lt;route&gt;." in page
        assert "Nobody was told" in page

    def test_is_acknowledged_and_muted_in_the_persons_name(self, staff: Client, alert: Alert):
        assert staff.post(reverse("admin:lakehouse_admin_alert_acknowledge", args=[alert.pk])).status_code == 302
        mute = reverse("admin:lakehouse_admin_alert_mute", args=[alert.pk])
        assert staff.post(mute, {"hours": "9999"}).status_code == 400
        assert staff.post(mute, {"hours": "8"}).status_code == 302

        alert.refresh_from_db()
        assert (alert.state, str(alert.acknowledged_by)) == (AlertState.ACKNOWLEDGED, "staff@lakeside.example")
        assert alert.muted_until is not None
        actions = AuditEntry.objects.filter(actor="staff@lakeside.example").values_list("action", flat=True)
        assert sorted(actions) == ["alert_acknowledged", "alert_muted"]

    def test_who_may_only_look_changes_nothing(self, alert: Alert):
        viewer = User.objects.create_user("viewer@lakeside.example", "a long pass phrase", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_alert"))
        client = signed_in(viewer)

        assert client.get(reverse("admin:lakehouse_admin_alert_change", args=[alert.pk])).status_code == 200
        for name in ("acknowledge", "mute"):
            address = reverse(f"admin:lakehouse_admin_alert_{name}", args=[alert.pk])
            assert client.post(address, {"hours": "1"}).status_code == 403
        alert.refresh_from_db()
        assert (alert.state, alert.muted_until) == (AlertState.OPEN, None)


class TestAuditLog:
    def test_tells_who_did_what_before_and_after(self, staff: Client):
        staff.post(reverse(RUN + "run_now"))
        entry = AuditEntry.objects.get(action="run_requested")

        listed = staff.get(reverse("admin:lakehouse_admin_auditentry_changelist"), {"q": "staff@"}).text
        page = staff.get(reverse("admin:lakehouse_admin_auditentry_change", args=[entry.pk])).text

        assert "Run requested" in listed
        for text in ("Run requested", "staff@lakeside.example", "&quot;trigger&quot;: &quot;console&quot;"):
            assert text in page

    def test_nobody_changes_it(self, staff: Client):
        staff.post(reverse(RUN + "run_now"))
        entry = AuditEntry.objects.get()
        assert staff.post(reverse("admin:lakehouse_admin_auditentry_add")).status_code == 403
        assert staff.post(reverse("admin:lakehouse_admin_auditentry_delete", args=[entry.pk])).status_code == 403
        assert staff.post(reverse("admin:lakehouse_admin_auditentry_change", args=[entry.pk])).status_code == 403


class TestPages:
    @pytest.mark.usefixtures("published")
    @pytest.mark.usefixtures("patient_readers")
    def test_the_overview_tells_health_and_freshness(self, staff: Client):
        page = staff.get(reverse("admin:index")).text

        assert "Healthy" in page
        assert "Publication 1" in page

    def test_the_overview_before_the_first_run(self, staff: Client):
        page = staff.get(reverse("admin:index")).text

        assert "Unknown" in page
        assert "No run yet" in page

    @pytest.mark.usefixtures("published")
    def test_the_list_shows_state_rows_and_publication(self, staff: Client):
        page = staff.get(reverse(RUN + "changelist")).text

        assert "Succeeded" in page
        assert ">7<" in page
        assert "Publication 1" in page

    def test_a_run_shows_every_stage_and_table(self, staff: Client, published: PipelineRun):
        page = staff.get(reverse(RUN + "change", args=[published.pk])).text

        for stage in DATA_STAGES:
            assert f'data-stage="{stage.value}" data-state="succeeded"' in page
        assert 'data-table="orders" data-reconciliation="equal"' in page
        assert reverse(RUN + "live", args=[published.pk]) not in page

    def test_a_moving_run_asks_for_news(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["bronze_to_silver"] = lambda _spec: RUNNING
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        page = staff.get(reverse(RUN + "change", args=[run.pk])).text
        live = staff.get(reverse(RUN + "live", args=[run.pk]))

        assert f'hx-get="{reverse(RUN + "live", args=[run.pk])}" hx-trigger="every 700ms"' in page
        assert 'data-stage="silver" data-state="running"' in live.text
        assert "HX-Refresh" not in live.headers
        assert "no-store" in live.headers["Cache-Control"]

    def test_the_news_of_an_ended_run_is_to_load_the_page(self, staff: Client, published: PipelineRun):
        assert staff.get(reverse(RUN + "live", args=[published.pk])).headers["HX-Refresh"] == "true"

    def test_a_failure_says_what_to_do(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["silver_to_gold"] = lambda _spec: failed(ValueError, "<b>no</b> such column")
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        page = staff.get(reverse(RUN + "change", args=[run.pk])).text

        assert "&lt;b&gt;no&lt;/b&gt; such column" in page
        assert "report a bug" in page
        assert reverse(RUN + "retry", args=[run.pk]) in page

    def test_a_difference_is_shown_at_its_table(self, staff: Client, run: PipelineRun, lakehouse: FakeLakehouse):
        lakehouse.jobs.script["reconcile"] = lambda _spec: succeeded(
            reconcile_result(lakehouse.replicator.tables, different=["orders"])
        )
        advance(run.pk, lakehouse=lakehouse.ports, now=NOW)

        page = staff.get(reverse(RUN + "change", args=[run.pk])).text

        assert 'data-table="orders" data-reconciliation="different"' in page
        assert 'data-table="tenants" data-reconciliation="equal"' in page

    def test_run_now_takes_settings_that_were_changed_and_records_them(self, staff: Client, published: PipelineRun):
        address = reverse(RUN + "run_now")
        page = staff.get(address).text
        assert 'name="memory_limit_bytes" value="2147483648"' in page

        refused = staff.post(address, {"threads": "0"})
        assert refused.status_code == 400
        assert "greater than or equal to 1" in refused.text
        staff.post(address, {"threads": "200", "memory_limit_bytes": "2147483648"})

        run = PipelineRun.objects.first()
        assert run is not None
        assert run.pk != published.pk
        assert run.settings == {"threads": 200}, "the other was left as it is installed"
        assert AuditEntry.objects.get(action="run_requested", subject=str(run.pk)).after["settings"] == {"threads": 200}
        assert "threads 200" in staff.get(reverse(RUN + "change", args=[run.pk])).text

    def test_a_run_that_has_ended_shows_what_it_would_cost_on_aws(self, staff: Client, published: PipelineRun):
        page = staff.get(reverse(RUN + "change", args=[published.pk])).text

        total = sum(entry.amount for entry in published.costs.all())
        assert f'data-cost="{total}"' in page
        assert "Would cost on AWS: 0.06 USD" in page
        assert "nobody charges for it" in page

    @pytest.mark.usefixtures("published")
    @pytest.mark.parametrize("by", ["service", "run", "table", "tenant"])
    def test_the_costs_page_splits_the_month(self, staff: Client, by: str):
        page = staff.get(reverse("costs"), {"month": "2026-11", "by": by}).text

        (total,) = re.findall(r'data-total="([0-9.]+)"', page)
        assert float(total) > 0
        keys = {"service": "Glue", "run": "", "table": "orders", "tenant": "2"}
        assert f'data-key="{keys[by]}"' in page
        assert "AWS Price List" in page

    @pytest.mark.parametrize("query", [{"month": "2026-13"}, {"month": "x"}, {"by": "nobody"}])
    def test_costs_of_no_month_are_404(self, staff: Client, query: dict[str, str]):
        assert staff.get(reverse("costs"), query).status_code == 404

    def test_a_broken_price_book_is_said(self, staff: Client, settings: Settings):
        settings.LAKEHOUSE = replace(settings.LAKEHOUSE, price_book=settings.LAKEHOUSE.home / "absent.toml")

        page = staff.get(reverse("costs")).text

        assert "cannot be read: No such file" in page
        assert "LAKEHOUSE_PRICE_BOOK" in page

    def test_a_run_that_does_not_exist_is_404(self, staff: Client):
        assert staff.get(reverse(RUN + "live", args=[4711])).status_code == 404
        assert staff.get(reverse(RUN + "change", args=["x"])).status_code == 404

    @pytest.mark.usefixtures("published")
    def test_a_publication_lists_its_tables(self, staff: Client):
        record = PublicationRecord.objects.get()

        page = staff.get(reverse("admin:lakehouse_admin_publicationrecord_change", args=[record.pk])).text

        assert "gold.daily_revenue" in page
        assert "0/18B4E10" in page

    def test_a_pipeline_can_be_renamed_and_paused(self, staff: Client, run: PipelineRun):
        address = reverse("admin:lakehouse_admin_pipeline_change", args=[run.pipeline_id])

        answer = staff.post(address, {"name": "Nightly", "state": "paused"})

        assert answer.status_code == 302
        pipeline = Pipeline.objects.get()
        assert (pipeline.name, pipeline.state) == ("Nightly", PipelineState.PAUSED)
        entry = AuditEntry.objects.get(action="pipeline_changed")
        assert entry.actor == "staff@lakeside.example"
        assert (entry.before["state"], entry.after["state"]) == ("active", "paused")

    def test_pages_ask_few_questions(
        self, staff: Client, published: PipelineRun, lakehouse: FakeLakehouse, django_assert_max_num_queries: object
    ):
        from lakehouse_admin.actions.trigger_run import trigger_run

        for hour in range(1, 6):
            at = NOW + timedelta(hours=hour)
            run = trigger_run(pipeline=published.pipeline, trigger=Trigger.COMMAND, now=at)
            advance(run.pk, lakehouse=lakehouse.ports, now=at)
        session_and_user = 2

        for address, queries in {
            reverse("admin:index"): 9,
            reverse(RUN + "live", args=[published.pk]): 7,
            reverse(RUN + "change", args=[published.pk]): 8,
            reverse("costs"): 6,
        }.items():
            with django_assert_max_num_queries(session_and_user + queries):  # type: ignore[operator]
                assert staff.get(address).status_code == 200
