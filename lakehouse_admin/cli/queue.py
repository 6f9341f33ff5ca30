"""List the runs that have not ended, in the order in which they go."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.states import Trigger
from lakehouse_admin.status.queue import queue, queue_document


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print a line a run."""
    found = queue(now=timezone.now())
    if output.as_json:
        output.document(queue_document(found))
        return SUCCESS
    output.lines(f"The lake is written by {found.holder or 'nobody'}.")
    if found.runs:
        rows = [
            (
                str(run.pk),
                run.state_choice.label,
                Trigger(run.trigger).label,
                str(run.priority),
                ", ".join(run.tables) or "all",
                f"{run.requested_at:%Y-%m-%d %H:%M:%S}",
            )
            for run in found.runs
        ]
        output.table(
            ("run", "state", "trigger", "priority", "tables", "asked for (UTC)"), rows, right=frozenset({0, 3})
        )
    return SUCCESS
