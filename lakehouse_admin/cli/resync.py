"""Load one table anew, alone, and publish."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.status.documents import run_document


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("table", help="name, or schema.name")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Ask for the run.

    Raises:
        TableUnknownError: There is no such table.
        RunActiveError: A resync of it is on its way.
    """
    run = resync_table(str(options["table"]), now=timezone.now())
    if output.as_json:
        output.document(run_document(run))
    else:
        output.lines(f"{run} loads {', '.join(run.tables)} anew. Follow it: `manage.py lakehouse status`.")
    return SUCCESS
