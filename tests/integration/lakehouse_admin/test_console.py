"""The staff console: who may see it, what it shows, what it starts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, reverse

from lakehouse_admin.admin import PipelineAdmin, PipelineRunAdmin, PublicationAdmin
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.states import PipelineState, RunState, Stage, Trigger
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

    addresses = [reverse("admin:index")]
    for kind in (PipelineRunAdmin, PublicationAdmin, PipelineAdmin):
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
        assert len(addresses) > 12

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


class TestPages:
    @pytest.mark.usefixtures("published")
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

        for stage in Stage:
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

    def test_a_run_that_does_not_exist_is_404(self, staff: Client):
        assert staff.get(reverse(RUN + "live", args=[4711])).status_code == 404
        assert staff.get(reverse(RUN + "change", args=["x"])).status_code == 404

    @pytest.mark.usefixtures("published")
    def test_a_publication_lists_its_tables(self, staff: Client):
        record = PublicationRecord.objects.get()

        page = staff.get(reverse("admin:lakehouse_admin_publicationrecord_change", args=[record.pk])).text

        assert "gold.daily_revenue" in page
        assert "0/18B4E10" in page

    def test_a_pipeline_can_be_scheduled_and_paused(self, staff: Client, run: PipelineRun):
        address = reverse("admin:lakehouse_admin_pipeline_change", args=[run.pipeline_id])

        answer = staff.post(address, {"name": "Nightly", "state": "paused", "run_every_seconds": "3600"})

        assert answer.status_code == 302
        pipeline = Pipeline.objects.get()
        assert (pipeline.name, pipeline.state, pipeline.run_every_seconds) == ("Nightly", PipelineState.PAUSED, 3600)

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
            reverse("admin:index"): 5,
            reverse(RUN + "live", args=[published.pk]): 6,
            reverse(RUN + "change", args=[published.pk]): 7,
        }.items():
            with django_assert_max_num_queries(session_and_user + queries):  # type: ignore[operator]
                assert staff.get(address).status_code == 200
