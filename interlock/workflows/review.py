"""Takes an action to people until it is decided, through edits that need more of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from interlock.approvals.contract import ApprovalRequest, Decision, JudgeRequest
from interlock.approvals.desk import Cast, Ruling
from interlock.approvals.edits import counts_for, is_enough, told_of_edit
from interlock.errors import ActionDenied, ApprovalExpired
from interlock.tools.contract import Ask, AskedAction, Risk, Span, Verdict, action_digest
from interlock.tools.definition import Tool
from interlock.workflows import calls
from interlock.workflows.contract import Granted
from interlock.workflows.gate import Gate, Replaced
from interlock.workflows.run import Run


class Action(NamedTuple):
    """One action that people are asked about."""

    call_id: str
    name: str
    tool: Tool | None
    """None for what only the graph itself can carry out."""
    arguments: dict[str, Any]
    why: str
    risk: Risk
    policy: str
    """Version of the policy that its digest is made with."""
    allowed: tuple[str, ...]
    terms: Ask | None = None
    is_early: bool = False
    """Nobody makes the call yet: whoever does judges it, too, in their node."""
    is_typed: bool = False
    """Code makes the call, and takes an answer in its place as what the tool returns."""
    spans: tuple[Span, ...] = ()

    @property
    def asked_on(self) -> Ask:
        """The terms, given or not."""
        return self.terms or Ask()


class Reviewed(NamedTuple):
    """What people decided on an action."""

    decision: Decision
    """The last decision on it."""
    arguments: dict[str, Any]
    """As they were decided on."""
    granted: Granted | None = None
    """What it allows, if it does."""
    edited: bool = False


class Review:
    """The reviews of one run, through its gate."""

    def __init__(self, run: Run, gate: Gate) -> None:
        self._run = run
        self._gate = gate

    async def judge(self, tool: Tool, arguments: dict[str, Any], call_id: str) -> Verdict:
        """Return the verdict on a logical call, now or before a retry of it.

        Raises:
            ActionDenied: it is a denial.
        """
        name, known = tool.contract.name, self._run.logical_calls
        verdict = known.verdict(call_id, name, arguments)
        if verdict is None:
            verdict = await self._verdict(name, arguments)
            known.judged(call_id, name, arguments, verdict)
        return _not_denied(name, verdict)

    async def judge_early(self, tool: Tool, arguments: dict[str, Any]) -> Verdict:
        """Return the verdict on a call that nobody makes yet. It does not stand for the call's own.

        Raises:
            ActionDenied: it is a denial.
        """
        name = tool.contract.name
        return _not_denied(name, await self._verdict(name, arguments))

    async def _verdict(self, name: str, arguments: dict[str, Any]) -> Verdict:
        request = JudgeRequest(
            tool=name,
            arguments=arguments,
            context=self._run.context(),
            spans=self._run.spans(arguments),
        )
        return await calls.judge(request, summary=f"verdict on {name}")

    def digest(self, name: str, arguments: dict[str, Any], policy: str) -> str:
        """Return the digest that decisions on an action are bound to."""
        return action_digest(
            name,
            arguments,
            tenant=self._run.request.tenant,
            release=self._run.terms.release,
            policy=policy,
        )

    async def decide(self, action: Action) -> Reviewed:
        """Ask until people have decided.

        An edit is judged again. When the policy asks for more than the one who edited, the edited
        action is put to people as a request of its own.

        Raises:
            ActionDenied: it was edited into what the policy does not allow.
            ApprovalExpired: nobody decided in time, and the policy does not allow it then.
            CancelledError: the run is cancelled.
        """
        seen, note = action, ""
        cast: tuple[Cast, ...] = ()
        while True:
            request = self._request(action)
            try:
                ruling = await self._ruled(action, request, cast)
            except Replaced as replaced:
                action, cast = self._replaced(action, replaced.verdict), ()
                continue
            decision = ruling.decision
            if decision.verb != "edit" or decision.arguments is None:
                break
            edited, asks = await self._edited(action, decision.arguments)
            vote = Cast(decision, AskedAction(arguments=action.arguments, policy=action.policy))
            note = told_of_edit(seen.arguments, edited.arguments, decision.comment)
            if not asks or is_enough(action.asked_on, edited.asked_on, ruling):
                granted = self._granted(edited, request, ruling, (vote,), note)
                return Reviewed(decision, edited.arguments, granted, edited=True)
            cast = (vote,) if counts_for(edited.asked_on, decision) else ()
            action = edited
        if decision.verb != "approve":
            return Reviewed(decision, action.arguments, None, edited=bool(note))
        granted = self._granted(action, request, ruling, ruling.votes, note)
        return Reviewed(decision, action.arguments, granted, edited=bool(note))

    def _request(self, action: Action) -> ApprovalRequest:
        return self._gate.request(
            kind="action",
            call_id=action.call_id,
            digest=self.digest(action.name, action.arguments, action.policy),
            why=action.why,
            risk=action.risk,
            allowed=action.allowed,
            tool=action.name,
            arguments=action.arguments,
            terms=action.terms,
            spans=action.spans,
            contract=action.tool.contract if action.tool else None,
        )

    async def _ruled(
        self, action: Action, request: ApprovalRequest, votes: tuple[Cast, ...]
    ) -> Ruling:
        """Return what people say, or what the policy says when nobody decided in time."""
        tool = action.tool
        check = tool.validate_arguments if tool else None
        check_answer = tool.typed_result if tool and action.is_typed else None
        try:
            return await self._gate.ask(request, check, votes, check_answer)
        except ApprovalExpired as expired:
            silence_allows = request.on_timeout == "allow" and "approve" in request.allowed
            if "refusal" in expired.details or not silence_allows:
                raise
            return self._gate.approve_unanswered(request)

    def _replaced(self, action: Action, verdict: Verdict) -> Action:
        """Return the action on the terms of another policy.

        Raises:
            ActionDenied: that policy does not allow it.
        """
        if verdict.outcome == "deny" and not action.is_early:
            known = self._run.logical_calls
            known.judged(action.call_id, action.name, action.arguments, verdict)
        _not_denied(action.name, verdict)
        return action._replace(
            why=verdict.reason,
            risk=verdict.risk,
            policy=verdict.policy,
            terms=verdict.ask,
            spans=verdict.spans,
        )

    async def _edited(self, action: Action, arguments: dict[str, Any]) -> tuple[Action, bool]:
        """Return the edited action, and whether the policy asks people about it."""
        if action.tool is None:
            return action._replace(arguments=arguments), False
        checked = action.tool.validate_arguments(arguments)
        if action.is_early:
            verdict = await self.judge_early(action.tool, checked)
        else:
            verdict = await self.judge(action.tool, checked, action.call_id)
        edited = action._replace(
            arguments=checked,
            why=verdict.reason,
            risk=verdict.risk,
            policy=verdict.policy,
            terms=verdict.ask,
            spans=verdict.spans,
        )
        return edited, verdict.outcome == "ask"

    def _granted(
        self,
        action: Action,
        request: ApprovalRequest,
        ruling: Ruling,
        votes: tuple[Cast, ...],
        note: str,
    ) -> Granted:
        digest = self.digest(action.name, action.arguments, action.policy)
        asked = request.model_copy(update={"digest": digest})
        return Granted(
            arguments=action.arguments,
            grant=self._gate.grant(asked, ruling, votes),
            policy=action.policy,
            note=note,
            asked_on=action.asked_on if action.is_early else None,
        )


def _not_denied(name: str, verdict: Verdict) -> Verdict:
    if verdict.outcome == "deny":
        raise ActionDenied(f"{name!r} is not allowed: {verdict.reason} Do not ask for it again.")
    return verdict
