"""Load tables anew, each alone, and publish; or begin anew with all of them, as after the slot was lost."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from django.utils import timezone

from etl.errors import OperatorError
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.status.documents import run_document
from lakehouse_admin.wiring import bronze, replicator_config


class ResyncWhatError(OperatorError):
    """Neither tables nor all of them were named, or both."""

    guidance: ClassVar[str] = "Name tables of LAKEHOUSE_SOURCE_TABLES, or --all."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="name or schema.name; may be repeated")
    parser.add_argument("--all", action="store_true", help="every table; with a new slot, if the old one is lost")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Ask for a run a table; or load all into bronze at once, and print what was loaded.

    Raises:
        ResyncWhatError: The tables are not named well.
        TableUnknownError: There is no such table.
        RunActiveError: A resync of it is on its way.
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        Whatever `etl.replicate.replicator.resync` raises.
    """
    names = cast("Sequence[str]", options["tables"])
    if bool(names) == bool(options["all"]):
        raise ResyncWhatError("Say which tables are to be loaded anew.")
    if options["all"]:
        return _load_all(output)
    runs = [resync_table(name, now=timezone.now()) for name in names]
    if output.as_json:
        output.document([run_document(run) for run in runs])
    for run in [] if output.as_json else runs:
        output.lines(f"{run} loads {', '.join(run.tables)} anew. Follow it: `manage.py lakehouse status`.")
    return SUCCESS


def _load_all(output: Output) -> int:
    from etl.quality.fingerprint import source_fingerprint_sql  # noqa: PLC0415 - the other verbs start quicker
    from etl.replicate.replicator import resync  # noqa: PLC0415

    load = resync(replicator_config(), bronze(), [], fingerprint_sql=source_fingerprint_sql).manifest
    counts = {str(table): sum(file.rows for file in load.files_of(table)) for table in load.tables}
    if output.as_json:
        output.document({"load_id": load.load_id, "begins_slot": load.begins_slot, "rows": counts})
        return SUCCESS
    output.table(("table", "rows"), [(table, f"{rows:,}") for table, rows in counts.items()], right=frozenset({1}))
    output.lines(
        f"Load {load.load_id} is in bronze; {'a new slot continues it' if load.begins_slot else 'changes go on'}."
    )
    return SUCCESS
