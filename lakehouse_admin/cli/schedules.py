"""List what starts by itself, and when it is due."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping

from django.utils import timezone

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.models import Schedule
from lakehouse_admin.schedules.times import Cron, Interval


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def handle(options: Mapping[str, object], output: Output) -> int:  # noqa: ARG001 - every verb's signature
    """Print the schedules; they are made and changed in the console."""
    now = timezone.now()
    documents = []
    for each in Schedule.objects.select_related("crontab", "interval"):
        due = each.next_due(now=now)
        documents.append(
            {
                "name": each.name,
                "kind": each.kind,
                "tables": each.tables,
                **_times(each),
                "enabled": each.is_enabled,
                "next_due_at": due and due.isoformat(),
                "last_due_at": each.last_due_at and each.last_due_at.isoformat(),
                "last_run": each.last_run_id,
                "outcome": each.outcome,
            }
        )
    if output.as_json:
        output.document(documents)
    elif not documents:
        output.lines("Nothing starts by itself; schedules are made in the console.")
    else:
        header = ("name", "kind", "when", "due next (UTC)", "came of the last time")
        rows = [
            (
                str(each["name"]),
                str(each["kind"]),
                _when(each),
                str(each["next_due_at"] or "disabled"),
                str(each["outcome"]),
            )
            for each in documents
        ]
        output.table(header, rows)
    return SUCCESS


def _times(schedule: Schedule) -> dict[str, object]:
    match schedule.times:
        case Cron() as cron:
            return {"cron": cron.expression, "time_zone": cron.zone}
        case Interval() as interval:
            return {"every_seconds": interval.every.total_seconds()}
        case _:
            return {}


def _when(document: Mapping[str, object]) -> str:
    return (
        f"{document['cron']} {document['time_zone']}"
        if "cron" in document
        else f"every {document['every_seconds']:g} s"
    )
