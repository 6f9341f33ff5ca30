"""Celery tasks: shells that load, wire and call one action."""
