"""One attempt at one effect: claim its row, or follow what the row says (architecture, section 3).

Nothing is called without a won claim. Who holds a row is decided by the ledger's token. The row of
a lost attempt, or of one without an answer, is taken over after its deadline and a grace; an UNKNOWN
row too, when a person has said that it did not happen. Either is taken over at once when an
idempotent tool may be called again. An ABORTED row is nobody's any more.
"""

from __future__ import annotations

from datetime import timedelta

from interlock.audit.contract import Claim, LedgerRow, LedgerState
from interlock.errors import BadResult, CircuitOpen, EffectAborted, LedgerConflict, ToolFailed
from interlock.tools.attempt import Ended, Job, Parts
from interlock.tools.contract import Effect, ToolOutcome
from interlock.tools.held import LOST, HeldEffect, reason_not_to_call
from interlock.tools.outcomes import failed, held_back, recorded, refused, unknown


class EffectAttempt:
    """One attempt at the effect of a job."""

    def __init__(self, parts: Parts, job: Job) -> None:
        self._parts = parts
        self._job = job
        self._call = job.call
        self._name = job.tool.name
        self._is_idempotent = job.tool.contract.effect is Effect.IDEMPOTENT
        self._timeout = timedelta(seconds=job.tool.contract.timeout_seconds)

    async def run(self) -> Ended:
        """Bring the effect as far as this attempt can.

        Raises:
            LedgerConflict: another attempt holds the row, or this one's call has no answer and may
                still happen (details: `retry_after_seconds`).
            ToolUnavailable: the call failed, and another attempt may be made.
            CircuitOpen: it waits until its dependency may be called; no row is touched.
        """
        if self._job.refusal is not None and (ended := await self._refuse(self._job.refusal)):
            return ended
        if self._call.resolution in ("happened", "abort"):
            return await self._take_word()
        refusal = await self._parts.dependencies.refusal(self._job.tool.contract)
        if refusal is not None and (ended := await self._hold_back(refusal)):
            return ended
        await self._parts.probe("before_claim", self._call)
        try:
            claimed = await self._parts.ledger.claim(self._claim(), events=self._job.events)
        except LedgerConflict as error:
            if "held_by" not in error.details:
                raise
            return Ended(refused("DECISION_USED", error.message))
        self._job.events.clear()
        await self._parts.probe("after_claim", self._call)
        if claimed.won:
            return await HeldEffect(self._parts, self._job, claimed.row).make()
        return await self._follow(claimed.row)

    async def _refuse(self, refusal: ToolOutcome) -> Ended | None:
        """Begin and resolve nothing that may not be called; None to end what was begun."""
        row = await self._parts.ledger.find(self._call.effect_key)
        may_go_on = [LedgerState.DONE, LedgerState.ABORTED]
        if self._call.resolution not in ("happened", "abort"):
            may_go_on.append(LedgerState.CLAIMED)  # it was allowed then; no other call is made
        if self._job.is_heard:
            may_go_on.append(LedgerState.UNKNOWN)
        return None if row is not None and row.state in may_go_on else Ended(refusal)

    async def _hold_back(self, refusal: CircuitOpen) -> Ended | None:
        """Call nothing while the breaker is open; None where nothing would be called anyway.

        A call that may have happened before always waits: to fail it would hide the doubt.
        """
        row = await self._parts.ledger.find(self._call.effect_key)
        if row is None or row.state is LedgerState.FAILED:
            return Ended(held_back(self._job.tool.contract, refusal))
        if self._may_call_again(row):
            raise refusal
        return None

    def _may_call_again(self, row: LedgerRow) -> bool:
        if row.state is LedgerState.CLAIMED:
            return self._is_idempotent or self._job.tool.contract.reconciles
        if row.state is not LedgerState.UNKNOWN:
            return False
        if self._call.resolution == "did_not_happen":
            return row.token == self._call.resolved_token
        return self._is_idempotent and not self._job.is_last(row.token)

    def _claim(self) -> Claim:
        call = self._call
        # A lineage is '<namespace>/<workflow id>/<first run id>'; a workflow id may hold slashes.
        workflow_id = "/".join(call.context.lineage.split("/")[1:-1])
        return Claim(
            effect_key=call.effect_key,
            call_id=call.call_id,
            tool=call.tool,
            arguments=call.arguments,
            workflow_id=workflow_id,
            context=call.context,
            deadline=self._parts.clock() + self._timeout,
            request_id=call.grant.request_id if call.grant else None,
        )

    async def _follow(self, row: LedgerRow) -> Ended:
        if row.state is LedgerState.DONE:
            return Ended(recorded(row.result, row.error), row.token)
        if row.state is LedgerState.ABORTED:
            return Ended(self._aborted(), row.token)
        if row.state is LedgerState.UNKNOWN:
            return await self._follow_unknown(row)
        if row.state is LedgerState.CLAIMED:
            return await self._follow_claimed(row)
        raise self._job.conflict(self._parts.grace)  # FAILED just now: the next claim wins it

    async def _follow_claimed(self, row: LedgerRow) -> Ended:
        is_repeatable = self._is_idempotent and not row.error
        if not (is_repeatable and self._is_missed(row)):
            self._wait_for_end(row)
        if is_repeatable:
            return await (await self._take_over(row, 1, in_doubt=True)).make()
        rounds = 2 if self._job.tool.contract.reconciles else 0
        held = await self._take_over(row, rounds, in_doubt=True)
        return await held.reconcile_or_make(row)

    def _is_missed(self, row: LedgerRow) -> bool:
        """Whether Temporal has missed the row's attempt, and the call may be made again.

        Temporal does not say how an earlier attempt ended. After a conflict it comes back when the
        row's call is over; if the row is in other hands again by then, or the earlier attempt could
        not start, the row's attempt may still run. The other side then knows both by one key, and
        the token lets only the later one settle.
        """
        may_call = reason_not_to_call(self._parts, self._job, row.token + 1) is None
        return self._job.is_retry and may_call

    async def _follow_unknown(self, row: LedgerRow) -> Ended:
        if self._call.resolution == "did_not_happen":
            if row.token == self._call.resolved_token:
                self._wait_for_end(row)
                return await (await self._take_over(row, 1, in_doubt=False)).make()
        elif self._is_idempotent and not self._job.is_last(row.token):
            return await (await self._take_over(row, 1, in_doubt=True)).make()
        return Ended(unknown(self._name, row, row.error), row.token)

    def _wait_for_end(self, row: LedgerRow) -> None:
        """Let Temporal come back when the row's call is over for certain."""
        left = row.deadline + self._parts.grace - self._parts.clock()
        if left > timedelta():
            raise self._job.conflict(left)

    async def _take_over(self, row: LedgerRow, rounds: int, *, in_doubt: bool) -> HeldEffect:
        """Make the row this attempt's, for so many of the tool's timeouts.

        One is for the call, one for asking what happened before it; none for a row that is only
        to be settled.
        """
        deadline = self._parts.clock() + rounds * self._timeout
        taken = await self._parts.ledger.take_over(row.effect_key, row.token, deadline)
        if not taken.won:
            raise self._job.conflict(self._parts.grace)
        return HeldEffect(self._parts, self._job, taken.row, in_doubt=in_doubt)

    async def _take_word(self) -> Ended:
        """Write what a person said of an UNKNOWN effect; nothing is called any more."""
        row = await self._parts.ledger.find(self._call.effect_key)
        if row is None:
            raise LedgerConflict(
                f"the ledger has no row of {self._call.effect_key!r}, which a person was asked "
                "about. Is this worker connected to the right database?",
                retry_after_seconds=self._parts.grace.total_seconds(),
            )
        if row.state is LedgerState.DONE:
            return Ended(recorded(row.result, row.error), row.token)
        if row.state is LedgerState.ABORTED:
            return Ended(self._aborted(), row.token)
        if row.state is LedgerState.FAILED:
            certain = ToolFailed(f"{self._name!r} did not happen: {row.error}")
            return Ended(failed(certain), row.token)
        if row.state is LedgerState.CLAIMED:
            self._wait_for_end(row)
            held = await self._take_over(row, 0, in_doubt=True)
            await held.settle_unknown(row.error or LOST)
        return await self._resolve(row)

    async def _resolve(self, row: LedgerRow) -> Ended:
        if self._call.resolution == "abort":
            outcome, state, result = self._aborted(), LedgerState.ABORTED, None
        else:
            try:
                given = self._job.tool.typed_result(self._call.resolved_result)
                result = self._job.tool.validate_result(given)
            except BadResult as error:
                return Ended(unknown(self._name, row, error.message), row.token)
            outcome, state = recorded(result, ""), LedgerState.DONE
        if not await self._parts.ledger.resolve(
            row.effect_key, state, result=result, error=outcome.message
        ):
            raise self._job.conflict(self._parts.grace)
        return Ended(outcome, row.token + 1)  # a later attempt finds the row with this token

    def _aborted(self) -> ToolOutcome:
        return failed(
            EffectAborted(
                f"a reviewer ended {self._name!r}: nobody knows whether it happened. Do not call "
                "it again."
            )
        )
