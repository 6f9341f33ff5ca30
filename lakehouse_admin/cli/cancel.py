"""Stop a run before it publishes."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import cast

from django.utils import timezone

from lakehouse_admin.actions.cancel_run import cancel_run
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.status.documents import run_document


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=int, help="number of the run")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Ask for the run's end.

    Raises:
        RunMissingError: There is no such run.
        TransitionRefusedError: It has ended already.
    """
    run = cancel_run(run_id=cast("int", options["run"]), now=timezone.now())
    if output.as_json:
        output.document(run_document(run))
    else:
        output.lines(f"{run} is being cancelled.")
    return SUCCESS
