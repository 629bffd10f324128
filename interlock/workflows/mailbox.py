"""What signals and updates bring to a run: decisions, messages, cancellation.

Handlers only append here; the graph runs in a task of its own and never in a handler. A handler
that is early waits until the run is open, so nothing is answered by a run that does not know yet
what it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from temporalio import workflow

from interlock.approvals.contract import Decision, DecisionAnswer, Rejudged
from interlock.approvals.desk import MOST_VERIFIED, read_decision
from interlock.errors import (
    DecisionRefused,
    InterlockError,
    LimitReached,
    NotAConversation,
    RunFinished,
)
from interlock.models.messages import to_json
from interlock.workflows import calls
from interlock.workflows.contract import MessageAnswer
from interlock.workflows.inputs import read_message
from interlock.workflows.rejudging import rejudge
from interlock.workflows.run import Run

_RECORDED_REFUSALS = 50
"""Refusals that one run writes to the audit store. The next one says so; later ones are only
counted, so that strays cannot fill the store."""


class Mailbox:
    """The inbox of one run; closed before it is opened and after it has ended."""

    def __init__(self) -> None:
        self.cancelled: str | None = None
        """Why the run is to be cancelled, once someone asked for it."""
        self._run: Run | None = None
        self._stop: Callable[[], object] | None = None
        self._over = False
        self._verifying = asyncio.Lock()

    async def open(self, run: Run) -> None:
        """Take decisions and messages for `run` from now on, first those that came early."""
        self._run = run
        # Conditions are looked at in the order in which they were waited for: handlers go first.
        await workflow.wait_condition(lambda: True)

    def on_cancel(self, stop: Callable[[], object]) -> None:
        """Call `stop` when the run is to be cancelled, or now when that was asked for already."""
        self._stop = stop
        if self.cancelled is not None:
            stop()

    def close(self) -> None:
        """Refuse whatever comes from now on: the run has ended, or never began."""
        self._over = True

    async def opened(self) -> None:
        """Wait until there is a run to take something, or none will be."""
        if self._run is None and not self._over:
            await workflow.wait_condition(lambda: self._run is not None or self._over)

    async def take_decision(self, data: Any, sending: str = "") -> DecisionAnswer:
        """Accept a decision, or refuse it and note why.

        However many were refused before, one that is right counts: strays shut nobody out.

        Args:
            data: The decision.
            sending: Id of the update that brings it. When a run continues as new, the server may
                send to the next one what the one before has accepted: it hears the same answer.
        """
        await self.opened()
        if self._run is not None and sending in self._run.answers:
            return self._run.answers[sending]
        try:
            decision = read_decision(data)
        except DecisionRefused as error:
            return self._refuse("", "MALFORMED", error.message)
        run = self._run
        if run is None:
            return self._refuse(decision.request_id, "UNKNOWN_REQUEST", "the run has ended.")
        if decision.is_signed:
            answer = await self._verify_and_submit(run, decision)
        else:
            answer = run.desk.submit(decision, workflow.now())
        if not answer.accepted:
            return self._refuse(
                decision.request_id, answer.code, answer.message, reviewer=decision.signed_off
            )
        if answer.missing:
            _note_vote(run, decision, answer)
        if sending:
            run.answers[sending] = answer
        return answer

    async def _verify_and_submit(self, run: Run, decision: Decision) -> DecisionAnswer:
        """Accept a signed decision, if its signature counts when all else about it is right.

        One after the other: a decision that is sent again meanwhile finds the first one taken, and
        costs no verification.
        """
        with _noted_as_verifying(run, decision.request_id):
            async with self._verifying:
                return await self._verify_next(run, decision)

    async def _verify_next(self, run: Run, decision: Decision) -> DecisionAnswer:
        refused = run.desk.check(decision, workflow.now())
        if refused is not None:
            return refused
        if not run.desk.may_verify(decision.request_id):
            why = f"{MOST_VERIFIED} signed decisions on this request were looked at already."
            return _refused(decision, "TOO_MANY_DECISIONS", why)
        found = await calls.verify(decision, summary="signature of a decision")
        if found.code:
            return _refused(decision, found.code, found.message)
        # Time has passed: whatever happened meanwhile counts.
        return run.desk.submit(decision, workflow.now())

    async def rejudge(self) -> tuple[Rejudged, ...]:
        """Ask the policy of today about whatever waits."""
        await self.opened()
        return await rejudge(self._run) if self._run else ()

    def check_message(self, message: Any) -> None:
        """Say whether a message may be sent now.

        Raises:
            CallerError: the run is no conversation or has ended, or the message is malformed.
        """
        if self._over:
            raise RunFinished("the run has ended and takes no more messages. Start a new one.")
        if self._run is not None and not self._run.request.conversation:
            raise NotAConversation(
                "this run takes no messages: it was not started with 'conversation': true. Start a "
                "new run, or decide on what it waits for."
            )
        read_message(message)

    async def take_message(self, message: Any) -> MessageAnswer:
        """Put a message into the queue of the next turn, or refuse it and note why."""
        await self.opened()
        run = self._run
        try:
            self.check_message(message)
            if run is not None:
                _check_room(run)
                run.messages.append(to_json(read_message(message)))
        except InterlockError as error:
            self._note_refusal(error.code, why=error.message)
            return MessageAnswer(accepted=False, code=error.code, message=error.message)
        return MessageAnswer(accepted=True)

    def cancel(self, reason: str) -> None:
        """Stop the run's graph; no door opens for it any more."""
        self.cancelled = reason or "no reason given"
        if self._stop is not None:
            self._stop()

    def _refuse(
        self, request_id: str, code: str, message: str, /, **details: Any
    ) -> DecisionAnswer:
        self._note_refusal(code, request=request_id, why=message, **details)
        return DecisionAnswer(accepted=False, request_id=request_id, code=code, message=message)

    def _note_refusal(self, code: str, /, **details: Any) -> None:
        run = self._run
        if run is None:
            return
        run.refusals += 1
        if run.refusals <= _RECORDED_REFUSALS:
            run.note("refusal", code, "refused", workflow.now(), **details)
        elif run.refusals == _RECORDED_REFUSALS + 1:
            why = f"{_RECORDED_REFUSALS} refusals are recorded; from here on they are only counted."
            run.note("refusal", "TOO_MANY", "refused", workflow.now(), why=why)


@contextmanager
def _noted_as_verifying(run: Run, request_id: str) -> Iterator[None]:
    run.verifying.append(request_id)
    try:
        yield
    finally:
        run.verifying.remove(request_id)


def _check_room(run: Run) -> None:
    if len(run.messages) >= run.terms.signals:
        raise LimitReached(
            f"{len(run.messages)} messages wait for the agent, and it takes no more before it has "
            "read them. Send this one later, or raise limits.signals."
        )


def _refused(decision: Decision, code: str, message: str) -> DecisionAnswer:
    return DecisionAnswer(
        accepted=False, request_id=decision.request_id, code=code, message=message
    )


def _note_vote(run: Run, decision: Decision, answer: DecisionAnswer) -> None:
    """Note an approval that is not the last one; the gate notes that one."""
    request = run.desk.request_at(decision.request_id, workflow.now())
    run.note(
        "decision",
        request.tool or request.kind,
        "voted",
        workflow.now(),
        request=request.id,
        reviewer=decision.signed_off,
        verified=decision.is_signed,
        comment=decision.comment,
        digest=request.digest,
        tier=request.tier.tier,
        missing=answer.missing,
    )
