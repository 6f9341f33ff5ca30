"""Show the recorded data contracts and what changed between them; exit 1 if the source's shape is another now."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import pairwise
from typing import ClassVar, cast

from django.conf import settings

from etl.contracts.diff import ContractChange, contract_changes
from etl.contracts.history import ContractHistory, contract_histories
from etl.contracts.source import open_source, read_contracts
from etl.contracts.table import TableContract, TableId
from etl.errors import OperatorError
from lakehouse_admin.cli.verb import FAILURE, SUCCESS, Output
from lakehouse_admin.wiring import bronze, source_url

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


class ContractMissingError(OperatorError):
    """Bronze holds no contract of the table."""

    guidance: ClassVar[str] = (
        "Load it first: `manage.py lakehouse run`. The tables are those of LAKEHOUSE_SOURCE_TABLES."
    )


class VersionsUnknownError(OperatorError):
    """The versions to compare are not recorded."""

    guidance: ClassVar[str] = "Write two recorded versions, such as `--diff 1..2`, or `--diff` alone for the source."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("table", nargs="?", help="only this table, in full")
    parser.add_argument(
        "--diff",
        nargs="?",
        const="",
        metavar="A..B",
        help="only what changed: from version A to B, or from the newest recorded version to the source now",
    )


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print contracts; exit 1 if a newest version is not the source's shape, or A and B differ.

    Raises:
        ContractMissingError: A named table has no recorded contract.
        VersionsUnknownError: ``--diff`` names versions that are not recorded, or no table.
        SettingMissingError: A connection URL is not set.
        SourceUnavailableError: The source did not answer.
        SourceNotReadyError: A table is not at the source.
        StoreUnavailableError: Bronze did not answer.
    """
    name, diff = cast("str | None", options["table"]), cast("str | None", options["diff"])
    tables = [TableId.parse(each) for each in ([name] if name else settings.LAKEHOUSE.source_tables)]
    histories = contract_histories(bronze(), tables)
    missing = [str(each.table) for each in histories if not each.versions]
    if missing:
        raise ContractMissingError(f"Bronze holds no contract of {', '.join(missing)}.")
    if diff:
        return _compare_versions(histories, diff, output)
    with closing(open_source(source_url())) as connection:
        now = read_contracts(connection, tables)
    changes = [contract_changes(each.versions[-1], live) for each, live in zip(histories, now, strict=True)]
    if output.as_json:
        documents = [_document(*each) for each in zip(histories, changes, strict=True)]
        output.document({"equal": not any(changes), "tables": documents})
    elif diff is not None:
        for each, changed in zip(histories, changes, strict=True):
            _print_difference(each, changed, output)
    elif name:
        _print_history(histories[0], changes[0], output)
    else:
        _print_list(histories, changes, output)
    return FAILURE if any(changes) else SUCCESS


def _compare_versions(histories: Sequence[ContractHistory], diff: str, output: Output) -> int:
    """Print what changed from one recorded version to another; exit 1 if anything did."""
    asked = _RANGE.fullmatch(diff)
    if asked is None or len(histories) != 1:
        raise VersionsUnknownError(f"{diff!r} is not two versions of one table.")
    (history,) = histories
    known = {each.version: each for each in history.versions}
    first, last = int(asked[1]), int(asked[2])
    unknown = [number for number in (first, last) if number not in known]
    if unknown:
        recorded = ", ".join(map(str, known))
        raise VersionsUnknownError(f"{history.table} has no version {unknown[0]}; recorded are {recorded}.")
    changes = contract_changes(known[first], known[last])
    if output.as_json:
        document = {"table": str(history.table), "from": first, "to": last, "changes": _plain(changes)}
        output.document({"equal": not changes, **document})
    else:
        for line in _sentences(changes) or ["Nothing changed."]:
            output.lines(line)
    return FAILURE if changes else SUCCESS


def _print_list(
    histories: Sequence[ContractHistory], changes: Sequence[Sequence[ContractChange]], output: Output
) -> None:
    rows = [
        (
            str(each.table),
            str(each.versions[-1].version),
            str(len(each.versions[-1].columns)),
            ", ".join(each.versions[-1].key),
            "DIFFERENT" if changed else "equal",
        )
        for each, changed in zip(histories, changes, strict=True)
    ]
    output.table(("table", "version", "columns", "key", "the source is"), rows, right=frozenset({1, 2}))
    for each, changed in zip(histories, changes, strict=True):
        for sentence in _sentences(changed):
            output.lines(f"{each.table}: {sentence}")


def _print_history(history: ContractHistory, changes: Sequence[ContractChange], output: Output) -> None:
    newest = history.versions[-1]
    output.lines(f"{history.table}, version {newest.version}, key ({', '.join(newest.key)})", "")
    output.table(("column", "at the source", "in the lake", "may be empty"), _columns(newest))
    output.lines("", "Versions")
    output.lines(f"  {history.versions[0].version}: first recorded.")
    for before, after in pairwise(history.versions):
        for sentence in _sentences(contract_changes(before, after)):
            output.lines(f"  {after.version}: {sentence}")
    if history.load_id:
        output.lines("", f"Bronze files of load {history.load_id}")
        for file in history.files:
            output.lines(f"  {file.key}: {file.rows:,} rows, version {file.contract_version}")
    output.lines("")
    _print_difference(history, changes, output)


def _print_difference(history: ContractHistory, changes: Sequence[ContractChange], output: Output) -> None:
    newest = history.versions[-1].version
    if not changes:
        output.lines(f"{history.table}: the source still has the shape of version {newest}.")
        return
    output.lines(f"{history.table}: the source differs from version {newest}; the next load records a new one.")
    output.lines(*(f"  {sentence}" for sentence in _sentences(changes)))


def _columns(contract: TableContract) -> list[tuple[str, str, str, str]]:
    return [
        (column.name, column.source_type, column.type, "yes" if column.nullable else "no")
        for column in contract.columns
    ]


def _sentences(changes: Sequence[ContractChange]) -> list[str]:
    return [change.sentence for change in changes]


def _document(history: ContractHistory, changes: Sequence[ContractChange]) -> dict[str, object]:
    return {
        "table": str(history.table),
        "versions": [asdict(each) for each in history.versions],
        "changes": [
            {"version": after.version, "changes": _plain(contract_changes(before, after))}
            for before, after in pairwise(history.versions)
        ],
        "load": history.load_id,
        "files": [
            {"key": file.key, "rows": file.rows, "contract_version": file.contract_version} for file in history.files
        ],
        "source_changes": _plain(changes),
    }


def _plain(changes: Sequence[ContractChange]) -> list[dict[str, object]]:
    return [asdict(change) for change in changes]
