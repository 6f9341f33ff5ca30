"""Compare source, bronze and silver at one position, while all go on; exit 0 only if every table is equal."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.utils import timezone

from etl.contracts.table import TableId
from lakehouse_admin.actions.repair_tables import TableRepair, repair_tables
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import bronze, lake_config, replicator_status, source_url

if TYPE_CHECKING:
    from etl.quality.live import LiveComparison, LiveReport

_HASH_PREFIX = 12
_LAYERS = ("source", "bronze", "silver")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--table", action="append", help="only this table; may be repeated")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="put silver's wrong rows right, resync where bronze is wrong; compare again",
    )


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print a line per table, and the keys that differ; with ``--repair`` do something about them first.

    Raises:
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
        EmbeddedOnlyError: The lake is not in a folder.
        LakeBusyError: A run writes the lake.
        Whatever `etl.quality.live.compare_live` raises.
    """
    report = _compare(options)
    done: tuple[TableRepair, ...] = ()
    if options["repair"] and not report.equal:
        _tell(report, output)
        done = _repair(report)
        for each in done:
            output.tell(_sentence(each))
        report = _compare(options)
    if output.as_json:
        output.document(_document(report, done))
    else:
        _print(report, output)
    return SUCCESS if report.equal else FAILURE


def _compare(options: Mapping[str, object]) -> LiveReport:
    from etl.quality.live import compare_live  # noqa: PLC0415 - the other verbs need no engine, and start quicker

    names = cast("Sequence[str] | None", options["table"]) or settings.LAKEHOUSE.source_tables
    tables = [TableId.parse(name) for name in names]
    return compare_live(source_url(), lake_config(), bronze(), tables, read_status=replicator_status().read)


def _repair(report: LiveReport) -> tuple[TableRepair, ...]:
    from etl.follow.slot import followed_slot  # noqa: PLC0415 - as above
    from etl.silver.repair import repair_table  # noqa: PLC0415

    store = bronze()
    one = partial(repair_table, lake_config(), store, slot=followed_slot(store) or "")
    return repair_tables(report.tables, repair=one, clock=timezone.now)


def _print(report: LiveReport, output: Output) -> None:
    rows = [
        (
            each.table,
            f"{each.source_rows:,}",
            _count(each.bronze.rows),
            _count(each.silver.rows),
            "equal" if each.equal else f"DIFFERENT from {each.first_different} on",
            each.source_hash[:_HASH_PREFIX],
            each.bronze.hash[:_HASH_PREFIX],
            each.silver.hash[:_HASH_PREFIX],
        )
        for each in report.tables
    ]
    header = (
        "table",
        "source rows",
        "bronze rows",
        "silver rows",
        "rows are",
        "source hash",
        "bronze hash",
        "silver hash",
    )
    output.table(header, rows, right=frozenset({1, 2, 3}))
    for line in _findings(report.tables):
        output.lines(line)
    output.lines(f"Compared as of {report.position} in the source's log, in {report.seconds:.1f} s.")


def _tell(report: LiveReport, output: Output) -> None:
    """Tell what was found before it is repaired."""
    for line in _findings(report.tables):
        output.tell(line)


def _findings(tables: Sequence[LiveComparison]) -> list[str]:
    lines = []
    for table in tables:
        for layer in (table.bronze, table.silver):
            if layer.problem:
                lines.append(f"{table.table}: {layer.problem}. {layer.guidance}".rstrip())
            lines += [f"{table.table}: {each.kind} in {layer.layer}: {each.key}" for each in layer.differences]
    return lines


def _sentence(done: TableRepair) -> str:
    if done.error is not None:
        return f"{done.table} was not repaired: {done.error} {done.error.guidance}"
    if done.resync is not None:
        return f"{done.table} differs in bronze already: {done.resync} loads it anew. Compare again after it."
    assert done.repaired is not None
    return (
        f"{done.table}: the rows of {done.repaired.keys:,} keys were put right in silver "
        f"({done.repaired.removed:,} removed, {done.repaired.added:,} added); gold follows with the next cycle or run."
    )


def _document(report: LiveReport, done: Sequence[TableRepair]) -> dict[str, object]:
    tables = [{**asdict(each), "equal": each.equal, "first_different": each.first_different} for each in report.tables]
    repairs = [
        {
            "table": each.table,
            "repaired": asdict(each.repaired) if each.repaired else None,
            "resync_run": each.resync.pk if each.resync else None,
            "error": str(each.error) if each.error else None,
        }
        for each in done
    ]
    return {"equal": report.equal, "position": report.position, "tables": tables, "repairs": repairs}


def _count(rows: int | None) -> str:
    return "-" if rows is None else f"{rows:,}"
