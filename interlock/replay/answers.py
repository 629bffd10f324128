"""The step that a call and its answer make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from interlock.errors import InterlockError
from interlock.memory.contract import MemoryAnswers, MemoryItem
from interlock.models.contract import ModelAnswer
from interlock.models.messages import from_json
from interlock.replay.calls import AUDIT, BOOKING, VERIFYING, Answer, Call
from interlock.replay.steps import (
    ActivityRan,
    Found,
    Judged,
    ModelCalled,
    NodeRan,
    Opened,
    Remembered,
    Said,
    Step,
    ToolCalled,
)
from interlock.tools.contract import ToolOutcome, Verdict
from interlock.workflows.contract import RunTerms

_TITLE = 80
"""Characters of what stands for the title that an item does not have."""

_ROLES = {
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
}


def call_steps(event_id: int, at: datetime, call: Call, answer: Answer) -> list[Step]:
    """Return the steps of a call that is over.

    The audit's own calls are none, nor are bookings and signatures that were looked at. A tool call that was judged on the way is two.
    """
    if call.name == AUDIT or (call.name in (BOOKING, VERIFYING) and answer.error is None):
        return []
    verdict = answer.result.get("verdict") if isinstance(answer.result, dict) else None
    if call.name != "tool.call" or not verdict:
        return [_step(event_id, at, call, answer)]
    asked = {"tool": call.subject, "arguments": (call.question or {}).get("arguments")}
    judged = Call(name="policy.judge", key=call.key, local=True, question=asked)
    steps = [_step(event_id, at, judged, Answer(result=verdict))]
    is_held = answer.result.get("status") == "held"
    return steps if is_held else [*steps, _step(event_id, at, call, answer)]


def _step(event_id: int, at: datetime, call: Call, answer: Answer) -> Step:
    common = {
        "event_id": event_id,
        "at": at,
        "node": call.node,
        "attempts": answer.attempts,
        "seconds": answer.seconds,
        "error": answer.error,
    }
    if call.name.startswith("node."):
        return NodeRan(**common, input=_value(call.question), result=_value(answer.result))
    make = _STEPS.get(call.name)
    if make is not None:
        try:
            return make(common, call, answer.result if answer.error is None else None)
        except (ValidationError, InterlockError):
            pass  # recorded by a version with another contract: shown as it is
    return ActivityRan(**common, name=call.name, input=call.question, result=answer.result)


def said(message: dict[str, Any]) -> Said:
    """Return a message in the JSON form of `interlock.models.messages` as it is read."""
    name = str(message.get("$message", ""))
    decoded = from_json(message)
    calls = getattr(decoded, "tool_calls", ())
    return Said(
        role=_ROLES.get(name, name),
        text=str(decoded.text),
        tool_calls=tuple({key: call.get(key) for key in ("name", "args", "id")} for call in calls),
        id=str(decoded.id or ""),
    )


def _model(common: dict[str, Any], call: Call, result: Any) -> Step:
    question = call.question or {}
    asked = {
        "role": call.subject,
        "call_id": str(question.get("call_id", "")),
        "prefix": str(question.get("prefix", "")),
        "new_messages": tuple(said(item) for item in question.get("messages", ())),
    }
    if result is None:
        return ModelCalled(**common, **asked)
    answer = ModelAnswer.model_validate(result)
    return ModelCalled(
        **common,
        **asked,
        model=answer.model,
        answer=said(answer.message),
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        cost_usd=answer.usage.cost_usd,
        model_seconds=answer.seconds,
        fell_back=answer.fell_back,
        ref=answer.ref,
    )


def _tool(common: dict[str, Any], call: Call, result: Any) -> Step:
    question = call.question or {}
    grant = question.get("grant") or {}
    asked = {
        "tool": call.subject,
        "call_id": str(question.get("call_id", "")),
        "arguments": question.get("arguments"),
        "request_id": str(grant.get("request_id", "")),
        "reviewer": str(grant.get("reviewer", "")),
        "local": call.local,
    }
    if result is None:
        return ToolCalled(**common, **asked)
    outcome = ToolOutcome.model_validate(result)
    return ToolCalled(
        **common,
        **asked,
        status=outcome.status,
        result=outcome.result,
        code=outcome.code,
        message=outcome.message,
        replayed=outcome.replayed,
    )


def _verdict(common: dict[str, Any], call: Call, result: Any) -> Step:
    asked = {"tool": call.subject, "arguments": (call.question or {}).get("arguments")}
    if result is None:
        return Judged(**common, **asked)
    verdict = Verdict.model_validate(result)
    return Judged(
        **common,
        **asked,
        outcome=verdict.outcome,
        reason=verdict.reason,
        risk=verdict.risk,
        policy=verdict.policy,
        rule=verdict.rule,
        ask=verdict.ask,
        totals=verdict.totals,
        spans=verdict.spans,
    )


def _memory(common: dict[str, Any], call: Call, result: Any) -> Step:
    question = call.question or {}
    searched = [op["query"] for op in question.get("ops", ()) if op.get("query")]
    asked = {
        "ops": tuple(item for item in call.subject.split(", ") if item),
        "queries": tuple(question.get("queries") or searched),
    }
    if result is None:
        return Remembered(**common, **asked)
    found: list[Found] = []
    for answer in MemoryAnswers.model_validate(result).answers:
        items = answer if isinstance(answer, list) else [answer]
        found += [_found(item) for item in items if isinstance(item, MemoryItem)]
    return Remembered(**common, **asked, found=tuple(found))


def _found(item: MemoryItem) -> Found:
    texts = {name: text for name, text in item.value.items() if isinstance(text, str) and text}
    title = texts.get("title") or texts.get("text") or ", ".join(texts.values())
    return Found(
        namespace=item.namespace,
        key=item.key,
        title=title if len(title) <= _TITLE else f"{title[:_TITLE]}...",
        score=item.score,
    )


def _opened(common: dict[str, Any], _: Call, result: Any) -> Step:
    if result is None:
        return Opened(**common)
    terms = RunTerms.model_validate(result)
    return Opened(**common, release=terms.release, policy=terms.policy)


def _value(data: Any) -> Any:
    """Return what an activity node took or gave, out of its envelope."""
    return data.get("value") if isinstance(data, dict) else data


_STEPS: dict[str, Callable[[dict[str, Any], Call, Any], Step]] = {
    "model.call": _model,
    "tool.call": _tool,
    "policy.judge": _verdict,
    "memory.batch": _memory,
    "run.open": _opened,
}
