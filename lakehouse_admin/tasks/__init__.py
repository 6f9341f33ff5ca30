"""Celery tasks: shells that load, wire and call one action."""

from lakehouse_admin.tasks.advance_run import advance_run
from lakehouse_admin.tasks.tick import tick

__all__ = ["advance_run", "tick"]
