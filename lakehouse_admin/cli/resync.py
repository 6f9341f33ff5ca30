"""Take a new full load of some tables, or of all while the stream goes on; begins anew where the slot is lost."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from etl.contracts.table import TableId
from etl.errors import OperatorError
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.wiring import bronze, replicator_config


class ResyncWhatError(OperatorError):
    """Neither tables nor all of them were named, or both, or one that is not replicated."""

    guidance: ClassVar[str] = "Name tables of LAKEHOUSE_SOURCE_TABLES, or --all."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="name or schema.name; may be repeated")
    parser.add_argument("--all", action="store_true", help="every table; with a new slot, if the old one is lost")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Load, and print what was loaded.

    Raises:
        ResyncWhatError: The tables are not named well.
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        Whatever `etl.replicate.replicator.resync` raises.
    """
    from etl.quality.fingerprint import source_fingerprint_sql  # noqa: PLC0415 - the other verbs start quicker
    from etl.replicate.replicator import resync  # noqa: PLC0415

    config = replicator_config()
    tables = [TableId.parse(name) for name in cast("Sequence[str]", options["tables"])]
    if bool(tables) == bool(options["all"]):
        raise ResyncWhatError("Say which tables are to be loaded anew.")
    for table in tables:
        if table not in config.tables:
            raise ResyncWhatError(f"{table} is not among the replicated tables.")
    load = resync(config, bronze(), tables, fingerprint_sql=source_fingerprint_sql).manifest
    counts = {str(table): sum(file.rows for file in load.files_of(table)) for table in load.tables}
    if output.as_json:
        output.document({"load_id": load.load_id, "begins_slot": load.begins_slot, "rows": counts})
        return SUCCESS
    output.table(("table", "rows"), [(table, f"{rows:,}") for table, rows in counts.items()], right=frozenset({1}))
    output.lines(
        f"Load {load.load_id} is in bronze; {'a new slot continues it' if load.begins_slot else 'changes go on'}."
    )
    return SUCCESS
