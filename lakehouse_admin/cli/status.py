"""Say how the pipeline, the replicator and the follower are doing; exit 1 if one is failing, late or stuck."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from etl.replicate.status import ReplicatorStatus, Standing
from lakehouse_admin.cli.runs import table_of_runs
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import Pipeline
from lakehouse_admin.states import Health
from lakehouse_admin.status.documents import overview_document
from lakehouse_admin.status.overview import overview
from lakehouse_admin.wiring import EmbeddedOnlyError, replication, replicator_status

_SHOWN_RUNS = 5
_BAD = {Standing.FAILED, Standing.SILENT, Standing.NOT_MOVING}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print health, publication, the replicator and the latest runs."""
    at = timezone.now()
    now = overview(Pipeline.objects.default(), now=at, replication=replication(now=at))
    replicator = _read_replicator()
    standing = replicator.standing(at) if replicator is not None else None
    if output.as_json:
        output.document({**overview_document(now), "replicator": _replicator_document(replicator, standing)})
    else:
        output.lines(f"{now.health.label}: {now.reason}")
        if now.publication is not None:
            age = f"{now.freshness_seconds:,.0f} s ago" if now.freshness_seconds is not None else ""
            output.lines(f"{now.publication}: data as of {now.publication.as_of:%Y-%m-%d %H:%M:%S} UTC, {age}.")
        for promise in now.promises:
            if promise.age_seconds is not None and not promise.is_kept:
                output.lines(
                    f"{promise.table} is {promise.age_seconds:,.0f} s old and promises {promise.promised_seconds:,} s."
                )
        if replicator is not None and standing is not None:
            _print_replicator(replicator, standing, output)
        if now.follower.standing is not Standing.ABSENT:
            output.lines(f"Follower: {now.follower.standing}. {now.follower.sentence} {now.follower.guidance}".rstrip())
            for model, why in now.follower.failed_models.items():
                output.lines(f"  {model}: {why}")
        if now.held_back is not None:
            output.lines(
                f"Held back since {now.held_back.since:%Y-%m-%d %H:%M:%S} UTC: {now.held_back.run}: {now.held_back.why}"
            )
        if now.runs:
            output.lines("")
            table_of_runs(now.runs[:_SHOWN_RUNS], output)
    is_bad = now.health in {Health.FAILING, Health.STUCK, Health.LATE} or standing in _BAD
    return FAILURE if is_bad else SUCCESS


def _read_replicator() -> ReplicatorStatus | None:
    try:
        return replicator_status().read()
    except EmbeddedOnlyError:
        return None


def _replicator_document(status: ReplicatorStatus | None, standing: Standing | None) -> object:
    return None if status is None else {**json.loads(status.to_json()), "standing": standing}


def _print_replicator(status: ReplicatorStatus, standing: Standing, output: Output) -> None:
    why = f" {status.error_message} {status.guidance}" if status.error_message and standing is not Standing.WELL else ""
    output.lines(f"Replicator: {standing}, {status.lag_bytes:,} bytes behind.{why}")
    for trouble in status.tables:
        output.lines(f"  {trouble.table}: {trouble.message} {trouble.guidance}")
