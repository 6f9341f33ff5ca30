"""Celery tasks: shells that load, wire and call one action."""

from lakehouse_admin.tasks.advance_run import advance_run
from lakehouse_admin.tasks.tick import tick
from lakehouse_admin.tasks.watch import watch

__all__ = ["advance_run", "tick", "watch"]
