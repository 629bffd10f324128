"""Where a tool's activity runs, and for how long at most. Pure: the workflow asks before it schedules.

Tool activities never run on the workflow's queue: eager activities there bypass the server's rate
limit. A tool with a throttle has a queue of its own, so that the server keeps one rate for all
workers together.
"""

from __future__ import annotations

from datetime import timedelta

from interlock.tools.contract import ToolContract

SHARED_QUEUE = "tools"
"""Queue of every tool without a throttle, behind the deployment's prefix."""

_OVERHEAD = timedelta(seconds=10)


def queue_of(contract: ToolContract, prefix: str = "") -> str:
    """Return the task queue of a tool's activities: 'tools', or 'tool.<name>' when throttled."""
    return prefix + (SHARED_QUEUE if contract.throttle is None else f"tool.{contract.name}")


def activity_timeout(contract: ToolContract) -> timedelta:
    """Return a start-to-close timeout that one attempt of the gateway always keeps.

    An attempt may ask what happened to a lost call, make its own, and ask what happened to that:
    three times the tool's timeout. The rest is for the ledger.
    """
    rounds = 3 if contract.reconciles else 1
    return rounds * timedelta(seconds=contract.timeout_seconds) + _OVERHEAD
