"""Take a failed or waiting run up again."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import cast

from django.utils import timezone

from lakehouse_admin.actions.retry_run import retry_run
from lakehouse_admin.cli.run import add_settings
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.run_settings import parsed_settings
from lakehouse_admin.status.documents import run_document


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=int, help="number of the run")
    add_settings(parser)


def handle(options: Mapping[str, object], output: Output) -> int:
    """Queue the run again.

    Raises:
        RunMissingError: There is no such run.
        RunSettingsError: A setting is not well written, unknown or out of range.
        RunOutdatedError: A newer run exists.
        TransitionRefusedError: It neither failed nor waits.
    """
    texts = cast("Sequence[str]", options["set"])
    run = retry_run(
        run_id=cast("int", options["run"]), now=timezone.now(), settings=parsed_settings(texts) if texts else None
    )
    if output.as_json:
        output.document(run_document(run))
    else:
        output.lines(f"{run} is queued again.")
    return SUCCESS
