"""List the rows that silver refused, or try them once more; exit 0 only if none waits any more."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from django.conf import settings

from etl.contracts.table import TableId
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import bronze, lake_config


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", nargs="?", choices=("list", "replay"), default="list")
    parser.add_argument("--table", action="append", help="only this table; may be repeated")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print a line per table and reason, or what became of each table's rows.

    Raises:
        BackendIncompleteError: The lake is not in a folder.
        CatalogUnavailableError: The catalog did not answer.
        CommitConflictError: Changes reached a table meanwhile; repeat the command.
    """
    from etl.silver import quarantine, replay  # noqa: PLC0415 - the other verbs need no engine, and start quicker

    names = cast("Sequence[str] | None", options["table"]) or settings.LAKEHOUSE.source_tables
    tables = [TableId.parse(name) for name in names]
    rows: Sequence[Sequence[str]]
    found: Sequence[object]
    if options["action"] == "replay":
        replayed = replay.replay_tables(lake_config(), bronze(), tables)
        remaining = sum(each.remaining for each in replayed)
        rows = [
            (
                each.table,
                *(f"{n:,}" for n in (each.resolved, each.inserted, each.updated, each.deleted, each.remaining)),
            )
            for each in replayed
        ]
        header: Sequence[str] = ("table", "resolved", "inserted", "updated", "deleted", "still refused")
        found = [asdict(each) for each in replayed]
    else:
        waiting = quarantine.waiting_rows(lake_config(), tables)
        remaining = sum(each.rows for each in waiting)
        rows = [(each.table, each.reason, f"{each.rows:,}", each.first) for each in waiting]
        header = ("table", "reason", "rows", "first")
        found = [asdict(each) for each in waiting]
    if output.as_json:
        output.document({"refused_rows": remaining, "tables": found})
    elif rows:
        output.table(header, rows, right=frozenset({2}) if options["action"] == "list" else frozenset(range(1, 6)))
    else:
        output.lines("No row is in quarantine.")
    return FAILURE if remaining else SUCCESS
