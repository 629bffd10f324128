"""The page on the copilot, and the README, show the graph as it is."""

from __future__ import annotations

from pathlib import Path

from agents.support.graph import support

ROOT = Path(__file__).parents[2]


def test_the_picture_is_the_graph() -> None:
    """Write it anew: `python -c "from agents.support.graph import support; print(support.graph.get_graph().draw_mermaid())"`."""
    drawn = support.graph.get_graph().draw_mermaid()
    assert f"```mermaid\n{drawn}```" in (ROOT / "docs" / "copilot.md").read_text(encoding="utf-8")


def test_the_small_picture_is_the_graph_too() -> None:
    """Write it anew in the same way, with `draw_mermaid(with_styles=False)` and LR for TD."""
    drawn = support.graph.get_graph().draw_mermaid(with_styles=False)
    small = drawn.replace("graph TD;", "graph LR;")
    assert f"```mermaid\n{small}```" in (ROOT / "README.md").read_text(encoding="utf-8")
