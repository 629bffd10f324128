"""The picture of a graph has its nodes, its edges and the place where the run is."""

from __future__ import annotations

import re

from agents.support.graph import support
from interlock.inbox.graph import HIGH, WIDE, draw
from tests.graphs import everything


def _mermaid(*lit: str) -> str:
    drawn = support.graph.get_graph().draw_mermaid()
    return drawn + "".join(f"\tclass {name} current\n" for name in lit)


def test_every_node_and_every_edge_is_drawn() -> None:
    """As many as the graph has, and none over another."""
    graph = support.graph.get_graph()
    picture = draw(_mermaid("act_refund"))
    assert picture is not None
    assert len(picture.boxes) == len(graph.nodes)
    assert len(picture.lines) == len(graph.edges)
    assert sum(line.conditional for line in picture.lines) == sum(
        e.conditional for e in graph.edges
    )
    assert [box.name for box in picture.boxes if box.lit] == ["act_refund"]
    assert "Now at: act_refund." in picture.said
    places = [(box.x, box.y) for box in picture.boxes]
    for index, (x, y) in enumerate(places):
        assert 0 <= x <= picture.width - WIDE
        assert 0 <= y <= picture.height - HIGH
        assert all(abs(x - x2) >= WIDE or abs(y - y2) >= HIGH for x2, y2 in places[:index])


def test_edges_lead_down_but_those_that_go_back() -> None:
    """The support graph has no way back, so every edge ends below its beginning."""
    picture = draw(_mermaid())
    assert picture is not None
    for line in picture.lines:
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", line.path)]
        assert numbers[-1] > numbers[1]


def test_subgraphs_labels_and_circles_are_understood() -> None:
    """A graph with a subgraph, and one that goes round."""
    nested = everything().graph.get_graph(xray=1)
    picture = draw(nested.draw_mermaid())
    assert picture is not None
    assert len(picture.lines) == len(nested.edges)
    round_trip = "graph TD;\n\ta(a)\n\tb(b)\n\ta --> b;\n\tb -. &nbsp;again&nbsp; .-> a;\n"
    circle = draw(round_trip)
    assert circle is not None
    assert (len(circle.boxes), len(circle.lines)) == (2, 2)


def test_other_text_is_not_drawn() -> None:
    """The page says so instead."""
    for text in ("", "graph TD;", "sequenceDiagram\n  a->>b: hi"):
        assert draw(text) is None
