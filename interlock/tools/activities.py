"""The tool room's activity: one attempt at one tool call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from interlock.audit.contract import AuditEvent
from interlock.errors import CircuitOpen, ToolUnavailable
from interlock.heartbeats import heartbeats
from interlock.tools.contract import ToolCall, ToolOutcome, Verdict
from interlock.tools.gateway import ToolGateway
from interlock.tools.turns import Turns

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
"""As in the retry policy that the door gives."""

Judge = Callable[[ToolCall], Awaitable[tuple[Verdict, AuditEvent]]]
"""Asks the policy about a call; returns its verdict, and what is to be recorded of it."""


class ToolActivities:
    """Activities on one gateway.

    Temporal may retry them without a limit: the gateway itself ends a call whose attempts are
    spent. An attempt that only finds another one's row does not count as one.

    Args:
        gateway: Where calls are carried out.
        judge: Who judges calls that nobody has judged; without it they are refused.
        turns: Lets calls start; None lets all start at once.
    """

    def __init__(
        self, gateway: ToolGateway, *, judge: Judge | None = None, turns: Turns | None = None
    ) -> None:
        self._gateway = gateway
        self._judge = judge
        self._turns = turns

    @activity.defn(name="tool.call")
    async def call_tool(self, call: ToolCall) -> ToolOutcome:
        """Carry out one attempt and return how the call ended, if it did.

        Raises:
            ApplicationError: the call failed, or waits for its dependency, and another attempt may
                be made.
            InterlockError: another attempt holds the row, the call may not start yet, or the worker
                is not set up for it.
        """
        waited = _waited()
        attempt = activity.info().attempt - waited
        async with heartbeats(waited):
            try:
                async with self._admitted(call, attempt, waited) as attempt:
                    return await self._run(call, attempt)
            except (CircuitOpen, ToolUnavailable) as error:
                if isinstance(error, CircuitOpen):
                    activity.heartbeat(waited + 1)
                # For whoever waits it ends a call; here it ends an attempt.
                raise ApplicationError(
                    error.message,
                    error.details,
                    type=error.code,
                    next_retry_delay=_delay(error, attempt),
                    category=_category(error),
                ) from error

    async def _run(self, call: ToolCall, attempt: int) -> ToolOutcome:
        if not call.unjudged or self._judge is None:
            return await self._gateway.run(call, attempt=attempt, is_retry=_is_retry())
        verdict, info = None, activity.info()
        events: list[AuditEvent] = []
        # A row says that an attempt before this one was allowed: what it began has to be ended.
        if info.attempt == 1 or not await self._gateway.has_row(call):
            verdict, event = await self._judge(call)
            events = [event]
            if verdict.outcome != "allow":
                await self._gateway.record(events)
                return ToolOutcome(status="held", verdict=verdict)
        judged = call.model_copy(
            update={"unjudged": False, "policy": verdict.policy if verdict else ""}
        )
        outcome = await self._gateway.run(
            judged, attempt=attempt, is_retry=_is_retry(), events=events
        )
        if verdict and not info.is_local:  # the history has the arguments of this call
            verdict = verdict.model_copy(update={"arguments": {}})
        return outcome.model_copy(update={"verdict": verdict})

    def _admitted(
        self, call: ToolCall, attempt: int, waited: int
    ) -> AbstractAsyncContextManager[int]:
        if self._turns is None:
            return nullcontext(attempt)
        return self._turns.admitted(call, attempt, waited=waited)


def _category(error: CircuitOpen | ToolUnavailable) -> ApplicationErrorCategory:
    """An attempt that only waits is no failure to whoever reads logs and metrics."""
    waits = isinstance(error, CircuitOpen)
    return ApplicationErrorCategory.BENIGN if waits else ApplicationErrorCategory.UNSPECIFIED


def _is_retry() -> bool:
    return activity.info().attempt > 1


def _waited() -> int:
    """Return how many attempts only waited for a dependency: they do not count as calls."""
    details = activity.info().heartbeat_details
    return int(details[0]) if details else 0


def _delay(error: CircuitOpen | ToolUnavailable, attempt: int) -> timedelta | None:
    """Return when the next attempt comes, if Temporal does not know; while the activity has time."""
    seconds, info = error.details.get("retry_after_seconds"), activity.info()
    if seconds is None and attempt < info.attempt:
        # Temporal doubles its delay with each wait, too, and would come back late.
        seconds = min(_FIRST_DELAY_SECONDS * 2 ** (attempt - 1), _LONGEST_DELAY_SECONDS)
    if seconds is None:
        return None
    delay, whole = timedelta(seconds=seconds), info.schedule_to_close_timeout
    if whole:
        left = info.scheduled_time + whole - datetime.now(UTC)
        delay = min(delay, max(left, timedelta()))
    return delay
