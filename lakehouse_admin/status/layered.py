"""Places a small directed graph in layers from left to right, for drawing; knows nothing of what it draws.

A node stands one layer right of the furthest of its inputs. Within a layer, nodes are ordered by
where their neighbours stand (the barycentre heuristic of Sugiyama, Tagawa and Toda, 1981), in sweeps
to and fro. An edge that crosses layers passes through places of its own there, so that it does not
run behind nodes. Equal graphs are placed equally.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

NODE_WIDTH, NODE_HEIGHT = 236, 34
_LAYER_GAP, _ROW_GAP = 64, 12
_PASSING_HEIGHT = 10
_MARGIN = 12
_SWEEPS = 12

_Place = tuple[str, str, int] | str
"""A node, or the passage of an edge through a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedNode:
    """A node's rectangle; pixels from the top left."""

    name: str
    x: int
    y: int
    layer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEdge:
    """An edge as an SVG path from the right side of one node to the left side of another."""

    start: str
    end: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything placed, and the size of the whole; pixels."""

    width: int
    height: int
    nodes: tuple[PlacedNode, ...]
    """Left to right, top to bottom: the order in which a keyboard visits them."""
    edges: tuple[PlacedEdge, ...]


def place(inputs: Mapping[str, Iterable[str]], *, last: Iterable[str] = ()) -> Drawing:
    """Place a graph without circles.

    Args:
        inputs: Every node with those that point to it; each of these is itself a node.
        last: Nodes that stand in the rightmost layer, however near their inputs are.

    Raises:
        graphlib.CycleError: The graph has a circle.
    """
    edges = {name: sorted(set(before)) for name, before in inputs.items()}
    layer_of = _layers(edges, set(last))
    rows = _rows(edges, layer_of)
    _untangle(rows, edges, layer_of)
    return _draw(rows, edges, layer_of)


def _layers(edges: Mapping[str, Sequence[str]], last: set[str]) -> dict[str, int]:
    layer_of: dict[str, int] = {}
    for name in TopologicalSorter(edges).static_order():
        layer_of[name] = max((layer_of[each] + 1 for each in edges[name]), default=0)
    rightmost = max(layer_of.values(), default=0)
    if any(layer == rightmost and name not in last for name, layer in layer_of.items()) and last & layer_of.keys():
        rightmost += 1
    return layer_of | dict.fromkeys(last & layer_of.keys(), rightmost)


def _rows(edges: Mapping[str, Sequence[str]], layer_of: Mapping[str, int]) -> list[list[_Place]]:
    """Return each layer's places, in a first order: by name, passages last."""
    rows: list[list[_Place]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name in sorted(edges):
        rows[layer_of[name]].append(name)
    for end in sorted(edges):
        for start in edges[end]:
            for layer in range(layer_of[start] + 1, layer_of[end]):
                rows[layer].append((start, end, layer))
    return rows


def _chain(start: str, end: str, layer_of: Mapping[str, int]) -> list[_Place]:
    """Return the places an edge goes through, its ends included."""
    return [start, *((start, end, layer) for layer in range(layer_of[start] + 1, layer_of[end])), end]


def _untangle(rows: list[list[_Place]], edges: Mapping[str, Sequence[str]], layer_of: Mapping[str, int]) -> None:
    """Order every layer by the mean place of its neighbours to the left, then to the right, and again."""
    left: dict[_Place, list[_Place]] = {}
    right: dict[_Place, list[_Place]] = {}
    for end, starts in edges.items():
        for start in starts:
            chain = _chain(start, end, layer_of)
            for one, other in pairwise(chain):
                right.setdefault(one, []).append(other)
                left.setdefault(other, []).append(one)
    for sweep in range(_SWEEPS):
        forwards = sweep % 2 == 0
        for row in rows if forwards else reversed(rows):
            row[:] = _by_neighbours(row, left if forwards else right, _positions(rows))


def _by_neighbours(
    row: Sequence[_Place], neighbours: Mapping[_Place, Sequence[_Place]], positions: Mapping[_Place, float]
) -> list[_Place]:
    """Return a layer in the order of its neighbours' mean positions; one without keeps its own."""

    def mean(place: _Place) -> float:
        near = neighbours.get(place, (place,))
        return sum(positions[each] for each in near) / len(near)

    return sorted(row, key=mean)


def _positions(rows: Sequence[Sequence[_Place]]) -> dict[_Place, float]:
    """Return the middle of every place, in pixels from the middle of its layer."""
    positions: dict[_Place, float] = {}
    for row in rows:
        at = -(sum(_height(place) + _ROW_GAP for place in row) - _ROW_GAP) / 2
        for place in row:
            positions[place] = at + _height(place) / 2
            at += _height(place) + _ROW_GAP
    return positions


def _height(place: _Place) -> int:
    return NODE_HEIGHT if isinstance(place, str) else _PASSING_HEIGHT


def _draw(rows: Sequence[Sequence[_Place]], edges: Mapping[str, Sequence[str]], layer_of: Mapping[str, int]) -> Drawing:
    positions = _positions(rows)
    tall = max((sum(_height(place) + _ROW_GAP for place in row) for row in rows), default=0)
    middle = _MARGIN + (tall - _ROW_GAP) / 2

    def x_of(layer: int) -> int:
        return _MARGIN + layer * (NODE_WIDTH + _LAYER_GAP)

    def y_of(place: _Place) -> int:
        return round(middle + positions[place])

    nodes = [
        PlacedNode(name=place, x=x_of(layer), y=y_of(place) - NODE_HEIGHT // 2, layer=layer)
        for layer, row in enumerate(rows)
        for place in row
        if isinstance(place, str)
    ]
    drawn = []
    for end in sorted(edges):
        for start in edges[end]:
            chain = _chain(start, end, layer_of)
            stops = [(x_of(layer_of[start]) + NODE_WIDTH, y_of(start))]
            for offset, passage in enumerate(chain[1:-1], start=1):
                x = x_of(layer_of[start] + offset)
                stops += [(x, y_of(passage)), (x + NODE_WIDTH, y_of(passage))]
            stops.append((x_of(layer_of[end]), y_of(end)))
            drawn.append(PlacedEdge(start=start, end=end, path=_path(stops)))
    return Drawing(
        width=2 * _MARGIN + len(rows) * NODE_WIDTH + max(len(rows) - 1, 0) * _LAYER_GAP,
        height=2 * _MARGIN + max(tall - _ROW_GAP, 0),
        nodes=tuple(nodes),
        edges=tuple(drawn),
    )


def _path(stops: Sequence[tuple[int, int]]) -> str:
    """Return a path that leaves and reaches every stop level, straight where two stops are level."""
    (x, y), *others = stops
    parts = [f"M{x} {y}"]
    for to_x, to_y in others:
        half = (x + to_x) // 2
        parts.append(f"H{to_x}" if y == to_y else f"C{half} {y} {half} {to_y} {to_x} {to_y}")
        x, y = to_x, to_y
    return "".join(parts)
