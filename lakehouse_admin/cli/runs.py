"""List the latest runs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import cast

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import RunState, Trigger
from lakehouse_admin.status.documents import run_document
from lakehouse_admin.status.overview import LATEST_RUNS


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--run", type=int, help="only this one")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print the runs, newest first."""
    found = PipelineRun.objects.prefetch_related("stage_runs", "table_results")
    runs = list(found.filter(pk=cast("int", options["run"])) if options["run"] else found[:LATEST_RUNS])
    if output.as_json:
        output.document([run_document(run) for run in runs])
    else:
        table_of_runs(runs, output)
    return SUCCESS


def table_of_runs(runs: Sequence[PipelineRun], output: Output) -> None:
    """Print runs, one a line."""
    rows = [
        (
            str(run.pk),
            RunState(run.state).label,
            Trigger(run.trigger).label,
            f"{run.requested_at:%Y-%m-%d %H:%M:%S}",
            "" if run.seconds is None else f"{run.seconds:.1f} s",
            run.error_message,
        )
        for run in runs
    ]
    output.table(("run", "state", "trigger", "asked for (UTC)", "took", "error"), rows, right=frozenset({0, 4}))
