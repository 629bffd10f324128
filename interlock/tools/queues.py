"""Where a tool's activity runs, and for how long at most. Pure: the workflow asks before it schedules.

Tool activities never run on the workflow's queue: eager activities there bypass the server's rate
limit. A throttled tool has a queue of its own, so that the server keeps one rate for all workers
together. Where the server cannot keep it, each call takes a turn from the shared limiter instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from interlock.tools.contract import ToolContract

SHARED_QUEUE = "tools"
"""Queue of every tool without one of its own, behind the deployment's prefix."""

MOST_QUEUES = 50
"""Throttled tools with a queue each. With more of them all tools take turns."""

_OVERHEAD = timedelta(seconds=10)


def own_queues(contracts: Iterable[ToolContract]) -> frozenset[str]:
    """Return the names of the tools whose rate the server keeps, of all tools of a deployment."""
    found = frozenset(contract.name for contract in contracts if _fits_server(contract))
    return found if len(found) <= MOST_QUEUES else frozenset()


def takes_turns(contract: ToolContract, own: Collection[str]) -> bool:
    """Whether the shared limiter keeps the tool's rate; `own` is what `own_queues` returned."""
    return contract.throttle is not None and contract.name not in own


def queue_of(contract: ToolContract, prefix: str, own: Collection[str]) -> str:
    """Return the task queue of a tool's activities: 'tools', or 'tool.<name>' of its own."""
    return prefix + (f"tool.{contract.name}" if contract.name in own else SHARED_QUEUE)


def activity_timeout(contract: ToolContract) -> timedelta:
    """Return a start-to-close timeout that one attempt of the gateway always keeps.

    An attempt may ask what happened to a lost call, make its own, and ask what happened to that:
    three times the tool's timeout. The rest is for the ledger.
    """
    rounds = 3 if contract.reconciles else 1
    return rounds * timedelta(seconds=contract.timeout_seconds) + _OVERHEAD


def _fits_server(contract: ToolContract) -> bool:
    throttle = contract.throttle
    # The server has one rate for a queue and a burst of its own. A call that only looks whether it
    # may run beside others would cost the queue a dispatch.
    return (
        throttle is not None
        and throttle.scope == "tool"
        and throttle.burst is None
        and contract.concurrency is None
    )
