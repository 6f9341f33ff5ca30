"""A schedule as a person writes it: times of a clock in a zone, or an interval."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from etl.contracts.table import TableId
from etl.errors import LakehouseError
from lakehouse_admin.actions.find_table import selected_tables
from lakehouse_admin.models import Pipeline, Schedule
from lakehouse_admin.schedules.starters import STARTERS
from lakehouse_admin.schedules.times import checked_cron
from lakehouse_admin.states import ScheduleKind

_PERIODS = [("seconds", "seconds"), ("minutes", "minutes"), ("hours", "hours"), ("days", "days")]
_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_LONGEST = 1000


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to the stubs alone
    """Makes, or finds, the rows of django-celery-beat that hold the times."""

    cron = forms.CharField(
        required=False,
        label="At these times",
        widget=UnfoldAdminTextInputWidget,
        help_text="Minute, hour, day of month, month, day of week: 30 2 * * * is every night at half past two.",
    )
    time_zone = forms.ChoiceField(
        required=False,
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        initial="UTC",
        widget=UnfoldAdminSelectWidget,
        help_text="Whose clock. Its change to summer and back is followed.",
    )
    every = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_LONGEST,
        label="Or every",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="So many of the period below, counted from when it is saved.",
    )
    period = forms.ChoiceField(required=False, choices=_PERIODS, initial="hours", widget=UnfoldAdminSelectWidget)
    resync = forms.CharField(
        required=False,
        label="Tables",
        widget=UnfoldAdminTextInputWidget,
        help_text="What a resync loads anew, separated by commas.",
    )

    class Meta:
        model = Schedule
        fields = ("name", "kind", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show the times that the row has; offer the kinds that something starts."""
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in ScheduleKind if kind in STARTERS]  # type: ignore[attr-defined]
        crontab, interval = self.instance.crontab, self.instance.interval
        self._before = (crontab, interval, self.instance.is_enabled)
        if crontab is not None:
            self.initial.update(
                {
                    "cron": " ".join(getattr(crontab, name) for name in _FIELDS),
                    "time_zone": str(crontab.timezone),
                }
            )
        if interval is not None:
            self.initial.update({"every": interval.every, "period": interval.period})
        self.initial["resync"] = ", ".join(self.instance.tables)

    def clean(self) -> dict[str, Any]:
        """Hold the parts against each other.

        Raises:
            ValidationError: They do not make one schedule; the sentence says why.
        """
        found: dict[str, Any] = super().clean() or {}
        cron, every = (found.get("cron") or "").strip(), found.get("every")
        if self.errors:
            return found
        if bool(cron) == bool(every):
            raise ValidationError("Give either times of a clock or an interval, and not both.")
        if cron:
            found["cron"] = self._checked(cron, found.get("time_zone") or "UTC")
        found["tables"] = self._tables(found)
        return found

    def save(self, commit: bool = True) -> Schedule:  # noqa: FBT001, FBT002 - Django's signature
        """Set the row's times; they count from now."""
        found, schedule = self.cleaned_data, self.instance
        schedule.crontab = schedule.interval = None
        if found.get("cron"):
            fields = dict(zip(_FIELDS, found["cron"].split(), strict=True))
            zone = found.get("time_zone") or "UTC"
            crontab = CrontabSchedule.objects.filter(timezone=zone, **fields).first()
            schedule.crontab = crontab or CrontabSchedule.objects.create(timezone=zone, **fields)
        else:
            times = {"every": found["every"], "period": found.get("period") or "hours"}
            schedule.interval = IntervalSchedule.objects.filter(**times).first() or IntervalSchedule.objects.create(
                **times
            )
        schedule.tables = found["tables"]
        if schedule.pk is None:
            schedule.pipeline = Pipeline.objects.default()
        if (schedule.crontab, schedule.interval, schedule.is_enabled) != self._before:
            schedule.begins_at = timezone.now()
        saved: Schedule = super().save(commit)
        return saved

    def _checked(self, cron: str, zone: str) -> str:
        try:
            return checked_cron(cron, zone, now=timezone.now()).expression
        except LakehouseError as error:
            raise ValidationError({"cron": f"{error} {error.guidance}"}) from error

    def _tables(self, found: dict[str, Any]) -> list[str]:
        names = [name.strip() for name in (found.get("resync") or "").split(",") if name.strip()]
        if found["kind"] != ScheduleKind.RESYNC:
            if names:
                raise ValidationError({"resync": "Only a resync has tables of its own; leave this empty."})
            return []
        if not names:
            raise ValidationError({"resync": "Say which tables are to be loaded anew."})
        known = {str(table) for table in selected_tables(Pipeline.objects.default())}
        wanted = sorted({str(TableId.parse(name)) for name in names})
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValidationError(
                {"resync": f"{', '.join(unknown)} is not selected; there are {', '.join(sorted(known))}."}
            )
        return wanted
