"""Keep the lake small: compact, forget old snapshots, remove what nothing reaches, prune bronze."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from lakehouse_admin.actions.request_maintenance import request_maintenance
from lakehouse_admin.actions.retire_publications import kept_pins, publications_to_retire
from lakehouse_admin.cli.run_events import follow_run, tell_events
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.retention import retention
from lakehouse_admin.stages.maintain import maintain_arguments, maintained_sentence
from lakehouse_admin.states import RunState, Stage
from lakehouse_admin.status.documents import run_document
from lakehouse_admin.wiring import lake_config


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--dry-run", action="store_true", help="change nothing; say what would be done")
    parser.add_argument("--wait", action="store_true", help="wait for the end; exit 0 only if it succeeded")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Request a maintenance, or look at what one would do.

    Raises:
        MaintainedByAwsError: The lake is not in a folder.
        EmbeddedOnlyError: The same, asked with ``--dry-run``.
        RunActiveError: A maintenance has been asked for and has not ended.
        NobodyWorksError: No worker took the run within a minute.
    """
    if options["dry_run"]:
        return _look(output)
    run = request_maintenance(timezone.now())
    if options["wait"]:
        follow_run(run, output)
    else:
        tell_events(run, output, after=0)
    if output.as_json:
        output.document({**run_document(run), "result": _result(run)})
    elif run.error_message:
        output.lines(f"{run} {RunState(run.state).label.lower()}: {run.error_message}", run.guidance)
    elif run.state == RunState.SUCCEEDED:
        output.lines(f"{run} succeeded in {run.seconds:.1f} s.")
    else:
        output.lines(f"{run} is {RunState(run.state).label.lower()}. Follow it: `manage.py lakehouse queue`.")
    return SUCCESS if run.state == RunState.SUCCEEDED or not options["wait"] else FAILURE


def _look(output: Output) -> int:
    from etl.jobs import maintain  # noqa: PLC0415 - only this asks for engines
    from etl.jobs.progress import Progress  # noqa: PLC0415

    now = timezone.now()
    retired = publications_to_retire(retention(), now=now)
    arguments: dict[str, Any] = maintain_arguments(pins=[])
    job = maintain.Maintain(
        lake=lake_config(), **{**arguments, "pins": kept_pins(without=retired)}, dry_run=True, now=now.isoformat()
    )
    result = asdict(maintain.run(job, Progress()))
    if output.as_json:
        output.document({"publications_retired": sorted(retired), **result})
        return SUCCESS
    output.table(
        ("table", "files to remove", "bytes", "snapshots", "partitions", "files that stay"),
        [
            (
                each["table"],
                f"{each['removed_files']:,}",
                f"{each['removed_bytes']:,}",
                f"{each['forgotten_snapshots']:,}",
                f"{each['compacted_partitions']:,}",
                f"{each['kept_files']:,}",
            )
            for each in result["tables"]
        ],
        right=frozenset(range(1, 6)),
    )
    bronze = result["bronze"]
    output.lines(
        f"bronze: {bronze['loads']:,} loads, {bronze['flushes']:,} flushes and {bronze['orphans']:,} unfinished files.",
        f"{len(retired):,} publications would be retired. {maintained_sentence(result)}",
    )
    return SUCCESS


def _result(run: PipelineRun) -> object:
    attempt = run.stage_runs.filter(stage=Stage.MAINTAIN).order_by("-attempt").first()
    return attempt.result if attempt else None
