"""Following a run's history while it grows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError


async def follow_events(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[HistoryEvent]:
    """Yield a run's events, old and new, until it ends.

    An event may come more than once: when the server takes a write back, as it does under load,
    what it has shown of it is void, and so is the place to read on from. Reading begins again then.
    """
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=True):
                yield event
        except RPCError as error:
            if not _is_void(error):
                raise
        else:
            return


def _is_void(error: RPCError) -> bool:
    """Whether the page token is of a state that is no more."""
    kinds = [detail.type_url.rpartition(".")[2] for detail in error.grpc_status.details]
    return "CurrentBranchChangedFailure" in kinds


__all__ = ["follow_events"]
