"""The task that beat sends every few seconds."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from lakehouse_admin.actions.end_orphans import end_orphans
from lakehouse_admin.actions.keep_going import resume_overdue_runs
from lakehouse_admin.actions.start_due import start_due
from lakehouse_admin.wiring import lakehouse


@shared_task(name="lakehouse_admin.tick", acks_late=True, ignore_result=True)
def tick(**_newer: object) -> None:
    """Pick up runs whose message or worker was lost; start what schedules ask for; end jobs that no run wants."""
    now = timezone.now()
    resume_overdue_runs(now=now)
    start_due(now=now)
    end_orphans(jobs=lakehouse().jobs, now=now)
