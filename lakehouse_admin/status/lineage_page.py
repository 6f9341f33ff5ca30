"""Everything the lineage page shows: the whole lake table by table, or one table or column with all it touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.gold.lineage import DASHBOARD_ZONE, Lineage
from lakehouse_admin.status.layered import NODE_HEIGHT, NODE_WIDTH, Drawing, PlacedEdge, PlacedNode, place

_LABEL_CHARS = 29
"""Characters that fit into a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, placed and labelled."""

    placed: PlacedNode
    zone: str
    label: str
    """The name without its zone, cut to fit."""
    is_asked: bool
    width: int = NODE_WIDTH
    height: int = NODE_HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A table or column, with what it is directly computed from and goes into."""

    node: str
    title: str
    inputs: tuple[str, ...]
    counted: tuple[str, ...]
    """Tables whose rows it counts."""
    reason: str
    """Why it comes from no other column, where it does not."""
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePage:
    """One look at the lineage."""

    asked: str | None
    """The node looked at; None for the whole lake."""
    title: str
    summary: str
    """What the picture shows, in a sentence."""
    drawing: Drawing
    nodes: tuple[Node, ...]
    edges: tuple[PlacedEdge, ...]
    lines: tuple[Line, ...]
    """The same in words: the tables of the lake, the columns of a table, or the column itself."""
    decides: tuple[str, ...]
    """Tables whose rows the column helps to decide."""


def lineage_page(lineage: Lineage, asked: str | None) -> LineagePage:
    """Look at the whole lake, or at one node of it.

    Raises:
        NodeUnknownError: There is no such node.
    """
    if asked is None:
        shown = {name: table.inputs for name, table in lineage.tables.items()}
        title, lines = "Lineage", tuple(_line(lineage, name) for name in lineage.tables)
    else:
        up, down = lineage.upstream(asked), lineage.downstream(asked)
        shown = _around(lineage, {asked, *up, *down}, is_table=asked in lineage.tables)
        title = f"Lineage of {asked}"
        columns = lineage.tables[asked].columns if asked in lineage.tables else ()
        lines = tuple(_line(lineage, f"{asked}.{each}") for each in columns) or (_line(lineage, asked),)
    drawing = place(shown, last=[name for name in shown if name.startswith(f"{DASHBOARD_ZONE}.")])
    return LineagePage(
        asked=asked,
        title=title,
        summary=_summary(asked, shown),
        drawing=drawing,
        nodes=tuple(_node(each, asked) for each in drawing.nodes),
        edges=drawing.edges,
        lines=lines,
        decides=lineage.decides(asked) if asked else (),
    )


def _around(lineage: Lineage, nodes: set[str], *, is_table: bool) -> dict[str, frozenset[str]]:
    """Return the part of the graph on these nodes; of a table, tables alone."""
    if is_table:
        return {name: lineage.tables[name].inputs & nodes for name in nodes if name in lineage.tables}
    return {name: lineage.inputs[name] & nodes for name in nodes}


def _line(lineage: Lineage, node: str) -> Line:
    table = lineage.tables.get(node)
    origin = lineage.origin(node)
    return Line(
        node=node,
        title=table.title if table else "",
        inputs=tuple(sorted(table.inputs if table else origin.columns)),
        counted=() if table else tuple(sorted(origin.counted)),
        reason="" if table else origin.reason,
        outputs=tuple(sorted(each for each in lineage.outputs[node] if not table or each in lineage.tables)),
    )


def _node(placed: PlacedNode, asked: str | None) -> Node:
    zone, _, label = placed.name.partition(".")
    cut = label if len(label) <= _LABEL_CHARS else f"{label[: _LABEL_CHARS - 1]}…"
    return Node(placed=placed, zone=zone, label=cut, is_asked=placed.name == asked)


def _summary(asked: str | None, shown: Mapping[str, object]) -> str:
    zones = {
        zone: sum(name.startswith(f"{zone}.") for name in shown) for zone in ("source", "silver", "gold", "dashboard")
    }
    words = {"source": "at the source", "silver": "in silver", "gold": "in gold", "dashboard": "on dashboards"}
    counted = ", ".join(f"{number} {words[zone]}" for zone, number in zones.items() if number)
    if asked is None:
        return f"From the source's tables on the left to charts on the right: {counted}."
    return f"What {asked} is computed from, to its left, and what it goes into, to its right: {counted}."
