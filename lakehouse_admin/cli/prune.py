"""Remove events and audit entries older than a number of days; needs the database's owner."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, cast

from django.db import connections
from django.utils import timezone

from etl.errors import OperatorError
from lakehouse_admin.actions.prune_history import prune_history
from lakehouse_admin.cli.verb import SUCCESS, Output

_FEWEST_DAYS = 7


class RetentionError(OperatorError):
    """History cannot be removed this way."""

    guidance: ClassVar[str] = "Set DATABASE_URL to the owner's, and keep at least a week."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--keep-days", type=int, default=365, help="keep what is younger (365)")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Remove in batches, and say how much.

    Raises:
        RetentionError: The owner's URL is not set, or the age is too small.
    """
    days = cast("int", options["keep_days"])
    if days < _FEWEST_DAYS:
        raise RetentionError(f"{days} days are fewer than the {_FEWEST_DAYS} that are always kept.")
    if "owner" not in connections:
        raise RetentionError("Only the database's owner may remove history, and DATABASE_URL is not set.")
    now = timezone.now()
    removed = prune_history(before=now - timedelta(days=days), now=now)
    if output.as_json:
        output.document(removed)
    else:
        for table, rows in removed.items():
            output.lines(f"{table}: {rows:,} rows removed.")
    return SUCCESS
