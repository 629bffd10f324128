"""Tools: what they are (`contract`), how they are made (`decorator`), how they run (`gateway`).

Only what a graph needs is exported here, so that a workflow can import the room. The gateway and
its activities are imported by the worker alone.
"""

from __future__ import annotations

from interlock.tools.contract import Effect, Risk, Throttle, ToolCall, ToolContract
from interlock.tools.decorator import Tool, tool

__all__ = ["Effect", "Risk", "Throttle", "Tool", "ToolCall", "ToolContract", "tool"]
