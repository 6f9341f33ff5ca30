"""Stop applying one table's changes; the others go on."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.actions.change_table import pause_table
from lakehouse_admin.cli.verb import SUCCESS, Output


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("table", help="name, or schema.name")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Change the table's state.

    Raises:
        TableUnknownError: There is no such table.
        TransitionRefusedError: Its state does not allow that.
    """
    state = pause_table(str(options["table"]), now=timezone.now())
    if output.as_json:
        output.document({"table": state.table, "state": state.state})
    else:
        output.lines(f"{state.table} is paused: bronze goes on, and `resume` catches up.")
    return SUCCESS
