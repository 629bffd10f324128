"""The page on the copilot shows the graph as it is."""

from __future__ import annotations

from pathlib import Path

from agents.support.graph import support

PAGE = Path(__file__).parents[2] / "docs" / "copilot.md"


def test_the_picture_is_the_graph() -> None:
    """Write it anew: `python -c "from agents.support.graph import support; print(support.graph.get_graph().draw_mermaid())"`."""
    drawn = support.graph.get_graph().draw_mermaid()
    assert f"```mermaid\n{drawn}```" in PAGE.read_text(encoding="utf-8")
