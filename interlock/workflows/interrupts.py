"""Interrupts of a graph as approval requests, and decisions as what `interrupt()` returns.

Three kinds of value are known: LangChain's batched and per-call human-in-the-loop requests, which
become one request for each action, and any other value, which is a question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.types import Interrupt

from interlock.approvals.contract import Decision
from interlock.canonical import digest, jsonable
from interlock.errors import ApprovalExpired
from interlock.tools.contract import Risk, action_digest
from interlock.tools.definition import Tool
from interlock.workflows.gate import Gate, question_digest
from interlock.workflows.run import Granted, Run


class Interrupts:
    """Answers the interrupts of one run through its gate."""

    def __init__(self, run: Run, gate: Gate, tools: Mapping[str, Tool]) -> None:
        self._run = run
        self._gate = gate
        self._tools = tools

    async def answer(self, interrupts: list[Interrupt], messages: list[Any]) -> dict[str, Any]:
        """Wait for every interrupt's decision and return the resume values by interrupt id.

        Args:
            interrupts: What the graph stopped at.
            messages: The messages of the state that stopped, to find tool call ids in.

        Raises:
            ApprovalExpired: nobody answered a question in time.
        """
        answers = await asyncio.gather(
            *(self._one(interrupt.value, messages) for interrupt in interrupts)
        )
        return {interrupt.id: answer for interrupt, answer in zip(interrupts, answers, strict=True)}

    async def _one(self, value: Any, messages: list[Any]) -> Any:
        if isinstance(value, dict) and "action_requests" in value and "review_configs" in value:
            return {"decisions": await self._batch(value, messages)}
        if isinstance(value, dict) and value.get("type") == "tool_approval":
            allowed = ("approve", "edit", "reject", "respond")
            return await self._action(
                value["tool_call_id"], value["name"], value["args"], allowed, value["description"]
            )
        return await self._question(value)

    async def _batch(self, value: dict[str, Any], messages: list[Any]) -> list[dict[str, Any]]:
        calls = _CallFinder(messages)
        allowed = {
            item["action_name"]: item["allowed_decisions"] for item in value["review_configs"]
        }
        asked = [
            self._action(
                calls.find(action["name"], action["args"]),
                action["name"],
                action["args"],
                tuple(allowed[action["name"]]),
                action.get("description", ""),
            )
            for action in value["action_requests"]
        ]
        return list(await asyncio.gather(*asked))

    async def _action(
        self,
        call_id: str,
        name: str,
        arguments: dict[str, Any],
        allowed: tuple[str, ...],
        description: str,
    ) -> dict[str, Any]:
        tool = self._tools.get(name)
        action = tool.validate_arguments(arguments) if tool else jsonable(arguments)
        request = self._gate.request(
            kind="action",
            call_id=call_id,
            digest=self._digest(name, action),
            why=description or f"the agent asks a person before {name!r}",
            risk=tool.risk_of(action) if tool else Risk.HIGH,
            allowed=allowed,
            tool=name,
            arguments=action,
        )
        try:
            decision = await self._gate.ask(request, tool.validate_arguments if tool else None)
        except ApprovalExpired as error:
            return {"type": "reject", "message": error.message}
        if decision.verb == "edit" and decision.arguments is not None:
            action = tool.validate_arguments(decision.arguments) if tool else decision.arguments
        if decision.verb in ("approve", "edit"):
            granted = self._digest(name, action)
            grant = self._gate.grant(request, decision, granted)
            policy = self._run.terms.policy
            self._run.granted[(call_id, granted)] = Granted(action, grant, policy)
        return _langchain_decision(name, decision, action)

    def _digest(self, name: str, arguments: dict[str, Any]) -> str:
        return action_digest(
            name,
            arguments,
            tenant=self._run.request.tenant,
            release=self._run.terms.release,
            policy=self._run.terms.policy,
        )

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
        decision = await self._gate.ask(request)
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

    def find(self, name: str, arguments: dict[str, Any]) -> str:
        for index, call in enumerate(self._calls):
            if call["name"] == name and call["args"] == arguments and call["id"]:
                del self._calls[index]
                return str(call["id"])
        return f"action-{digest([name, arguments])[:12]}"


def _langchain_decision(name: str, decision: Decision, action: dict[str, Any]) -> dict[str, Any]:
    if decision.verb == "approve":
        return {"type": "approve"}
    if decision.verb == "edit":
        return {"type": "edit", "edited_action": {"name": name, "args": action}}
    if decision.verb == "respond":
        text = decision.result if isinstance(decision.result, str) else str(decision.result)
        return {"type": "respond", "message": text}
    return (
        {"type": "reject", "message": decision.comment} if decision.comment else {"type": "reject"}
    )
