"""Tables: where each stands, and what a person can ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from lakehouse_admin.actions.change_table import pause_table, remove_table, resume_table, skip_table
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.admin.ask import Done, Question, ask
from lakehouse_admin.admin.read_only import ReadOnlyAdmin
from lakehouse_admin.models import Pipeline, TableState
from lakehouse_admin.states import TABLE, TablePhase
from lakehouse_admin.status.tables import table_lines
from lakehouse_admin.wiring import replication

OPERATE = "lakehouse_admin.operate_tablestate"
_LIST = "admin:lakehouse_admin_tablestate_changelist"
_NAME = "lakehouse_admin_tablestate"


class _Change(Protocol):
    def __call__(self, name: str, *, now: datetime, by: AbstractBaseUser | None) -> TableState: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Something that can be asked of a table."""

    label: str
    to: TablePhase
    consequence: str
    change: _Change | None
    """None for a resync, which is a run."""


VERBS: Mapping[str, Verb] = {
    "pause": Verb(
        label="Pause",
        to=TablePhase.PAUSED,
        consequence="Its changes are no longer applied. Bronze goes on receiving them, and resuming catches up.",
        change=pause_table,
    ),
    "resume": Verb(
        label="Resume",
        to=TablePhase.FOLLOWING,
        consequence="Its changes are applied again, from where it stands.",
        change=resume_table,
    ),
    "resync": Verb(
        label="Resync",
        to=TablePhase.RESYNCING,
        consequence=(
            "A run copies this table alone from the source, replaces its rows in silver, compares them with the "
            "source, computes gold and publishes. Until then, readers keep what they see."
        ),
        change=None,
    ),
    "skip": Verb(
        label="Leave out",
        to=TablePhase.SKIPPED,
        consequence="The other tables go on without it; readers keep its rows as they are. A resync takes it up again.",
        change=skip_table,
    ),
    "remove": Verb(
        label="Remove",
        to=TablePhase.REMOVED,
        consequence="Nothing is read of it any more. Its rows stay in silver as they are; a resync selects it again.",
        change=remove_table,
    ),
}


@admin.register(TableState)
class TableStateAdmin(ReadOnlyAdmin):
    """Every selected table and its state."""

    def get_urls(self) -> list[URLPattern]:
        """Add an address for every verb."""
        own = [
            path(
                f"<int:table_id>/{name}/", self.admin_site.admin_view(self.act), {"name": name}, name=f"{_NAME}_{name}"
            )
            for name in VERBS
        ]
        return own + list(super().get_urls())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show a line a table, with what may be asked of it.

        Raises:
            PermissionDenied: This person may not see tables.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        lines = table_lines(Pipeline.objects.default(), replication(now=now), now=now)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "opts": self.opts,
            "title": "Tables",
            "lines": [(line, _offered(line.table)) for line in lines],
            "may_operate": request.user.has_perm(OPERATE),
        }
        return TemplateResponse(request, "lakehouse_admin/tables.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the list: it says all there is to say of a table."""
        del request, object_id, form_url, extra_context
        return HttpResponseRedirect(reverse(_LIST))

    def act(self, request: HttpRequest, table_id: int, name: str) -> HttpResponse:
        """Do one thing with one table, after asking.

        Raises:
            PermissionDenied: This person may not see tables, or not operate them.
            Http404: There is no such table.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        table = get_object_or_404(TableState, pk=table_id)
        verb = VERBS[name]
        question = Question(
            title=f"{verb.label} {table}",
            consequence=verb.consequence,
            permission=OPERATE,
            back=reverse(_LIST),
            context={"opts": self.opts},
        )
        return ask(request, question, act=_doing(table, verb))


def _offered(table: TableState) -> list[tuple[str, Verb]]:
    return [(name, verb) for name, verb in VERBS.items() if TABLE.allows(table.state_choice, verb.to)]


def _doing(table: TableState, verb: Verb) -> Callable[[AbstractBaseUser], Done]:
    def act(user: AbstractBaseUser) -> Done:
        now = timezone.now()
        if verb.change is None:
            run = resync_table(table.table, now=now, by=user)
            address = reverse("admin:lakehouse_admin_pipelinerun_change", args=[run.pk])
            return Done(sentence=f"{run} loads {table} anew.", address=address)
        changed = verb.change(table.table, now=now, by=user)
        return Done(sentence=f"{changed} is {changed.state_choice.label.lower()} now.", address=reverse(_LIST))

    return act
