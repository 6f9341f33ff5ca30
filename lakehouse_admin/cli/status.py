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

_SHOWN_RUNS = 5


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print health, publication and the latest runs."""
    now = overview(Pipeline.objects.default(), now=timezone.now())
    if output.as_json:
        output.document(overview_document(now))
    else:
        output.lines(f"{now.health.label}: {now.reason}")
        if now.publication is not None:
            age = f"{now.freshness_seconds:,.0f} s ago" if now.freshness_seconds is not None else ""
            output.lines(f"{now.publication}: data as of {now.publication.as_of:%Y-%m-%d %H:%M:%S} UTC, {age}.")
        if now.runs:
            output.lines("")
            table_of_runs(now.runs[:_SHOWN_RUNS], output)
    return FAILURE if now.health in {Health.FAILING, Health.LATE} else SUCCESS
