"""Schedules: what starts by itself, when it is due next, and what came of the last time."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from lakehouse_admin.admin.schedule_form import ScheduleForm
from lakehouse_admin.models import Schedule
from lakehouse_admin.record_audit import record_audit
from lakehouse_admin.schedules.times import Cron, Interval
from lakehouse_admin.templatetags.lakehouse import duration, moment


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin):  # type: ignore[misc]  # the package is untyped
    """Every schedule; each change is audited."""

    form = ScheduleForm
    list_display = ("name", "what", "when", "is_enabled", "due", "came_of_it")
    list_filter = ("kind", "is_enabled")
    fieldsets = (
        (None, {"fields": ("name", "kind", "resync", "is_enabled")}),
        ("When", {"fields": ("cron", "time_zone", "every", "period")}),
        ("Now", {"fields": ("due", "last_due", "came_of_it")}),
    )
    readonly_fields = ("due", "last_due", "came_of_it")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        """Fetch what a line shows along with it."""
        schedules: QuerySet[Schedule] = super().get_queryset(request)
        return schedules.select_related("crontab", "interval", "last_run")

    @display(description="Starts", ordering="kind")  # type: ignore[untyped-decorator]
    def what(self, schedule: Schedule) -> str:
        """Say what it starts."""
        return f"{schedule.get_kind_display()} {', '.join(schedule.tables)}".strip()

    @display(description="When")  # type: ignore[untyped-decorator]
    def when(self, schedule: Schedule) -> str:
        """Print its times."""
        return times_text(schedule)

    @display(description="Due next")  # type: ignore[untyped-decorator]
    def due(self, schedule: Schedule) -> SafeString | str:
        """Say when it is due next."""
        return moment(schedule.next_due(now=timezone.now()) if schedule.pk else None)

    @display(description="Due last")  # type: ignore[untyped-decorator]
    def last_due(self, schedule: Schedule) -> SafeString | str:
        """Say which time was dealt with last."""
        return moment(schedule.last_due_at)

    @display(description="Came of it")  # type: ignore[untyped-decorator]
    def came_of_it(self, schedule: Schedule) -> SafeString | str:
        """Lead to the run of the last time, or say what went wrong."""
        if schedule.last_run is None:
            return schedule.outcome or "-"
        address = reverse("admin:lakehouse_admin_pipelinerun_change", args=[schedule.last_run_id])
        link = '<a class="text-primary-700 underline dark:text-primary-400" href="{}">{}</a>'
        return format_html(link, address, schedule.outcome)

    def save_model(self, request: HttpRequest, obj: Schedule, form: ScheduleForm, change: bool) -> None:  # noqa: FBT001
        """Save, and record what it was and became."""
        with transaction.atomic():
            before = _audited(Schedule.objects.get(pk=obj.pk)) if change else {}
            super().save_model(request, obj, form, change)
            self._audit(request, obj, "schedule_changed" if change else "schedule_added", before, _audited(obj))

    def delete_model(self, request: HttpRequest, obj: Schedule) -> None:
        """Delete, and record what it was."""
        with transaction.atomic():
            self._audit(request, obj, "schedule_deleted", _audited(obj), {})
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        """Delete several, each with its own entry."""
        for schedule in queryset:
            self.delete_model(request, schedule)

    def _audit(
        self, request: HttpRequest, obj: Schedule, action: str, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        user = request.user if request.user.is_authenticated else None
        record_audit(action, kind="schedule", subject=obj.name, at=timezone.now(), by=user, before=before, after=after)


def times_text(schedule: Schedule) -> str:
    """Print a schedule's times for a person: ``30 2 * * *, Europe/Berlin`` or ``every 1 h 0 min``."""
    match schedule.times:
        case Cron() as cron:
            return f"{cron.expression}, {cron.zone}"
        case Interval() as interval:
            return f"every {duration(interval.every.total_seconds())}"
        case _:
            return ""


def _audited(schedule: Schedule) -> dict[str, Any]:
    return {
        "kind": schedule.kind,
        "times": times_text(schedule),
        "tables": schedule.tables,
        "is_enabled": schedule.is_enabled,
    }
