"""Bugs of an engine like this one, each planted into a worker process before it opens anything.

A function here is named as the `setup` of a scenario; it changes the engine of that process only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from interlock.audit import ledger
from interlock.audit.contract import AuditEvent, LedgerState
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import event_rows
from interlock.tools.attempt import Ended
from interlock.tools.contract import ToolCall, ToolOutcome
from interlock.tools.effects import EffectAttempt
from interlock.tools.gateway import ToolGateway
from interlock.tools.held import HeldEffect
from interlock.tools.outcomes import recorded
from interlock.workflows.logical_calls import LogicalCalls
from interlock.workflows.recording import Recorder
from interlock.workflows.run import Run


def claim_after_call() -> None:
    """The call is made first, and its row is written when the answer is there."""

    async def run(self: Any) -> Ended:
        parts, job = self._parts, self._job
        await parts.probe("before_call", job.call)
        value = await job.caller.call(job.tool.implementation(), job.arguments, 30.0)
        await parts.probe("after_call", job.call)
        claimed = await parts.ledger.claim(self._claim())
        if claimed.won:
            await parts.ledger.settle(
                claimed.row.effect_key, claimed.row.token, LedgerState.DONE, result=value
            )
        return Ended(recorded(value, ""), claimed.row.token)

    EffectAttempt.run = run  # type: ignore[method-assign]


def attempt_in_the_key() -> None:
    """Each attempt of the activity claims a row of its own."""
    original = ToolGateway.run

    async def run(
        self: ToolGateway, call: ToolCall, *, attempt: int = 1, **more: Any
    ) -> ToolOutcome:
        keyed = call.model_copy(update={"effect_key": f"{call.effect_key}-{attempt}"})
        return await original(self, keyed, attempt=attempt, **more)

    ToolGateway.run = run  # type: ignore[method-assign]


def decision_not_consumed() -> None:
    """A claim does not use up the decision that it names."""

    def check(self: SqlLedger, *_: Any, **__: Any) -> None:
        return None

    SqlLedger._check_decision = check  # type: ignore[method-assign]


def retry_on_timeout() -> None:
    """A call without an answer counts as one that did not happen, and is made again."""

    async def after_doubt(self: Any, error: Exception) -> Ended:
        ended: Ended = await self._unavailable(str(error))
        return ended

    HeldEffect._after_doubt = after_doubt  # type: ignore[method-assign]


def swallowed_cancellation() -> None:
    """A run that is cancelled lets its graph go on when that catches the cancellation."""
    Run.is_cancelled = property(lambda _: False)  # type: ignore[assignment, method-assign]


def settle_without_fencing() -> None:
    """Whoever settles last has the last word, with whatever token."""

    async def settle(
        self: Any,
        effect_key: str,
        token: int,
        state: LedgerState,
        *,
        result: Any = None,
        error: str = "",
        events: Sequence[AuditEvent] = (),
    ) -> bool:
        told = event_rows(events)

        def work(connection: Connection) -> bool:
            row = ledger._locked(connection, effect_key)
            ledger._settle(connection, row, state, result, error)
            self._record(connection, told)
            return True

        return bool(await self._database.write(work))

    SqlLedger.settle = settle  # type: ignore[method-assign]


def effect_counted_twice() -> None:
    """A node that runs again after `interrupt()` makes its calls again, as new ones."""

    async def once(
        self: Recorder, door: str, identity: str, call: Callable[[], Awaitable[Any]], **_: Any
    ) -> Any:
        return await call()

    def occurrence(self: Any, tool: str, arguments: dict[str, Any], call_id: str) -> int:
        calls = self._ordinals.setdefault(tool, [])
        calls.append(call_id)
        return len(calls) - 1

    Recorder.once = once  # type: ignore[method-assign]
    LogicalCalls.occurrence = occurrence  # type: ignore[method-assign]
