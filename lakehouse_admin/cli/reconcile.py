"""Compare silver with the source as it is now; exit 0 only if every table is equal."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from django.conf import settings

from etl.contracts.table import TableId
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import lake_config, source_url

if TYPE_CHECKING:
    from etl.quality.reconcile import TableComparison

_HASH_PREFIX = 12


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--table", action="append", help="only this table; may be repeated")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print a line per table, and the keys that differ.

    Raises:
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        SourceUnavailableError: The source did not answer.
        SourceNotReadyError: A named table is not at the source.
        CatalogUnavailableError: The catalog did not answer.
    """
    from etl.quality.reconcile import compare_live  # noqa: PLC0415 - the other verbs need no engine, and start quicker

    names = cast("Sequence[str] | None", options["table"]) or settings.LAKEHOUSE.source_tables
    compared = compare_live(source_url(), lake_config(), [TableId.parse(name) for name in names])
    equal = all(each.equal for each in compared)
    if output.as_json:
        output.document({"equal": equal, "tables": [asdict(each) for each in compared]})
    else:
        _print(compared, output)
    return SUCCESS if equal else FAILURE


def _print(compared: Sequence[TableComparison], output: Output) -> None:
    rows = [
        (
            each.table,
            f"{each.source_rows:,}",
            "-" if each.silver_rows is None else f"{each.silver_rows:,}",
            "equal" if each.equal else "DIFFERENT",
            each.source_hash[:_HASH_PREFIX],
            each.silver_hash[:_HASH_PREFIX],
        )
        for each in compared
    ]
    header = ("table", "source rows", "silver rows", "rows are", "source hash", "silver hash")
    output.table(header, rows, right=frozenset({1, 2}))
    for each in compared:
        if each.problem:
            output.lines(f"{each.table}: {each.problem}")
        for difference in each.differences:
            output.lines(f"{each.table}: {difference.kind} {difference.key}")
