"""Tools: what they are (`contract`), how they are made (`decorator`), how they run (`gateway`).

Only what a graph needs is exported here, so that a workflow can import the room. The gateway and
its activities are imported by the worker alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.tools.contract import Breaker, Cache, Effect, Risk, ToolCall, ToolContract
from interlock.tools.throttle import Throttle

if TYPE_CHECKING:
    from interlock.tools.decorator import Tool, tool

__all__ = [
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


def __getattr__(name: str) -> Any:
    if name not in ("Tool", "tool"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # LangChain takes seconds to import. Who only decides on a request need not wait for it.
    from interlock.tools import decorator

    return getattr(decorator, name)
