"""Throttle and concurrency in a worker: a call books its turn, and starts when it may.

The workflow books ahead and waits on a timer, so that waiting holds no slot. The activity checks
again at the moment of the call: a retry, or a call that comes too early, too late or too many, ends
this attempt and is tried again when there is room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from temporalio import activity

from interlock.audit.metering import Limit, Limits, Turn
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import InterlockError, Throttled
from interlock.tools.contract import Booking, ToolCall, ToolContract
from interlock.tools.definition import Tool
from interlock.tools.queues import activity_timeout, own_queues, takes_turns
from interlock.tools.throttle import Throttle


class Turns:
    """Lets the calls of a worker's tools keep the limits that all workers share.

    Args:
        tools: The tools of the deployment, by name.
        limits: Where the limits are kept.
    """

    def __init__(self, tools: Mapping[str, Tool], limits: Limits) -> None:
        self._contracts = {name: tool.contract for name, tool in tools.items()}
        self._own = own_queues(self._contracts.values())
        self._limits = limits

    @activity.defn(name="throttle.book")
    async def book(self, call: ToolCall) -> Booking:
        """Book a call's turn under its rate; a retry books none twice.

        Raises:
            DatabaseBusy: the database was locked for too long; nothing was booked.
        """
        limit = self._limit(call)
        if limit is None or limit.per_second is None:
            return Booking(wait_seconds=0.0, limit="")
        seconds = await self._limits.book(limit, _holder(call))
        return Booking(wait_seconds=seconds, limit=self._shown(call, busy=False))

    @asynccontextmanager
    async def admitted(
        self, call: ToolCall, attempt: int, *, waited: int = 0
    ) -> AsyncIterator[int]:
        """Surround an attempt at a call that may start now.

        Args:
            call: The call.
            attempt: Number of the activity's attempt.
            waited: Attempts that could start and then only waited for the call's dependency.

        Yields:
            The number of the attempt among those that could start.

        Raises:
            Throttled: it may not start yet (details: `retry_after_seconds`).
        """
        limit = self._limit(call)
        if limit is None:
            yield attempt
            return
        turn = await self._limits.admit(limit, _holder(call))
        if turn.wait_seconds > 0:
            raise self._throttled(call, turn)
        over = False
        try:
            yield turn.calls - waited
            over = True
        finally:
            if limit.concurrency is not None:
                await self._release(limit, call, over=over)

    async def _release(self, limit: Limit, call: ToolCall, *, over: bool) -> None:
        try:
            await self._limits.release(limit, _holder(call), over=over)
        except InterlockError as error:
            # How the call ended is worth more. Its place is free when the lease is over.
            activity.logger.warning("a place of %r is not given back: %s", call.tool, error)

    def _limit(self, call: ToolCall) -> Limit | None:
        contract = self._contracts.get(call.tool)
        # What a person says about a call that is over makes none.
        if contract is None or call.resolution in ("happened", "abort"):
            return None
        return limit_of(contract, call.context, by_turns=takes_turns(contract, self._own))

    def _throttled(self, call: ToolCall, turn: Turn) -> Throttled:
        return Throttled(
            f"{call.tool!r} waits: {self._shown(call, busy=turn.busy)}. It is tried again by itself.",
            tool=call.tool,
            limit=self._shown(call, busy=turn.busy),
            retry_after_seconds=turn.wait_seconds,
        )

    def _shown(self, call: ToolCall, *, busy: bool) -> str:
        contract = self._contracts[call.tool]
        return f"{contract.concurrency} at once" if busy else str(contract.throttle)


def limit_of(contract: ToolContract, context: CallContext, *, by_turns: bool) -> Limit | None:
    """Return what a call has to keep to, or None when nothing limits it here.

    Args:
        contract: The contract of its tool.
        context: Who it is for.
        by_turns: Whether the shared limiter keeps the tool's rate, and not the server.
    """
    throttle = contract.throttle if by_turns else None
    if throttle is None and contract.concurrency is None:
        return None
    return Limit(
        tool=contract.name,
        key=_key(contract.name, throttle, context),
        per_second=throttle.per_second if throttle else None,
        burst=throttle.at_once if throttle else 1,
        concurrency=contract.concurrency,
        lease_seconds=activity_timeout(contract).total_seconds(),
    )


def _key(tool: str, throttle: Throttle | None, context: CallContext) -> str:
    if throttle is None or throttle.scope == "tool":
        return tool
    who = [context.tenant] if throttle.scope == "tenant" else [context.tenant, context.subject]
    return f"{tool}/{digest(who)[:24]}"


def _holder(call: ToolCall) -> str:
    """Return the name of a logical call; one that a person sent on is another call."""
    sent_on = "" if call.resolved_token is None else f"/{call.resolved_token}"
    return call.effect_key + sent_on
