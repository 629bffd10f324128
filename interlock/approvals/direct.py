"""The tool door outside a workflow: a notebook, a unit test, plain LangGraph.

The same steps as in a workflow, without its durability: a decision is asked for by LangGraph's own
`interrupt`, attempts are made in this process, and logical calls are counted in its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from langgraph.config import get_config
from langgraph.types import interrupt
from pydantic import BaseModel

from interlock.approvals.contract import ApprovalRequest
from interlock.approvals.desk import Cast, Desk, Ruling, read_decision
from interlock.approvals.edits import counts_for, is_enough, told_of_edit
from interlock.approvals.grants import grant_of
from interlock.approvals.judge import Judge
from interlock.approvals.policy import Policy
from interlock.approvals.tiers import asked_tiers
from interlock.audit.contract import Effects
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import (
    ActionDenied,
    ApprovalRejected,
    CircuitOpen,
    DecisionRefused,
    LedgerConflict,
    NoPort,
    ToolUnavailable,
    UnknownTool,
)
from interlock.tools.amounts import amount_of
from interlock.tools.contract import (
    Ask,
    AskedAction,
    Grant,
    NotedResult,
    ToolCall,
    ToolContract,
    Verdict,
    action_digest,
    effect_key,
)
from interlock.tools.definition import Tool
from interlock.tools.gateway import ToolGateway
from interlock.tools.outcomes import result_of

AskPerson = Callable[[Any], Any]
"""Shows a request to a person and returns the decision; `interrupt` of LangGraph does."""

_BACKOFF_SECONDS = 0.5


class DirectTools:
    """`ToolPort` on a gateway of this process.

    Args:
        gateway: Where calls are carried out.
        policy: What judges them.
        context: Who the calls are for. Its lineage begins with 'outside/' and is new for each
            application that is opened: occurrences are counted from zero.
        clock: The time now, with its zone.
        deadline_seconds: How long a request says that it waits.
        grant_seconds: How long after a decision its effect may still be made.
        effects: What running totals are about; without it no total is known.
        ask: How a person is asked; default: LangGraph's `interrupt`.
    """

    def __init__(
        self,
        gateway: ToolGateway,
        policy: Policy,
        context: CallContext,
        *,
        clock: Callable[[], datetime],
        deadline_seconds: float,
        grant_seconds: float,
        effects: Effects | None = None,
        ask: AskPerson | None = None,
    ) -> None:
        self._gateway = gateway
        self._judging = Judge(policy, effects, clock=clock)
        self._context = context
        self._clock = clock
        self._deadline = timedelta(seconds=deadline_seconds)
        self._grant = timedelta(seconds=grant_seconds)
        self._ask = ask or _interrupt
        self._calls = _LogicalCalls()

    async def call_tool(
        self, tool: ToolContract, arguments: dict[str, Any], tool_call_id: str | None
    ) -> Any:
        """Make one logical call; see `ToolPort`.

        Raises:
            GraphInterrupt: a person has to decide; LangGraph hands the request to its caller.
        """
        call_id = tool_call_id or self._calls.identify()
        found = self._gateway.tools.get(tool.name)
        if found is None:
            raise UnknownTool(
                f"{tool.name!r} is not a tool of this application. Known: "
                f"{', '.join(sorted(self._gateway.tools))}. Add it to 'tools' in interlock.toml."
            )
        canonical = found.validate_arguments(arguments)
        verdict = await self._judge(found, canonical)
        if verdict.outcome != "ask":
            return await self._run(found, canonical, verdict, None, call_id)
        given = await self._review(found, canonical, verdict, call_id, tool_call_id is None)
        if given.grant is None:
            return given.answer
        result = await self._run(found, given.arguments, given.verdict, given.grant, call_id)
        return NotedResult(result, given.note) if given.note and tool_call_id else result

    async def _review(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        verdict: Verdict,
        call_id: str,
        is_typed: bool,
    ) -> _Given:
        """Ask until it is decided, also about what an edit made of it; see `workflows.review`."""
        seen, note = arguments, ""
        votes: tuple[Cast, ...] = ()
        while True:
            request = self._request(tool, arguments, verdict, call_id)
            ruling = self._decide(tool, request, votes, is_typed)
            decision, before = ruling.decision, verdict.ask or Ask()
            if decision.verb == "respond":
                return _Given(arguments, verdict, None, decision.result)
            if decision.verb == "approve":
                grant = self._grant_for(request, ruling, ruling.votes)
                return _Given(arguments, verdict, grant, note=note)
            asked = AskedAction(arguments=arguments, policy=verdict.policy)
            arguments = tool.validate_arguments(decision.arguments)
            verdict = await self._judge(tool, arguments)
            after, vote = verdict.ask or Ask(), Cast(decision, asked)
            note = told_of_edit(seen, arguments, decision.comment)
            if verdict.outcome != "ask" or is_enough(before, after, ruling):
                edited = request.model_copy(
                    update={"digest": self._digest(tool, arguments, verdict)}
                )
                grant = self._grant_for(edited, ruling, (vote,))
                return _Given(arguments, verdict, grant, note=note)
            votes = (vote,) if counts_for(after, decision) else ()

    async def _judge(self, tool: Tool, arguments: dict[str, Any]) -> Verdict:
        verdict = await self._judging.verdict(tool, arguments, self._context)
        if verdict.outcome == "deny":
            raise ActionDenied(
                f"{tool.name!r} is not allowed: {verdict.reason} Do not ask for it again."
            )
        return verdict

    def _request(
        self, tool: Tool, arguments: dict[str, Any], verdict: Verdict, call_id: str
    ) -> ApprovalRequest:
        now, action = self._clock(), self._digest(tool, arguments, verdict)
        tiers = asked_tiers("action", verdict.ask or Ask(), now, self._deadline)
        return ApprovalRequest(
            id=f"{call_id}:{action[:12]}",
            tool=tool.name,
            arguments=arguments,
            digest=action,
            why=verdict.reason,
            risk=verdict.risk,
            agent=self._context.agent,
            tenant=self._context.tenant,
            node=self._context.node,
            requested_at=now,
            expires_at=tiers[-1].until,
            on_timeout=verdict.ask.on_timeout if verdict.ask else "deny",
            lineage=self._context.lineage,
            tiers=tiers,
            amount=amount_of(tool.contract, arguments),
            undo=tool.contract.undo,
        )

    def _decide(
        self, tool: Tool, request: ApprovalRequest, votes: tuple[Cast, ...], is_typed: bool
    ) -> Ruling:
        """Ask, and take the answers by the rules of the desk, until there are enough."""
        desk = Desk()
        check_answer = tool.typed_result if is_typed else None
        desk.open(request, tool.validate_arguments, votes, check_answer)
        while not desk.is_decided(request.id):
            seen = desk.request_at(request.id, self._clock())
            given = self._ask(seen.model_dump(mode="json"))
            data = given.model_dump() if isinstance(given, BaseModel) else given
            if isinstance(data, dict):  # whoever resumes the graph has this request before them
                data = {"request_id": request.id, "digest": request.digest, **data}
            answer = desk.submit(read_decision(data), self._clock())
            if not answer.accepted:
                raise DecisionRefused(answer.message, refusal=answer.code, tool=tool.name)
        ruling = desk.take(request.id)
        if ruling.decision.verb == "reject":
            said = ruling.decision.comment
            comment = f": {said}" if said else "."
            raise ApprovalRejected(f"a reviewer rejected {tool.name!r}{comment}")
        return ruling

    def _grant_for(
        self, request: ApprovalRequest, ruling: Ruling, votes: tuple[Cast, ...]
    ) -> Grant:
        now = self._clock()
        return grant_of(request, ruling, votes, now, now + self._grant)

    def _digest(self, tool: Tool, arguments: dict[str, Any], verdict: Verdict) -> str:
        return action_digest(
            tool.name,
            arguments,
            tenant=self._context.tenant,
            release=self._context.release,
            policy=verdict.policy,
        )

    async def _run(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        verdict: Verdict,
        grant: Grant | None,
        call_id: str,
    ) -> Any:
        occurrence = self._calls.occurrence(tool.name, arguments, call_id)
        call = ToolCall(
            call_id=call_id,
            tool=tool.name,
            arguments=arguments,
            effect_key=effect_key(self._context.lineage, tool.name, arguments, occurrence),
            context=self._context,
            policy=verdict.policy,
            grant=grant,
            must_have_grant=verdict.outcome == "ask",
        )
        attempt = 0
        while True:
            attempt += 1
            try:
                outcome = await self._gateway.run(call, attempt=attempt)
            except LedgerConflict as error:
                if "retry_after_seconds" not in error.details:
                    raise
                # The other attempt is most likely of this process, and may be over any moment.
                await asyncio.sleep(min(error.details["retry_after_seconds"], _BACKOFF_SECONDS))
            except CircuitOpen as error:  # it waits, which is no attempt
                attempt -= 1
                await asyncio.sleep(error.details["retry_after_seconds"])
            except ToolUnavailable as error:  # it returns a failure when no attempt is left
                wait = error.details.get("retry_after_seconds", _BACKOFF_SECONDS * attempt)
                await asyncio.sleep(wait)
            else:
                return result_of(call, outcome)


def _interrupt(request: Any) -> Any:
    try:
        get_config()
    except RuntimeError as error:
        raise NoPort(
            f"{request['tool']!r} needs a person's decision, and no graph runs that could wait for "
            "it. Call it in a node of a graph with a checkpointer, or give `ask`."
        ) from error
    return interrupt(request)


class _Given(NamedTuple):
    """What a review gave: a grant, or an answer in the tool's place."""

    arguments: dict[str, Any]
    verdict: Verdict
    grant: Grant | None
    answer: Any = None
    note: str = ""
    """What the model is told of an edit."""


class _LogicalCalls:
    """Tells calls apart: the same place of the same LangGraph task is the same logical call."""

    def __init__(self) -> None:
        self._count = 0
        self._places: dict[str, tuple[object, int]] = {}
        self._occurrences: dict[str, list[str]] = {}

    def identify(self) -> str:
        """Return the identity of a call that a node makes without a tool call id."""
        try:
            settings = get_config().get("configurable", {})
        except RuntimeError:  # LangGraph's way of saying: not inside a node
            settings = {}
        task, execution = settings.get("__pregel_task_id"), settings.get("__pregel_scratchpad")
        if task is None:
            self._count += 1
            return f"call:{self._count}"
        # A task that runs again after an interrupt has a new scratchpad: it counts from zero.
        seen, index = self._places.get(task, (execution, 0))
        if seen is not execution:
            index = 0
        self._places[task] = (execution, index + 1)
        return f"{task}:{index}"

    def occurrence(self, tool: str, arguments: dict[str, Any], call_id: str) -> int:
        """Return the ordinal of `call_id` among calls with this tool and arguments."""
        calls = self._occurrences.setdefault(digest([tool, arguments]), [])
        if call_id not in calls:
            calls.append(call_id)
        return calls.index(call_id)
