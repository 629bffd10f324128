"""Steps of a run in words, for whoever shows them: a terminal or a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interlock.canonical import compact
from interlock.replay import steps as kinds
from interlock.replay.steps import Step, Totals

_SHORT = 140
_HITS = 5

Told = tuple[str, list[tuple[str, Any]]]
"""What happened in one line, and named details for whoever wants to see more."""


def told(step: Step) -> Told:
    """Return a step in words; details without a value are left out."""
    what, more = _TOLD[type(step)](step)
    return what, [(name, value) for name, value in more if value not in (None, "", (), [], {})]


def totals_line(found: Totals) -> str:
    """Return what steps add up to, as one sentence."""
    parts = [
        _count(found.model_calls, "model call"),
        _count(found.tool_calls, "tool call"),
        f"{found.input_tokens} + {found.output_tokens} tokens",
        money(found.cost_usd, found.unpriced_calls),
    ]
    return ", ".join(parts)


def money(cost: float, unpriced: int = 0) -> str:
    """Return a cost, and how many calls it leaves out because nobody knows their price."""
    known = f"${cost:.4f}"
    return f"{known} and {_count(unpriced, 'call')} without a known price" if unpriced else known


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _call(name: str, arguments: Any) -> str:
    """Return a call in words; a history does not always keep the arguments."""
    shown = "…" if arguments is None else compact(arguments, _SHORT) if arguments else ""
    return f"{name}({shown})"


def _started(step: kinds.Started) -> Told:
    what = step.agent or step.workflow_type
    if step.continued:
        return f"{what} goes on in a new history", []
    given = step.input if isinstance(step.input, str) else compact(step.input)
    tenant = f" for tenant {step.tenant}" if step.tenant not in ("", "default") else ""
    return f"{what}{tenant}: {compact(given, _SHORT)}", [("input", given)]


def _opened(step: kinds.Opened) -> Told:
    return f"release {step.release}, policy {step.policy}", []


def _model(step: kinds.ModelCalled) -> Told:
    said = step.answer
    asked = ", ".join(_call(call["name"], call["args"]) for call in said.tool_calls) if said else ""
    text = " ".join(part for part in (compact(said.text, _SHORT) if said else "", asked) if part)
    used = (
        f"{step.model}, {step.input_tokens} + {step.output_tokens} tokens, "
        f"{'price unknown' if step.cost_usd is None else money(step.cost_usd)}, "
        f"{step.model_seconds:.1f}s"
    )
    heard = [f"{message.role}: {message.text}" for message in step.new_messages]
    details = [
        ("after", step.prefix and f"transcript {step.prefix[:12]}"),
        *(("in", text) for text in heard),
        ("out", said.text if said else None),
        ("asks for", asked),
        ("fell back", "; ".join(step.fell_back)),
    ]
    return f"{step.role} ({used}): {text}" if said else step.role, details


def _verdict(step: kinds.Judged) -> Told:
    risk = f", risk {step.risk}" if step.risk else ""
    reached = [("outside", str(span)) for span in step.spans]
    return f"{step.tool}: {step.outcome}{risk}. {step.reason}", [("of", step.arguments), *reached]


def _asked(step: kinds.Asked) -> Told:
    asked = step.tool not in ("", "question")
    action = _call(step.tool, step.arguments) if asked else "a question"
    return f"{action} needs a person. {step.why}".strip(), [("request", step.request_id)]


def _decided(step: kinds.Decided) -> Told:
    who = f" by {step.reviewer}" if step.reviewer else ""
    told = f": {step.comment}" if step.comment else ""
    if not step.accepted:
        return f"{step.verb}{who} was refused, {step.code}. {step.message}", []
    more = f", {step.missing} more needed" if step.missing else ""
    return f"{step.verb}{who}{more}{told}", [("arguments", step.arguments), ("result", step.result)]


def _withdrawn(step: kinds.Withdrawn) -> Told:
    return "the request is over without a decision", [("request", step.request_id)]


def _tool(step: kinds.ToolCalled) -> Told:
    notes = [step.status or "no answer"]
    if step.attempts > 1:
        notes.append(f"attempt {step.attempts}")
    if step.replayed:
        notes.append("from the ledger")
    if step.seconds is not None:
        notes.append(f"{step.seconds:.2f}s")
    got = compact(step.result, _SHORT) if step.status == "done" else step.message or step.code
    what = f"{_call(step.tool, step.arguments)} → {got} ({', '.join(notes)})"
    details = [
        ("in", step.arguments),
        ("out", step.result),
        ("said", step.message),
        ("decided by", step.reviewer),
    ]
    return what, details


def _waited(step: kinds.Waited) -> Told:
    return f"{step.tool} waits {step.seconds:.1f}s for its turn, {step.limit}", []


def _memory(step: kinds.Remembered) -> Told:
    what = ", ".join(step.ops)
    if "search" not in step.ops:
        return what, [("found", ", ".join(item.title or item.key for item in step.found))]
    asked = compact("; ".join(step.queries), 60)
    titled = [_hit(item) for item in step.found if item.title]
    named = ", ".join(titled[:_HITS]) + (f" and {len(titled) - _HITS} more" * (len(titled) > _HITS))
    best = max((item.score or 0.0 for item in step.found), default=0.0)
    found = named or (f"{len(step.found)} items, best {best:.2f}" if step.found else "nothing")
    return f"{what} {asked}".strip() + f" → {found}", [("found", "; ".join(map(_hit, step.found)))]


def _hit(item: kinds.Found) -> str:
    return f"{item.title or item.key}{'' if item.score is None else f' ({item.score:.2f})'}"


def _node(step: kinds.NodeRan) -> Told:
    took = f" ({step.seconds:.2f}s)" if step.seconds is not None else ""
    return f"ran as an activity{took}", [("in", step.input), ("out", step.result)]


def _activity(step: kinds.ActivityRan) -> Told:
    return f"{step.name} → {compact(step.result, _SHORT)}", [("in", step.input)]


def _message(step: kinds.Received) -> Told:
    refused = "" if step.accepted else f" (refused: {step.code})"
    return f"{compact(step.message, _SHORT)}{refused}", []


def _signal(step: kinds.Signalled) -> Told:
    return f"{step.name}({compact(step.input, _SHORT)})", []


def _cancel(step: kinds.CancelAsked) -> Told:
    return f"asked to stop: {step.reason or 'no reason given'}", []


def _stumbled(step: kinds.Stumbled) -> Told:
    return f"a worker could not go on ({step.cause}) and tries again. {step.message}", []


def _ended(step: kinds.Ended) -> Told:
    return step.status.replace("_", " "), [("result", step.result)]


_TOLD: dict[type[Any], Callable[[Any], Told]] = {
    kinds.Started: _started,
    kinds.Opened: _opened,
    kinds.ModelCalled: _model,
    kinds.Judged: _verdict,
    kinds.Asked: _asked,
    kinds.Decided: _decided,
    kinds.Withdrawn: _withdrawn,
    kinds.ToolCalled: _tool,
    kinds.Waited: _waited,
    kinds.Remembered: _memory,
    kinds.NodeRan: _node,
    kinds.ActivityRan: _activity,
    kinds.Received: _message,
    kinds.Signalled: _signal,
    kinds.CancelAsked: _cancel,
    kinds.Stumbled: _stumbled,
    kinds.Ended: _ended,
}
