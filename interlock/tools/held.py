"""An effect whose ledger row this attempt holds: make the call, find out what became of it, settle.

A row says FAILED only when the effect did not happen for certain. A call without an answer may
still take effect until its deadline, so its row stays CLAIMED until then, as that of a lost attempt
does: nobody's "it did not happen" counts before, and no person is asked. When nobody can tell
afterwards the row says UNKNOWN, until the next call of an idempotent tool with the same key, or a
person tells. A result that cannot be used (wrong form, too large) is DONE all the same, with as
much of it as can be kept and the error: the effect did happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from interlock.audit.contract import LedgerRow, LedgerState
from interlock.errors import (
    ApprovalExpired,
    CircuitOpen,
    ModelMistake,
    RunCancelled,
    ToolFailed,
    ToolUnavailable,
    said,
)
from interlock.tools.attempt import Ended, Job, Parts
from interlock.tools.calling import CallEnded, Caller
from interlock.tools.contract import Effect, ToolOutcome
from interlock.tools.definition import taken
from interlock.tools.outcomes import check_answer, failed, held_back, recorded, refused, unknown

_AT_ONCE: Mapping[str, float] = {}
"""No wait but Temporal's own between two attempts."""

LOST = "the attempt was lost"
"""What became of a call whose row has no note."""


class _NoTimeLeft(Exception):
    """The row's deadline passed before the tool was called: no failure of what the tool calls."""


class HeldEffect:
    """An effect under a row that this attempt has claimed or taken over.

    Args:
        parts: What every attempt works with.
        job: The attempt.
        row: The row, with this attempt's token.
        in_doubt: An earlier call with the same key may have taken effect.
    """

    def __init__(self, parts: Parts, job: Job, row: LedgerRow, *, in_doubt: bool = False) -> None:
        self._parts = parts
        self._job = job
        self._row = row
        self._in_doubt = in_doubt
        self._name = job.tool.name
        self._contract = job.tool.contract

    async def make(self) -> Ended:
        """Make the call, unless there is a reason not to.

        Raises:
            ToolUnavailable: it failed, and another attempt may be made.
            CircuitOpen: it waits until its dependency may be called.
            LedgerConflict: it has no answer and may still happen, or the row was taken over.
        """
        reason = reason_not_to_call(self._parts, self._job, self._row.token)
        if reason is not None:
            if self._in_doubt:
                return await self.settle_unknown(reason.message)
            return await self._settle(LedgerState.FAILED, reason)
        await self._parts.probe("before_call", self._job.call)
        try:
            value = await self._call()
        except CircuitOpen as error:
            return await self._held_back(error)
        except _NoTimeLeft:
            return await self._unavailable("no time was left to call")
        except (ModelMistake, ToolFailed) as error:
            return await self._settle(LedgerState.FAILED, failed(error))
        except ToolUnavailable as error:
            return await self._unavailable(error.message, self._wait_after(error))
        except Exception as error:  # noqa: BLE001  whatever a tool raises, its effect is in doubt
            return await self._after_doubt(error)
        await self._parts.probe("after_call", self._job.call)
        return await self._settle_answer(value)

    async def _call(self) -> Any:
        job, limit = self._job, self._contract.timeout_seconds
        arguments = job.arguments_until(self._row.deadline)

        async def make() -> Any:
            # Asking the breaker may have taken its time.
            seconds = (self._row.deadline - self._parts.clock()).total_seconds()
            if seconds <= 0:
                raise _NoTimeLeft
            return await job.caller.call(job.tool.implementation(), arguments, min(seconds, limit))

        return await self._parts.dependencies.call(self._contract, job.call, make)

    async def _held_back(self, error: CircuitOpen) -> Ended:
        """Give the row back: the breaker opened after it was looked at, so nothing was called."""
        if self._in_doubt:
            return await self._unavailable(error.message, self._wait_after(error))
        outcome = failed(error)
        ended = await self._settle(LedgerState.FAILED, outcome, is_end=False)
        if ended.outcome is not outcome:
            return ended
        return Ended(held_back(self._contract, error), ended.token)

    async def reconcile_or_make(self, earlier: LedgerRow) -> Ended:
        """Ask the tool what became of an earlier call, and make another if it did not happen.

        Args:
            earlier: The row as the earlier attempt left it. Its deadline and the grace are over.

        Raises:
            ToolUnavailable: the call failed, and another attempt may be made.
            LedgerConflict: it has no answer and may still happen, or the row was taken over.
        """
        why = earlier.error or LOST
        known, answer = await self._reconcile()
        if known == "happened":
            return await self._settle_answer(answer)
        if known == "unknown":
            return await self.settle_unknown(f"{why}, and {answer}")
        self._in_doubt = False
        # A lost attempt is nobody's failure, so it is made up for.
        if earlier.error and self._job.is_over(self._row.token):
            return await self._unavailable(why)
        return await self.make()

    async def settle_unknown(self, why: str) -> Ended:
        """Settle the row as UNKNOWN: a person has to look.

        Raises:
            LedgerConflict: the row was taken over meanwhile.
        """
        outcome = unknown(self._name, self._row, why)
        return await self._settle(LedgerState.UNKNOWN, outcome, error=why)

    async def _after_doubt(self, error: Exception) -> Ended:
        """Find out what became of a call that ended without an answer, as far as that is possible."""
        why = str(error) if isinstance(error, CallEnded) else said(error)
        wait = self._wait_after(error)
        self._in_doubt = True
        is_repeatable = self._contract.effect is Effect.IDEMPOTENT
        if is_repeatable and not self._is_over:
            return await self._unavailable(why, wait)
        known, answer = await self._reconcile()
        if known == "happened":
            return await self._settle_answer(answer)
        if not await self._parts.ledger.note(self._row.effect_key, self._row.token, why):
            await self._tell_too_late(f"ended without an answer ({why})")
        # Its deadline does not end it, or nobody comes back after the deadline.
        outlives = isinstance(error, CallEnded) and error.still_running
        if outlives or self._job.caller.stopping:
            return await self.settle_unknown(f"{why}, and {answer}")
        left = self._row.deadline + self._parts.grace - self._parts.clock()
        raise self._job.conflict(
            max(left, timedelta(seconds=wait.get("retry_after_seconds", 0.0))), why
        )

    def _wait_after(self, error: Exception) -> Mapping[str, float]:
        return self._parts.wait_after(error, self._job.call)

    @property
    def _is_over(self) -> bool:
        return self._job.is_last(self._row.token) or self._job.caller.stopping

    async def _unavailable(self, why: str, wait: Mapping[str, float] = _AT_ONCE) -> Ended:
        if self._is_over and self._in_doubt:
            return await self.settle_unknown(why)
        did_not = "" if self._in_doubt else " and did not happen"
        error = ToolUnavailable(
            f"{self._name!r} was not available{did_not}: {why}.", tool=self._name, **wait
        )
        state = LedgerState.UNKNOWN if self._in_doubt else LedgerState.FAILED
        outcome = failed(error)
        ended = await self._settle(state, outcome, is_end=self._is_over)
        if self._is_over or ended.outcome is not outcome:
            return ended
        raise error

    async def _reconcile(self) -> tuple[str, Any]:
        """Ask the tool what happened.

        Returns:
            'happened' and the result; 'did_not_happen' (so far) or 'unknown', and why in words.
        """
        if not self._contract.reconciles:
            return "unknown", "the tool cannot tell what happened"
        try:
            found = await self._ask_tool()
        except Exception as error:  # noqa: BLE001  whatever it raises, the tool cannot tell
            return "unknown", f"asking what happened failed: {said(error)}"
        if found is None:
            return "did_not_happen", "the tool does not find it, at least not yet"
        return "happened", found

    async def _ask_tool(self) -> Any:
        reconciler = self._job.tool.reconciler()
        if reconciler is None:
            return None
        offered = {"key": self._row.effect_key, "call": self._job.call}
        # A caller of its own: a cancelled run, too, has to know what it leaves behind.
        return await Caller().call(
            reconciler, taken(reconciler, offered), self._contract.timeout_seconds
        )

    async def _settle_answer(self, value: Any) -> Ended:
        answer = check_answer(self._job.tool, value, self._parts.result_bytes)
        return await self._settle(
            LedgerState.DONE, answer.outcome, result=answer.kept, error=answer.error
        )

    async def _settle(
        self,
        state: LedgerState,
        outcome: ToolOutcome,
        *,
        result: Any = None,
        error: str | None = None,
        is_end: bool = True,
    ) -> Ended:
        row, call = self._row, self._job.call
        text = outcome.message if error is None else error
        events = list(self._job.events)
        if is_end:
            events.append(self._parts.event(self._job, outcome, row.token))
        await self._parts.probe("before_settle", call)
        is_ours = await self._parts.ledger.settle(
            row.effect_key, row.token, state, result=result, error=text, events=events
        )
        await self._parts.probe("after_settle", call)
        if not is_ours:
            return await self._too_late(state)
        self._job.events.clear()
        return Ended(outcome, row.token, recorded=is_end)

    async def _too_late(self, state: LedgerState) -> Ended:
        """Tell of a settlement that changed nothing, and take the outcome from the ledger."""
        await self._tell_too_late(f"wanted to settle it as {state}")
        row = await self._parts.ledger.find(self._row.effect_key)
        if row is not None and row.state is LedgerState.DONE:
            return Ended(recorded(row.result, row.error), row.token)
        if row is not None and row.state is LedgerState.UNKNOWN:
            return Ended(unknown(self._name, row, row.error), row.token)
        raise self._job.conflict(self._parts.grace)

    async def _tell_too_late(self, what: str) -> None:
        await self._parts.observer.incident(
            self._job.call,
            f"a late attempt of {self._name!r} {what} after its row was taken over; it changed "
            "nothing",
            at=self._parts.clock(),
            token=self._row.token,
        )


def reason_not_to_call(parts: Parts, job: Job, token: int) -> ToolOutcome | None:
    """Return how the call ends without being made, if an attempt with `token` may not make it."""
    grant, name = job.call.grant, job.tool.name
    if job.caller.stopping:
        return failed(RunCancelled(f"{name!r} was cancelled before it was called."))
    if grant is not None and grant.expires_at <= parts.clock():
        return refused(
            ApprovalExpired.code,
            f"the approval of {name!r} expired at {grant.expires_at.isoformat()}.",
        )
    if job.refusal is not None:
        return job.refusal
    if job.is_spent(token):
        lost = f"{name!r} was given up: too many workers were lost in its call."
        return failed(ToolUnavailable(lost))
    return None
