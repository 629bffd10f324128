"""A graph's Mermaid text as a picture: SVG from here, so a page needs no script to draw it.

It reads what LangGraph's `draw_mermaid` writes and no more of Mermaid than that. Nodes stand in
layers, by their longest way from the start; an edge that leads back is drawn around.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

_NODE = re.compile(r"^\s+(?P<id>[^\s(\[{]+)(?P<shape>[(\[{].*[)\]}])(?::::\w+)?;?$", re.M)
_EDGE = re.compile(
    r"^\s+(?P<a>\S+) (?P<arrow>-->|-\.->|-- .*? -->|-\. .*? \.->) (?P<b>[^\s;]+);?$", re.M
)
_LIT = re.compile(r"^\s+class (?P<id>\S+) current$", re.M)
_TAGS = re.compile(r"<[^>]*>")

WIDE, HIGH = 132, 34
"""Size of a node."""
_GAP_X, _GAP_Y, _EDGE_OF_PICTURE = 26, 34, 12


class Box(BaseModel):
    """A node in its place."""

    model_config = ConfigDict(frozen=True)

    name: str
    x: float
    y: float
    lit: bool
    is_end: bool


class Line(BaseModel):
    """An edge as an SVG path."""

    model_config = ConfigDict(frozen=True)

    path: str
    conditional: bool


class Picture(BaseModel):
    """A drawn graph."""

    model_config = ConfigDict(frozen=True)

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    @property
    def said(self) -> str:
        """The picture in words, for whoever does not see it."""
        lit = [box.name for box in self.boxes if box.lit]
        names = ", ".join(box.name for box in self.boxes if not box.is_end)
        return f"Graph with the nodes {names}. Now at: {', '.join(lit) or 'none'}."


def draw(mermaid: str) -> Picture | None:
    """Return the picture of a graph, or None of text that is not understood."""
    names = {found["id"]: _named(found["shape"]) for found in _NODE.finditer(mermaid)}
    edges = [
        (found["a"], found["b"], found["arrow"].startswith("-."))
        for found in _EDGE.finditer(mermaid)
        if found["a"] in names and found["b"] in names
    ]
    if not names or not edges:
        return None
    lit = {found["id"] for found in _LIT.finditer(mermaid)}
    places, width, height = _placed(_layers(list(names), [(a, b) for a, b, _ in edges]))
    boxes = tuple(
        Box(
            name=label.strip("_") if node in ("__start__", "__end__") else label,
            x=places[node][0],
            y=places[node][1],
            lit=node in lit,
            is_end=node in ("__start__", "__end__"),
        )
        for node, label in names.items()
    )
    lines = tuple(
        Line(path=_path(places[a], places[b], width), conditional=conditional)
        for a, b, conditional in edges
    )
    return Picture(width=width, height=height, boxes=boxes, lines=lines)


def _named(shape: str) -> str:
    return unescape(_TAGS.sub("", shape.strip("()[]{}\"' "))).replace("&nbsp", " ").strip()


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the nodes of each layer: the longest way from the start, edges back left out."""
    ahead = {node: [b for a, b in edges if a == node] for node in nodes}
    order = _topological(nodes, ahead)
    rank = dict.fromkeys(nodes, 0)
    for node in order:
        for after in ahead[node]:
            if order.index(after) > order.index(node):
                rank[after] = max(rank[after], rank[node] + 1)
    found: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for node in order:
        found[rank[node]].append(node)
    return _untangled(found, edges)


def _topological(nodes: Sequence[str], ahead: dict[str, list[str]]) -> list[str]:
    """Return the nodes in an order that follows every edge but those that close a circle."""
    done: list[str] = []
    seen: set[str] = set()
    for root in nodes:
        stack = [(root, iter(ahead[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            node, rest = stack[-1]
            after = next((item for item in rest if item not in seen), None)
            if after is None:
                done.append(node)
                stack.pop()
            else:
                seen.add(after)
                stack.append((after, iter(ahead[after])))
    return done[::-1]


def _untangled(layers: list[list[str]], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Order each layer by where the nodes before it stand."""
    for above, layer in pairwise(layers):
        place = {node: index for index, node in enumerate(above)}

        def middle(node: str, place: dict[str, int] = place) -> float:
            before = [place[a] for a, b in edges if b == node and a in place]
            return sum(before) / len(before) if before else len(place) / 2

        layer.sort(key=middle)
    return layers


def _placed(
    layers: Sequence[Sequence[str]],
) -> tuple[dict[str, tuple[float, float]], float, float]:
    widest = max(len(layer) for layer in layers)
    width = widest * (WIDE + _GAP_X) - _GAP_X + 2 * _EDGE_OF_PICTURE
    places: dict[str, tuple[float, float]] = {}
    for row, layer in enumerate(layers):
        taken = len(layer) * (WIDE + _GAP_X) - _GAP_X
        for column, node in enumerate(layer):
            x = (width - taken) / 2 + column * (WIDE + _GAP_X)
            places[node] = (x, _EDGE_OF_PICTURE + row * (HIGH + _GAP_Y))
    height = len(layers) * (HIGH + _GAP_Y) - _GAP_Y + 2 * _EDGE_OF_PICTURE
    return places, width, height


def _path(a: tuple[float, float], b: tuple[float, float], width: float) -> str:
    x1, y1 = a[0] + WIDE / 2, a[1] + HIGH
    x2, y2 = b[0] + WIDE / 2, b[1]
    if y2 > y1:
        bend = (y2 - y1) / 2
        return f"M{x1:g},{y1:g} C{x1:g},{y1 + bend:g} {x2:g},{y2 - bend:g} {x2:g},{y2 - 5:g}"
    side = width - 2  # back to an earlier layer, around the right side
    start, end = a[1] + HIGH / 2, b[1] + HIGH / 2
    left, right = a[0] + WIDE, b[0] + WIDE
    return f"M{left:g},{start:g} C{side:g},{start:g} {side:g},{end:g} {right + 5:g},{end:g}"
