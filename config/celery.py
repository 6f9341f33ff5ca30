"""The Celery application; `celery -A config.celery worker` starts here."""

from __future__ import annotations

from celery import Celery

from config.boot import boot

boot()

app = Celery("lakeside")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
