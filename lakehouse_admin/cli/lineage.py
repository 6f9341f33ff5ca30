"""Say what a column or table is computed from, and what is computed from it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.wiring import bronze

if TYPE_CHECKING:
    from etl.gold.lineage import Lineage, Origin


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("node", nargs="?", help="a table or column, such as gold.daily_revenue.revenue; all if omitted")
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--up", action="store_true", help="only what it is computed from")
    direction.add_argument("--down", action="store_true", help="only what is computed from it")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print the lineage of one node, or of every column.

    Raises:
        NodeUnknownError: There is no such table or column.
        TableMissingError: Nothing has been replicated yet.
        ModelError: A model file is wrong.
        StoreUnavailableError: Bronze did not answer.
    """
    from lakehouse_admin.status.lineage import current_lineage  # noqa: PLC0415 - the other verbs parse no SQL

    lineage = current_lineage(bronze())
    node = cast("str | None", options["node"])
    if node is None:
        _all(lineage, output)
        return SUCCESS
    document: dict[str, object] = {"node": node, **_origin(lineage.origin(node))}
    if not options["down"]:
        document["up"] = lineage.upstream(node)
    if not options["up"]:
        document["down"] = lineage.downstream(node)
        document["decides_rows_of"] = lineage.decides(node)
    if output.as_json:
        output.document(document)
    else:
        _print(document, output)
    return SUCCESS


def _all(lineage: Lineage, output: Output) -> None:
    """Print what every column is directly computed from."""
    origins = [
        (f"{name}.{column}", origin)
        for name, table in lineage.tables.items()
        for column, origin in table.columns.items()
    ]
    charts = [(name, table.reads) for name, table in lineage.tables.items() if table.reads.columns]
    if output.as_json:
        output.document({node: _origin(origin) for node, origin in (*origins, *charts)})
    else:
        for node, origin in (*origins, *charts):
            output.lines(f"{node} <- {_words(origin)}")


def _origin(origin: Origin) -> dict[str, object]:
    return {
        "columns": sorted(origin.columns),
        "counts_rows_of": sorted(origin.counted),
        "reason": origin.reason or None,
    }


def _words(origin: Origin) -> str:
    counted = [f"rows of {table}" for table in sorted(origin.counted)]
    return ", ".join([*sorted(origin.columns), *counted, *([origin.reason] if origin.reason else [])])


def _print(document: Mapping[str, object], output: Output) -> None:
    counted = cast("list[str]", document["counts_rows_of"])
    output.lines(str(document["node"]))
    if document["reason"]:
        output.lines(f"  It comes from no other column: {document['reason']}.")
    if counted:
        output.lines(f"  It counts rows of {', '.join(counted)}.")
    for part, title in (
        ("up", "Computed from, nearest first"),
        ("down", "Goes into, nearest first"),
        ("decides_rows_of", "Helps to decide which rows there are in"),
    ):
        if part in document:
            nodes = cast("tuple[str, ...]", document[part])
            output.lines("", title, *(f"  {node}" for node in nodes or ("nothing",)))
