"""Interrupts of a graph as approval requests, and decisions as what `interrupt()` returns.

Three kinds of value are known: LangChain's batched and per-call human-in-the-loop requests, which
become one request for each action, and any other value, which is a question. An action that is a
mistake of the model is nobody's to decide on: the model is told, through the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage
from langgraph.types import Interrupt

from interlock.approvals.labels import shown
from interlock.canonical import digest, jsonable
from interlock.errors import ActionDenied, ApprovalExpired, BadArguments
from interlock.tools.contract import Risk
from interlock.tools.definition import Tool
from interlock.workflows.gate import Gate, question_digest
from interlock.workflows.review import Action, Review, Reviewed
from interlock.workflows.run import Run

_TELLING = ("reject", "approve", "respond", "edit")
"""Verbs by which the model can be told of a mistake, best first: `respond` calls it a success."""


class _Action(NamedTuple):
    """One action of an interrupt, read and checked."""

    call_id: str
    name: str
    tool: Tool | None
    """None for what only the graph itself can carry out."""
    arguments: dict[str, Any]
    allowed: tuple[str, ...]
    why: str
    told: dict[str, Any] | None = None
    """What the middleware is told at once, when there is nothing to decide."""


class Interrupts:
    """Answers the interrupts of one run through its gate."""

    def __init__(self, run: Run, gate: Gate, tools: Mapping[str, Tool]) -> None:
        self._run = run
        self._gate = gate
        self._review = Review(run, gate)
        self._tools = tools

    async def answer(self, interrupts: list[Interrupt], messages: list[Any]) -> dict[str, Any]:
        """Wait for every interrupt's decision and return the resume values by interrupt id.

        Args:
            interrupts: What the graph stopped at.
            messages: The messages of the state that stopped, to find tool call ids in.

        Raises:
            ApprovalExpired: nobody answered a question in time, or an action that can only be done.
            ActionDenied: the policy does not allow such an action.
            LimitReached: the model made one mistake too many in a row.
        """
        # All are read before anybody is asked: the model's last mistake leaves no open request.
        asked = [self._read(interrupt, messages) for interrupt in interrupts]
        answers = await asyncio.gather(*(ask() for ask in asked))
        return {interrupt.id: answer for interrupt, answer in zip(interrupts, answers, strict=True)}

    def _read(self, interrupt: Interrupt, messages: list[Any]) -> Callable[[], Awaitable[Any]]:
        value, calls = interrupt.value, _CallFinder(messages)
        if isinstance(value, dict) and "action_requests" in value and "review_configs" in value:
            allowed = {
                item["action_name"]: item["allowed_decisions"] for item in value["review_configs"]
            }
            actions = [
                self._action(
                    calls.find(action["name"], action["args"]), action, allowed[action["name"]]
                )
                for action in value["action_requests"]
            ]
            return partial(self._batch, actions)
        if isinstance(value, dict) and value.get("type") == "tool_approval":
            verbs = _verbs_of(interrupt.response_schema)
            return partial(self._decide, self._action(value["tool_call_id"], value, verbs))
        return partial(self._question, value)

    def _action(
        self, call_id: str | None, value: dict[str, Any], allowed: Sequence[str]
    ) -> _Action:
        name, arguments = value["name"], value["args"]
        tool = self._tools.get(name)
        read = _Action(
            call_id=call_id or f"action-{digest([name, arguments])[:12]}",
            name=name,
            tool=tool,
            arguments=arguments,
            allowed=tuple(allowed),
            why=value.get("description") or f"the agent asks a person before {name!r}",
        )
        offered = self._run.offered
        # A graph may carry out calls of a model by itself; then it has offered them.
        if tool is None and call_id is not None and offered and name not in offered:
            there = ", ".join(sorted(offered))
            return self._mistaken(read, f"{name!r} is not a tool; there are {there}.")
        try:
            checked = tool.validate_arguments(arguments) if tool else jsonable(arguments)
        except BadArguments as error:
            if call_id is None:
                raise  # the graph's own action: no model could correct it
            return self._mistaken(read, error.message)
        return read._replace(arguments=checked)

    def _mistaken(self, action: _Action, message: str) -> _Action:
        """Return the action with the answer that lets the model know, of those it allows.

        Where it can only be approved or edited it is passed on as it is: the tool door refuses it,
        whatever becomes of its arguments, or the graph's tool node refuses it.
        """
        told = _telling(action, message)
        if action.tool is None:
            pass  # the model door has counted an unknown tool
        elif told["type"] in ("reject", "respond"):
            self._run.count_mistake(message)
        else:
            self._run.logical_calls.pass_unseen(action.call_id)
        return action._replace(told=told)

    async def _batch(self, actions: list[_Action]) -> dict[str, Any]:
        return {"decisions": list(await asyncio.gather(*map(self._decide, actions)))}

    async def _decide(self, action: _Action) -> dict[str, Any]:
        if action.told is not None:
            return action.told
        try:
            asked = await self._asked(action)
            reviewed = await self._review.decide(asked)
        except (ActionDenied, ApprovalExpired) as error:
            return _refusing(action, error)
        given = reviewed.granted
        if given is not None:
            digest = self._review.digest(action.name, given.arguments, given.policy)
            self._run.logical_calls.grant(action.call_id, digest, given)
        return _langchain_decision(action.name, reviewed)

    async def _asked(self, action: _Action) -> Action:
        """Return what people are asked: on the policy's terms, when it asks about the call too.

        Raises:
            ActionDenied: the policy does not allow it, whatever anybody says.
        """
        tool, arguments = action.tool, action.arguments
        asked = Action(
            call_id=action.call_id,
            name=action.name,
            tool=tool,
            arguments=arguments,
            why=action.why,
            risk=tool.risk_of(arguments) if tool else Risk.HIGH,
            policy=self._run.terms.policy,
            allowed=action.allowed,
            is_early=True,
            spans=shown(self._run.spans(arguments) or ()),
        )
        if tool is None or action.name in self._run.terms.judged_with_call:
            return asked
        verdict = await self._review.judge_early(tool, arguments)
        asked = asked._replace(risk=verdict.risk, policy=verdict.policy)
        if verdict.outcome != "ask":
            return asked
        return asked._replace(why=f"{action.why} {verdict.reason}", terms=verdict.ask)

    async def _question(self, value: Any) -> Any:
        shown = jsonable(value)
        action = question_digest(shown, self._run.request.tenant, self._run.terms.release)
        request = self._gate.request(
            kind="question",
            call_id=f"q{self._run.steps}",
            digest=action,
            why="the agent asks a question",
            risk=Risk.LOW,
            allowed=("respond", "approve", "reject", "edit"),
            payload=shown,
        )
        decision = (await self._gate.ask(request)).decision
        answers = {
            "respond": decision.result,
            "approve": True,
            "reject": False,
            "edit": decision.arguments,
        }
        return answers[decision.verb]


class _CallFinder:
    """Finds the tool call id of each action of a batch: equal actions take their ids in order."""

    def __init__(self, messages: list[Any]) -> None:
        last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
        self._calls = list(last.tool_calls) if last else []

    def find(self, name: str, arguments: dict[str, Any]) -> str | None:
        for index, call in enumerate(self._calls):
            if call["name"] == name and call["args"] == arguments and call["id"]:
                del self._calls[index]
                return str(call["id"])
        return None


def _verbs_of(schema: Any) -> Sequence[str]:
    """Return the decisions that a per-call interrupt takes: one, or a union of several."""
    if not isinstance(schema, dict):
        return ("approve", "edit", "reject", "respond")
    several = schema.get("discriminator", {}).get("mapping")
    return tuple(several) if several else (schema["properties"]["type"]["const"],)


def _telling(action: _Action, message: str) -> dict[str, Any]:
    """Return the answer that lets the model know, of those that an action allows."""
    same = {"name": action.name, "args": action.arguments}
    answers: dict[str, dict[str, Any]] = {
        "reject": {"type": "reject", "message": message},
        "approve": {"type": "approve"},
        "respond": {"type": "respond", "message": message},
        "edit": {"type": "edit", "edited_action": same},
    }
    return answers[next(verb for verb in _TELLING if verb in action.allowed)]


def _refusing(action: _Action, error: ActionDenied | ApprovalExpired) -> dict[str, Any]:
    """Return the answer that keeps an action from being done.

    Raises:
        HumanNeeded: it allows none: to approve what nobody approved is no answer.
    """
    verb = next((verb for verb in ("reject", "respond") if verb in action.allowed), None)
    if verb is None:
        raise error
    return {"type": verb, "message": error.message}


def _langchain_decision(name: str, reviewed: Reviewed) -> dict[str, Any]:
    decision = reviewed.decision
    if reviewed.granted is not None and reviewed.edited:
        return {"type": "edit", "edited_action": {"name": name, "args": reviewed.arguments}}
    if decision.verb == "approve":
        return {"type": "approve"}
    if decision.verb == "respond":
        text = decision.result if isinstance(decision.result, str) else str(decision.result)
        return {"type": "respond", "message": text}
    return (
        {"type": "reject", "message": decision.comment} if decision.comment else {"type": "reject"}
    )
