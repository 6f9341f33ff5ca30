"""A drawing says the graph: inputs to the left, nothing over another, equal graphs alike."""

from __future__ import annotations

from graphlib import CycleError
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_admin.status.layered import NODE_HEIGHT, NODE_WIDTH, place


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{number}" for number in range(draw(st.integers(0, 14)))]
    before = st.lists(st.integers(0, 13), max_size=3)
    return {name: [names[each] for each in draw(before) if each < index] for index, name in enumerate(names)}


@given(graphs())
def test_every_node_stands_right_of_its_inputs_and_over_no_other(graph: dict[str, list[str]]) -> None:
    drawing = place(graph)
    placed = {node.name: node for node in drawing.nodes}
    assert placed.keys() == graph.keys()
    for name, inputs in graph.items():
        assert all(placed[each].x + NODE_WIDTH < placed[name].x for each in inputs)
    for one, other in combinations(drawing.nodes, 2):
        assert abs(one.x - other.x) >= NODE_WIDTH or abs(one.y - other.y) >= NODE_HEIGHT
    for node in drawing.nodes:
        assert 0 <= node.x <= drawing.width - NODE_WIDTH
        assert 0 <= node.y <= drawing.height - NODE_HEIGHT
    assert {(edge.start, edge.end) for edge in drawing.edges} == {
        (each, name) for name, inputs in graph.items() for each in inputs
    }
    assert place(dict(reversed(graph.items()))) == drawing


def test_edges_begin_and_end_at_their_nodes() -> None:
    (edge,) = place({"a": [], "b": ["a"]}).edges
    a, b = place({"a": [], "b": ["a"]}).nodes
    assert edge.path == f"M{a.x + NODE_WIDTH} {a.y + NODE_HEIGHT // 2}H{b.x}"


def test_neighbours_are_ordered_so_that_edges_do_not_cross() -> None:
    drawing = place({"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]})
    y_of = {node.name: node.y for node in drawing.nodes}
    assert sorted("abc", key=y_of.__getitem__) == [
        {"x": "c", "y": "b", "z": "a"}[n] for n in sorted("xyz", key=y_of.__getitem__)
    ]


def test_an_edge_over_several_layers_runs_behind_no_node() -> None:
    drawing = place({"a": [], "b": ["a"], "c": ["b", "a"]})
    b = next(node for node in drawing.nodes if node.name == "b")
    path = next(edge.path for edge in drawing.edges if (edge.start, edge.end) == ("a", "c"))
    passing = int(path.split("H")[0].split()[-1].split("C")[-1])
    assert not b.y <= passing <= b.y + NODE_HEIGHT


def test_what_is_last_stands_at_the_right_edge() -> None:
    drawing = place({"a": [], "b": ["a"], "chart": ["a"]}, last=["chart"])
    assert max(drawing.nodes, key=lambda node: node.x).name == "chart"
    assert {node.layer for node in drawing.nodes if node.name != "chart"} == {0, 1}


def test_a_circle_is_refused() -> None:
    with pytest.raises(CycleError):
        place({"a": ["b"], "b": ["a"]})
