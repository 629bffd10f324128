"""Following a run's history while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

_PAUSE_SECONDS = 0.1

_AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)
"""What a call of a server that was killed ends with."""


async def follow_events(
    handle: WorkflowHandle[Any, Any], *, patient: bool = False
) -> AsyncIterator[HistoryEvent]:
    """Yield a run's events, old and new, until it ends.

    An event may come more than once: when the server takes a write back, as it does under load,
    what it has shown of it is void, and so is the place to read on from. Reading begins again then.

    Args:
        handle: The run.
        patient: Whether a server that is away is waited for.
    """
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=True):
                yield event
        except RPCError as error:
            if patient and is_away(error):
                await asyncio.sleep(_PAUSE_SECONDS)
            elif not _is_void(error):
                raise
        else:
            return


def is_away(error: RPCError) -> bool:
    """Whether a call failed because the server was not there."""
    return error.status in _AWAY


def _is_void(error: RPCError) -> bool:
    """Whether the page token is of a state that is no more."""
    kinds = [detail.type_url.rpartition(".")[2] for detail in error.grpc_status.details]
    return "CurrentBranchChangedFailure" in kinds


__all__ = ["follow_events", "is_away"]
