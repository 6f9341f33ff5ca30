"""Runs: the list, the live page of one, and the three things a person can ask for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.cache import never_cache
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from etl.errors import LakehouseError
from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.actions.retry_run import resume_stage, retry_run
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.admin.ask import Done, Question, ask
from lakehouse_admin.admin.overview import OPERATE
from lakehouse_admin.admin.read_only import ReadOnlyAdmin
from lakehouse_admin.admin.run_settings_form import RunSettingsForm
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.states import Trigger
from lakehouse_admin.status.plan import plan_run
from lakehouse_admin.status.run_page import RunPage, run_page
from lakehouse_admin.templatetags.lakehouse import count, duration, moment, state_badge
from lakehouse_admin.wiring import price_book, replication

_CHANGE = "admin:lakehouse_admin_pipelinerun_change"
_OUTCOME_CHARS = 60
_LIST = "admin:lakehouse_admin_pipelinerun_changelist"


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnlyAdmin):
    """Runs, newest first."""

    list_display = ("run", "shown_state", "asked_for", "when", "took", "rows", "outcome")
    list_display_links = ("run",)
    list_filter = ("state", "trigger")
    list_per_page = 50
    actions_list = ("run_now_button",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PipelineRun]:
        """Fetch what a line shows along with it."""
        runs: QuerySet[PipelineRun] = super().get_queryset(request)
        related = runs.select_related("pipeline", "requested_by", "publication")
        return related.annotate(silver_rows=Sum("table_results__silver_rows"))

    @display(description="Run", ordering="id")  # type: ignore[untyped-decorator]
    def run(self, run: PipelineRun) -> str:
        """Name it."""
        return str(run)

    @display(description="State", ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, run: PipelineRun) -> SafeString:
        """Print the state as everywhere."""
        return state_badge(run.state_choice)

    @display(description="Asked for by")  # type: ignore[untyped-decorator]
    def asked_for(self, run: PipelineRun) -> str:
        """Say who or what asked."""
        return str(run.requested_by or Trigger(run.trigger).label)

    @display(description="When", ordering="requested_at")  # type: ignore[untyped-decorator]
    def when(self, run: PipelineRun) -> SafeString | str:
        """Say when it was asked for."""
        return moment(run.requested_at)

    @display(description="Took")  # type: ignore[untyped-decorator]
    def took(self, run: PipelineRun) -> str:
        """Say how long it took."""
        return duration(run.seconds)

    @display(description="Rows in silver")  # type: ignore[untyped-decorator]
    def rows(self, run: PipelineRun) -> str:
        """Count its rows."""
        return count(getattr(run, "silver_rows", None))

    @display(description="Outcome")  # type: ignore[untyped-decorator]
    def outcome(self, run: PipelineRun) -> str:
        """Name its publication, or what went wrong."""
        publication = getattr(run, "publication", None)
        return str(publication) if publication else Truncator(run.error_message).chars(_OUTCOME_CHARS)

    @action(  # type: ignore[untyped-decorator]
        description="Run now",
        url_path="start",
        permissions=["operate"],
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def run_now_button(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - unfold's signature
        """Lead to the page that asks before it starts a run."""
        return HttpResponseRedirect(reverse("admin:lakehouse_admin_pipelinerun_run_now"))

    def has_operate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:  # noqa: ARG002
        """Tell whether this person may start, cancel and retry."""
        return request.user.has_perm(OPERATE)

    def get_urls(self) -> list[URLPattern]:
        """Add the live part of a run's page, and the three things one can ask for."""
        view = self.admin_site.admin_view
        name = "lakehouse_admin_pipelinerun"
        own = [
            path("run-now/", view(self.run_now), name=f"{name}_run_now"),
            path("<int:run_id>/live/", view(never_cache(self.live)), name=f"{name}_live"),
            path("<int:run_id>/cancel/", view(self.cancel), name=f"{name}_cancel"),
            path("<int:run_id>/retry/", view(self.retry), name=f"{name}_retry"),
        ]
        return own + list(super().get_urls())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one run."""
        del form_url
        run = self._run(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": str(run),
            "original": run,
            "page": run_page(run, now=timezone.now()),
            "may_operate": self.has_operate_permission(request),
        }
        return TemplateResponse(request, "lakehouse_admin/run.html", context)

    def live(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Return the moving part of a run's page; once nothing moves, have the page loaded anew."""
        page: RunPage = run_page(self._run(request, run_id), now=timezone.now())
        response = TemplateResponse(request, "lakehouse_admin/run_live.html", {"page": page})
        if not page.is_moving:
            response["HX-Refresh"] = "true"
        return response

    def run_now(self, request: HttpRequest) -> HttpResponse:
        """Start a run, after asking, with settings of its own if they are changed."""
        pipeline = Pipeline.objects.default()
        form = RunSettingsForm(request.POST if request.method == "POST" else None)
        consequence = (
            f"“{pipeline.name}” copies every selected table from the source, checks it, computes gold "
            "and publishes it to all tenants. Until then, readers keep what they see."
        )
        question = Question(
            title="Run now",
            consequence=consequence,
            permission=OPERATE,
            back=reverse(_LIST),
            form=form,
            context={"opts": self.opts, **_planned(pipeline)},
        )

        def act(user: AbstractBaseUser) -> Done:
            started = trigger_run(
                pipeline=pipeline,
                trigger=Trigger.CONSOLE,
                now=timezone.now(),
                requested_by=user,
                settings=form.chosen(),
            )
            return _asked(question, started)

        return ask(request, question, act=act)

    def cancel(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Cancel a run, after asking."""
        run = self._run(request, run_id)
        question = Question(
            title=f"Cancel {run}",
            consequence="The running job is ended. Nothing is published; readers keep what they see.",
            permission=OPERATE,
            back=reverse(_CHANGE, args=[run_id]),
            context={"opts": self.opts},
        )
        return ask(
            request,
            question,
            act=lambda user: _asked(question, cancel_run(run_id=run_id, now=timezone.now(), requested_by=user)),
        )

    def retry(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Take a run up again, after asking."""
        run = self._run(request, run_id)
        form = RunSettingsForm(request.POST if request.method == "POST" else None, initial=run.settings)
        question = Question(
            title=f"Retry {run}",
            consequence=f"The run goes on from {resume_stage(run).label}; what succeeded before is not repeated.",
            permission=OPERATE,
            back=reverse(_CHANGE, args=[run_id]),
            form=form,
            context={"opts": self.opts},
        )

        def act(user: AbstractBaseUser) -> Done:
            retried = retry_run(run_id=run_id, now=timezone.now(), requested_by=user, settings=form.chosen())
            return _asked(question, retried)

        return ask(request, question, act=act)

    def _run(self, request: HttpRequest, run_id: int | str) -> PipelineRun:
        """Return a run that this person may see.

        Raises:
            PermissionDenied: They may not see runs.
            Http404: There is none.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        runs = PipelineRun.objects.select_related("pipeline", "requested_by")
        run = runs.filter(pk=run_id).first() if str(run_id).isdecimal() else None
        if run is None:
            raise Http404
        return run


def _asked(question: Question, run: PipelineRun) -> Done:
    return Done(
        sentence=f"{question.title}: {run} is {run.state_choice.label.lower()}.",
        address=reverse(_CHANGE, args=[run.pk]),
    )


def _planned(pipeline: Pipeline) -> dict[str, Any]:
    """Return what a run would do, or why there can be none."""
    try:
        return {"plan": plan_run(pipeline, replication=replication(now=timezone.now()), prices=price_book())}
    except LakehouseError as error:
        return {"problem": str(error), "guidance": error.guidance}
