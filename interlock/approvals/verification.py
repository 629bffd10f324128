"""Signed decisions are verified twice: when a run takes one, and before the effect is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from temporalio import activity

from interlock.approvals.contract import Decision, Notice, Verification
from interlock.approvals.identity import Refusal, refuse_person
from interlock.approvals.signatures import KeyRing
from interlock.context import CallContext
from interlock.errors import InterlockError
from interlock.tools.contract import (
    AskedAction,
    Grant,
    ToolCall,
    Vote,
    action_digest,
    outcome_digest,
)
from interlock.tools.definition import Tool

Notify = Callable[[Notice], Awaitable[None]]
"""Tells people of an open request. It may be called again with the same notice."""


class DecisionActivities:
    """Activities on decisions that wait or come in.

    Args:
        keys: The deployment's public keys.
        notify: Who is told of requests.
    """

    def __init__(self, keys: KeyRing, notify: Notify) -> None:
        self._keys = keys
        self._notify = notify

    @activity.defn(name="approvals.verify")
    async def verify(self, decision: Decision) -> Verification:
        """Say whether the signature of a decision that just came counts."""
        refusal = self._keys.refusal(decision)
        return Verification(**refusal._asdict()) if refusal else Verification()

    @activity.defn(name="approvals.notify")
    async def notify(self, notice: Notice) -> None:
        """Tell people of a request that they have not decided on."""
        await self._notify(notice)


class GrantVerifier:
    """Verifies, in the tool's activity, the decisions that a call rests on.

    Args:
        keys: The deployment's public keys.
        require_signature: A person's decision counts only when it is signed.
    """

    def __init__(self, keys: KeyRing, *, require_signature: bool = False) -> None:
        self._keys = keys
        self._required = require_signature

    def refusal(self, call: ToolCall, tool: Tool) -> Refusal | None:
        """Return why the decisions that a call rests on do not hold, or None.

        Args:
            call: The call. Its arguments are valid.
            tool: Its tool, which knows the canonical form of arguments.
        """
        return self._refuse_grant(call, tool) or self.word_refusal(call)

    def _refuse_grant(self, call: ToolCall, tool: Tool) -> Refusal | None:
        grant = call.grant
        if grant is None or grant.by_policy:
            return None
        if not grant.votes:
            return self._unsigned(call.tool)
        heard: set[str] = set()
        people = 0
        for vote in grant.votes:
            decision = _read(vote.decision)
            if decision is None or not _is_about(decision, vote, call, grant, tool):
                return _foreign(call.tool)
            refusal = self._refuse_vote(decision, grant, call.context)
            if refusal is not None:
                return refusal
            people += heard.isdisjoint(decision.voices)
            heard.update(decision.voices)
        missing = grant.quorum - people
        if missing <= 0:
            return None
        return Refusal("NO_GRANT", f"{call.tool!r} needs {missing} more people to approve it.")

    def word_refusal(self, call: ToolCall) -> Refusal | None:
        """Return why what a person said of an UNKNOWN effect does not count, or None."""
        if call.resolution is None:
            return None
        if call.word is None or not call.word.votes:
            return self._unsigned(call.tool)
        for vote in call.word.votes:
            decision = _read(vote.decision)
            asked = outcome_digest(call.effect_key, call.resolved_token)
            if decision is None or (decision.digest, decision.verb) != (asked, call.resolution):
                return _foreign(call.tool)
            if decision.result != call.resolved_result:
                return _foreign(call.tool)
            refusal = self._refuse_vote(decision, call.word, call.context)
            if refusal is not None:
                return refusal
        return None

    def _unsigned(self, tool: str) -> Refusal | None:
        if not self._required:
            return None
        return Refusal("UNSIGNED", f"the decision on {tool!r} is not signed, and has to be.")

    def _refuse_vote(
        self, decision: Decision, grant: Grant, context: CallContext
    ) -> Refusal | None:
        refusal = self._keys.refusal(decision, at_receipt=False)
        if refusal is not None:
            return refusal
        if decision.by is None or decision.lineage != context.lineage:
            return Refusal("OTHER_RUN", "the decision was signed for another run.")
        return refuse_person(decision.by, tenant=context.tenant, who=grant.who, barred=grant.barred)


def _read(data: dict[str, Any]) -> Decision | None:
    try:
        return Decision.model_validate(data)
    except ValidationError:
        return None


def _is_about(decision: Decision, vote: Vote, call: ToolCall, grant: Grant, tool: Tool) -> bool:
    """Whether a decision allows exactly this call: as it was, or as it made it."""
    if decision.verb == "approve" and vote.asked is None:
        return decision.digest == grant.digest and decision.request_id == grant.request_id
    if decision.verb != "edit" or vote.asked is None:
        return False
    return decision.digest == _digest(call, vote.asked) and _makes(decision, call, tool)


def _makes(decision: Decision, call: ToolCall, tool: Tool) -> bool:
    """Whether an edit makes the action this call. A reviewer signs any form that is valid."""
    try:
        signed = tool.validate_arguments(decision.arguments)
    except InterlockError:
        return False
    return signed == tool.validate_arguments(call.arguments)


def _digest(call: ToolCall, asked: AskedAction) -> str:
    return action_digest(
        call.tool,
        asked.arguments,
        tenant=call.context.tenant,
        release=call.context.release,
        policy=asked.policy,
    )


def _foreign(tool: str) -> Refusal:
    return Refusal("DIGEST_MISMATCH", f"a decision on another action came with {tool!r}.")
