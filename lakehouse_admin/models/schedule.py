"""When something starts by itself: at the times of a clock, or again and again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from lakehouse_admin.schedules.times import Cron, Interval, Times
from lakehouse_admin.states import ScheduleKind, values

if TYPE_CHECKING:
    from datetime import timedelta


class Schedule(models.Model):
    """What is started, and when it is due.

    The times are kept in django-celery-beat's tables of crontabs and intervals; which of
    them have been dealt with is kept here, and only here, so that no number of beats starts
    anything twice (`lakehouse_admin.actions.start_due`).
    """

    name = models.CharField(max_length=200, unique=True)
    pipeline = models.ForeignKey("lakehouse_admin.Pipeline", on_delete=models.PROTECT, related_name="schedules")
    kind = models.CharField(max_length=20, choices=ScheduleKind.choices, default=ScheduleKind.PIPELINE)
    tables = models.JSONField(default=list, blank=True, help_text="What a resync loads anew, as schema.name.")
    crontab = models.ForeignKey(CrontabSchedule, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    interval = models.ForeignKey(IntervalSchedule, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_enabled = models.BooleanField("enabled", default=True)

    begins_at = models.DateTimeField(help_text="Only later times count; an interval is counted from here.")
    last_due_at = models.DateTimeField(null=True, blank=True, help_text="Times up to here have been dealt with.")
    last_run = models.ForeignKey(
        "lakehouse_admin.PipelineRun", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    outcome = models.TextField(blank=True, help_text="What came of the last time that was due: one sentence.")

    class Meta:
        db_table = "lakehouse_schedules"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="lakehouse_schedules_kind", condition=models.Q(kind__in=values(ScheduleKind))),
            models.CheckConstraint(
                name="lakehouse_schedules_times",
                condition=models.Q(crontab__isnull=True) ^ models.Q(interval__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @property
    def times(self) -> Times:
        """When it is due."""
        if self.crontab is not None:
            row = self.crontab
            fields = (row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week)
            return Cron(expression=" ".join(fields), zone=str(row.timezone))
        assert self.interval is not None
        return Interval(every=self.interval.schedule.run_every, begins_at=self.begins_at)

    @property
    def dealt_with_until(self) -> datetime:
        """Times up to here start nothing any more."""
        return max(self.begins_at, self.last_due_at or self.begins_at)

    def next_due(self, *, now: datetime) -> datetime | None:
        """Return when it is due next; None if it is disabled."""
        return self.times.next_after(max(now, self.dealt_with_until)) if self.is_enabled else None

    def pace(self, *, now: datetime) -> timedelta:
        """Return how far apart its times are around now."""
        return self.times.pace(now)
