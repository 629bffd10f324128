"""The room's door: few names, and nothing heavy behind them."""

from __future__ import annotations

import json
import subprocess
import sys

import interlock.tools

HEAVY = ("sqlalchemy", "sqlmodel", "chromadb", "temporalio", "httpx", "langgraph", "asyncpg")


def test_the_facade_is_frozen() -> None:
    """The public names are these, in order."""
    assert interlock.tools.__all__ == [
        "Breaker",
        "Cache",
        "Effect",
        "Risk",
        "Throttle",
        "Tool",
        "ToolCall",
        "ToolContract",
        "tool",
    ]
    assert sorted(interlock.tools.__all__) == interlock.tools.__all__


def test_a_graph_module_loads_nothing_that_does_io() -> None:
    """`from interlock.tools import tool` leaves databases, servers and drivers alone."""
    code = "import json, sys, interlock.tools; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint(HEAVY)
