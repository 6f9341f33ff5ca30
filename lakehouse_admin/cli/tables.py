"""List the tables and where each stands; exit 1 if one has failed or does not move."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.models import Pipeline
from lakehouse_admin.states import TablePhase
from lakehouse_admin.status.tables import table_document, table_lines
from lakehouse_admin.wiring import replication


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print a line a table."""
    now = timezone.now()
    lines = table_lines(Pipeline.objects.default(), replication(now=now), now=now)
    if output.as_json:
        output.document([table_document(line) for line in lines])
    else:
        rows = [
            (
                line.table.table,
                line.table.state_choice.label,
                f"{line.table.state_since:%Y-%m-%d %H:%M:%S}",
                line.trouble,
            )
            for line in lines
        ]
        output.table(("table", "state", "since (UTC)", "why"), rows)
    troubled = [
        line for line in lines if line.table.state == TablePhase.FAILED or (_follows(line.table) and line.trouble)
    ]
    return FAILURE if troubled else SUCCESS


def _follows(table: object) -> bool:
    return getattr(table, "state", "") == TablePhase.FOLLOWING
