"""A person who decides on what a run asks, from outside, whatever happens to its worker meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from interlock.canonical import digest
from interlock.testing.following import follow_events, is_away

Choose = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Turns a request into `verb` and what belongs to it."""

_LOOK = timedelta(seconds=5)
_PAUSE_SECONDS = 0.1
_NO_WORKER = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.FAILED_PRECONDITION,
)
"""What the server says while a killed worker has no successor yet."""


class Reviewer:
    """Decides once on each request of a run, by update."""

    def __init__(self, handle: WorkflowHandle[Any, Any], choose: Choose) -> None:
        self._handle = handle
        self._choose = choose
        self.announced: list[str] = []
        """Ids of the requests that the run's history tells of, each once, in order."""
        self.asked: dict[str, str] = {}
        """Kind and action of each request that was looked at."""
        self.sent: dict[str, tuple[str, str]] = {}
        """Kind and verb by request: what was decided, whether or not its answer came back."""
        self.undecided: list[str] = []
        """Requests that were gone before they were decided on."""
        self.refused: list[str] = []
        """Decisions that did not count, and why."""

    async def work(self) -> None:
        """Follow the run to its end and decide on what it asks."""
        async for event in follow_events(self._handle, patient=True):
            for request_id in requests_in(event):
                if request_id not in self.announced:
                    self.announced.append(request_id)
                    await self._decide(request_id)

    async def _decide(self, request_id: str) -> None:
        while True:
            try:
                pending = await self._handle.query("pending_approvals", rpc_timeout=_LOOK)
                found = [item for item in pending["requests"] if item["id"] == request_id]
                if found:
                    await self._submit(found[0])
                elif request_id not in self.sent:
                    self.undecided.append(request_id)
                # Or else the answer was lost with the worker; the decision was not.
            except RPCError as error:
                if error.status not in _NO_WORKER and not is_away(error):
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            except WorkflowUpdateRPCTimeoutOrCancelledError:
                continue
            else:
                return

    async def _submit(self, request: dict[str, Any]) -> None:
        chosen = await self._choose(request)
        action = digest([request["tool"], request["arguments"]])[:12]
        self.asked[request["id"]] = f"{request['kind']} {request['tool'] or '-'} {action}"
        self.sent[request["id"]] = (request["kind"], chosen["verb"])
        if chosen["verb"] == "cancel_run":
            await self._handle.signal("cancel_run", chosen.get("reason", ""))
            return
        decision = {
            "request_id": request["id"],
            "digest": request["digest"],
            "reviewer": "driver",
            **chosen,
        }
        answer = await self._handle.execute_update(
            "submit_decision",
            decision,
            # The same id again is the same update, for a sender who does not know if it was heard.
            id=f"decide-{request['id']}",
            rpc_timeout=_LOOK,
        )
        if not answer["accepted"]:
            self.refused.append(f"{request['kind']} of {request['tool']!r}: {answer}")


async def first_request(handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """Wait until a run asks, and return what."""
    async for event in follow_events(handle):
        if requests_in(event):
            pending = await handle.query("pending_approvals")
            found: dict[str, Any] = pending["requests"][0]
            return found
    raise AssertionError(f"run {handle.id!r} ended without a request")


def requests_in(event: HistoryEvent) -> list[str]:
    """Return the ids of the open requests, if an event says what they are."""
    if not event.HasField("workflow_properties_modified_event_attributes"):
        return []
    fields = event.workflow_properties_modified_event_attributes.upserted_memo.fields
    found: list[str] = json.loads(fields["pending"].data) if "pending" in fields else []
    return found
