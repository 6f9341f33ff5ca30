"""Runs a management command; a server that does not answer is one sentence, not a traceback."""

from __future__ import annotations

import sys

import psycopg
import redis
from django.core.management import execute_from_command_line
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerError


def run_command(arguments: list[str]) -> None:
    """Run ``manage.py`` with its arguments; exit with 1 if PostgreSQL or Valkey is not there."""
    try:
        execute_from_command_line(arguments)
    except OperationalError as error:
        if "--traceback" in arguments or not _could_not_connect(error):
            raise
        sys.exit(f"PostgreSQL does not answer: start the stack with `manage.py up`, or set DATABASE_URL.\n{error}")
    except (redis.ConnectionError, BrokerError) as error:
        if "--traceback" in arguments:
            raise
        sys.exit(f"Valkey does not answer: start the stack with `manage.py up`, or set REDIS_URL.\n{error}")


def _could_not_connect(error: OperationalError) -> bool:
    """Tell a failed connection (no SQLSTATE of a statement) from an error of a statement."""
    cause = error.__cause__
    return not isinstance(cause, psycopg.Error) or cause.sqlstate is None
