"""Start a run now."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import cast

from django.utils import timezone

from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.cli.run_events import follow_run, tell_events
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import Pipeline, PipelineRun
from lakehouse_admin.run_settings import RUN_SETTINGS, parsed_settings
from lakehouse_admin.states import RunState, Trigger
from lakehouse_admin.status.documents import run_document


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--wait", action="store_true", help="wait for the end; exit 0 only if it was published")
    add_settings(parser)


def add_settings(parser: ArgumentParser) -> None:
    """Declare the option that sets what the run's jobs get."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"for this run alone: {' or '.join(RUN_SETTINGS)}; may be repeated",
    )


def handle(options: Mapping[str, object], output: Output) -> int:
    """Trigger a run; with ``--wait`` follow it to its end.

    Raises:
        RunActiveError: A run is on its way already.
        RunSettingsError: A setting is not well written, unknown or out of range.
        NobodyWorksError: No worker took the run within a minute.
    """
    run = trigger_run(
        pipeline=Pipeline.objects.default(),
        trigger=Trigger.COMMAND,
        now=timezone.now(),
        settings=parsed_settings(cast("Sequence[str]", options["set"])),
    )
    if options["wait"]:
        follow_run(run, output)
    else:
        tell_events(run, output, after=0)
    if output.as_json:
        output.document(run_document(run))
    else:
        output.lines(*_answer(run))
    return SUCCESS if run.state == RunState.SUCCEEDED or not options["wait"] else FAILURE


def _answer(run: PipelineRun) -> list[str]:
    if run.state == RunState.SUCCEEDED:
        return [f"{run} succeeded in {run.seconds:.1f} s: {run.publication} is what readers see."]
    if run.error_message:
        return [f"{run} {RunState(run.state).label.lower()}: {run.error_message}", run.guidance]
    return [f"{run} is {RunState(run.state).label.lower()}. Follow it: `manage.py lakehouse status`."]
