"""The tool door inside a workflow: validate, verdict, decision, and one recorded call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporalio import workflow

from interlock.errors import (
    ApprovalExpired,
    ApprovalRejected,
    BadArguments,
    InterlockError,
    ModelMistake,
    OutcomeUnknown,
    ToolError,
    ToolRetry,
    UnknownTool,
)
from interlock.tools.contract import (
    Ask,
    NotedResult,
    Risk,
    ToolCall,
    ToolContract,
    ToolOutcome,
    Verdict,
    effect_key,
    outcome_digest,
)
from interlock.tools.definition import Tool
from interlock.tools.outcomes import result_of
from interlock.tools.queues import own_queues, queue_of
from interlock.workflows import calls
from interlock.workflows.contract import Granted
from interlock.workflows.gate import Gate
from interlock.workflows.review import Action, Review, Reviewed
from interlock.workflows.run import Run

_ACTION_VERBS = ("approve", "edit", "reject", "respond")
_OUTCOME_VERBS = ("happened", "did_not_happen", "abort")


class _Answered(Exception):
    """A reviewer answered in place of the tool."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class ToolDoor:
    """`ToolPort` for graph code that runs in a workflow."""

    def __init__(self, run: Run, gate: Gate, tools: Mapping[str, Tool]) -> None:
        self._run = run
        self._gate = gate
        self._review = Review(run, gate)
        self._tools = tools
        self._own_queues = own_queues(tool.contract for tool in tools.values())

    async def call_tool(
        self, tool: ToolContract, arguments: dict[str, Any], tool_call_id: str | None
    ) -> Any:
        """Make one logical call; see `ToolPort`."""
        call_id = tool_call_id or self._run.recorder.identify("tool")
        result = await self._run.recorder.once(
            "tool",
            call_id,
            lambda: self._call(tool.name, arguments, call_id, is_typed=tool_call_id is None),
            keep_errors=tool_call_id is None,
        )
        if tool_call_id is None and isinstance(result, NotedResult):
            return result.result  # a node asked, and no model
        return result

    async def _call(
        self, name: str, arguments: dict[str, Any], call_id: str, *, is_typed: bool
    ) -> Any:
        tool = self._tools.get(name)
        if tool is None:
            raise UnknownTool(
                f"{name!r} is not a tool of this deployment. Known: "
                f"{', '.join(sorted(self._tools))}. Add it to 'tools' in interlock.toml."
            )
        try:
            canonical = tool.validate_arguments(arguments)
            if self._run.logical_calls.is_unseen(call_id):
                raise BadArguments(
                    f"{name!r} was not called: its arguments were wrong when a person was to be "
                    "asked, so nobody was. Call it again.",
                    tool=name,
                )
            return await self._judge_and_run(tool, canonical, call_id, is_typed)
        except _Answered as answered:
            return answered.result
        except InterlockError as error:
            if isinstance(error, ModelMistake):
                self._run.count_mistake(error.message)
            if isinstance(error, ToolRetry | ToolError):
                self._keep(tool, call_id, error.message)
            self._run.blame(error, "tool", arguments, tool=name)
            raise
        finally:
            self._run.logical_calls.end(call_id)

    async def _judge_and_run(
        self, tool: Tool, arguments: dict[str, Any], call_id: str, is_typed: bool
    ) -> Any:
        if self._is_judged_with_call(tool, arguments, call_id):
            call = self._call_of(tool, arguments, call_id, unjudged=True)
            outcome = await self._make(tool, call)
            if outcome.verdict is not None:
                name = tool.contract.name
                self._run.logical_calls.judged(call_id, name, arguments, outcome.verdict)
            if outcome.status != "held":
                return await self._until_known(tool, call, outcome)
        verdict = await self._review.judge(tool, arguments, call_id)
        policy, grant, note = verdict.policy, None, ""
        if verdict.outcome == "ask":
            given = await self._decide(tool, arguments, verdict, call_id, is_typed)
            arguments, grant, policy = given.arguments, given.grant, given.policy
            note = given.note
        must_have_grant = verdict.outcome == "ask"
        call = self._call_of(
            tool, arguments, call_id, policy=policy, grant=grant, must_have_grant=must_have_grant
        )
        outcome = await self._make(tool, call)
        result = await self._until_known(tool, call, outcome)
        return NotedResult(result, note) if note else result

    def _is_judged_with_call(self, tool: Tool, arguments: dict[str, Any], call_id: str) -> bool:
        name = tool.contract.name
        if name not in self._run.terms.judged_with_call:
            return False
        return self._run.logical_calls.verdict(call_id, name, arguments) is None

    def _call_of(
        self, tool: Tool, arguments: dict[str, Any], call_id: str, **terms: Any
    ) -> ToolCall:
        return ToolCall(
            call_id=call_id,
            tool=tool.contract.name,
            arguments=arguments,
            effect_key=self._effect_key(tool, arguments, call_id),
            context=self._run.context(),
            **terms,
        )

    def _effect_key(self, tool: Tool, arguments: dict[str, Any], call_id: str) -> str:
        name = tool.contract.name
        occurrence = self._run.logical_calls.occurrence(name, arguments, call_id)
        return effect_key(self._run.lineage, name, arguments, occurrence)

    async def _decide(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        verdict: Verdict,
        call_id: str,
        is_typed: bool,
    ) -> Granted:
        """Return what was decided on this logical call, now or before a retry of it."""
        name = tool.contract.name
        digest = self._review.digest(name, arguments, verdict.policy)
        given = self._run.logical_calls.granted(call_id, digest)
        if given is None or given.asked_on not in (None, verdict.ask or Ask()):
            action = Action(
                call_id=call_id,
                name=name,
                tool=tool,
                arguments=arguments,
                why=verdict.reason,
                risk=verdict.risk,
                policy=verdict.policy,
                allowed=_ACTION_VERBS,
                terms=verdict.ask,
                spans=verdict.spans,
                is_typed=is_typed,
            )
            given = _allowed(name, await self._review.decide(action))
            self._run.logical_calls.grant(call_id, digest, given)
        return given

    async def _until_known(self, tool: Tool, call: ToolCall, outcome: ToolOutcome) -> Any:
        while outcome.status == "unknown":
            call = await self._ask_what_happened(tool, call, outcome)
            outcome = await self._make(tool, call)
        return self._result(tool, call, outcome)

    async def _make(self, tool: Tool, call: ToolCall) -> ToolOutcome:
        await self._wait_for_turn(call)
        summary = f"tool {call.tool} [{call.context.node}]"
        queue = queue_of(tool.contract, "", self._own_queues)
        return await calls.call_tool(tool.contract, call, summary=summary, queue=queue)

    async def _wait_for_turn(self, call: ToolCall) -> None:
        """Wait where waiting costs nothing: on a timer, until the call's turn under its rate."""
        if call.tool not in self._run.terms.turns or call.resolution in ("happened", "abort"):
            return
        booking = await calls.book(call, summary=f"turn of {call.tool}")
        if booking.wait_seconds > 0:
            summary = f"throttle of {call.tool}: {booking.limit}"
            await workflow.sleep(booking.wait_seconds, summary=summary)

    async def _ask_what_happened(
        self, tool: Tool, call: ToolCall, outcome: ToolOutcome
    ) -> ToolCall:
        request = self._gate.request(
            kind="outcome",
            call_id=call.call_id,
            digest=outcome_digest(call.effect_key, outcome.known.get("token")),
            why=outcome.message or f"nobody can tell whether {call.tool!r} happened",
            risk=Risk.HIGH,
            allowed=_OUTCOME_VERBS,
            tool=call.tool,
            arguments=call.arguments,
            payload=outcome.known,
            contract=tool.contract,
        )
        try:
            ruling = await self._gate.ask(request)
        except ApprovalExpired as error:
            raise OutcomeUnknown(
                f"nobody said in time whether {call.tool!r} happened. Look at the other side, then "
                "at the ledger row of this effect.",
                effect_key=call.effect_key,
            ) from error
        word = self._gate.grant(request, ruling, ruling.votes)
        return call.model_copy(
            update={
                "unjudged": False,
                "resolution": ruling.decision.verb,
                "resolved_result": ruling.decision.result,
                "resolved_token": outcome.known.get("token"),
                "word": word if word.votes else None,
            }
        )

    def _keep(self, tool: Tool, call_id: str, answer: Any) -> None:
        """Take note of what a tool answered, if others wrote it."""
        for label in tool.contract.labels:
            self._run.keep_outside(label, f"tool {tool.contract.name} [{call_id}]", answer)

    def _result(self, tool: Tool, call: ToolCall, outcome: ToolOutcome) -> Any:
        if outcome.status == "done":
            self._run.count_tool()
            self._keep(tool, call.call_id, outcome.result)
        return result_of(call, outcome)


def _allowed(name: str, reviewed: Reviewed) -> Granted:
    """Return what a review allows.

    Raises:
        ApprovalRejected: it allows nothing.
        _Answered: somebody answered in the tool's place.
    """
    if reviewed.granted is not None:
        return reviewed.granted
    decision = reviewed.decision
    if decision.verb == "respond":
        raise _Answered(decision.result)
    why = f": {decision.comment}" if decision.comment else "."
    raise ApprovalRejected(f"a reviewer rejected {name!r}{why}")
