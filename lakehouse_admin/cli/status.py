"""Say how the pipeline is doing; exit 1 if it is failing or late."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.cli.runs import table_of_runs
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import Pipeline
from lakehouse_admin.states import Health
from lakehouse_admin.status.documents import overview_document
from lakehouse_admin.status.overview import overview
from lakehouse_admin.wiring import replication

_SHOWN_RUNS = 5


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print health, publication and the latest runs."""
    at = timezone.now()
    now = overview(Pipeline.objects.default(), now=at, replication=replication(now=at))
    if output.as_json:
        output.document(overview_document(now))
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
        if now.runs:
            output.lines("")
            table_of_runs(now.runs[:_SHOWN_RUNS], output)
    return FAILURE if now.health in {Health.FAILING, Health.STUCK, Health.LATE} else SUCCESS
