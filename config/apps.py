"""Makes `config` an app, so that `manage.py` finds its commands."""

from __future__ import annotations

import importlib

from django.apps import AppConfig


class LakesideConfig(AppConfig):
    """The project itself: the commands that start and stop it."""

    name = "config"
    verbose_name = "Lakeside"

    def ready(self) -> None:
        """Make the Celery application current, so that web requests enqueue through it."""
        importlib.import_module("config.celery")
