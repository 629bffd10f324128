"""How a call ended: made by the gateway, turned into a result or an error by a port. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from interlock.audit.contract import LedgerRow
from interlock.canonical import jsonable
from interlock.errors import (
    ApprovalExpired,
    BadArguments,
    BadResult,
    CircuitOpen,
    DecisionRefused,
    InterlockError,
    ModelMistake,
    NotSerializable,
    OutcomeUnknown,
    ResultTooLarge,
    ToolFailed,
    ToolRetry,
    from_code,
)
from interlock.tools.contract import ToolCall, ToolContract, ToolOutcome
from interlock.tools.definition import Tool

_PREVIEW = 2_000


@dataclass(frozen=True)
class Answer:
    """What a tool answered, checked."""

    outcome: ToolOutcome
    kept: Any
    """What the ledger keeps: the result, or as much of it as fits."""
    error: str = ""
    """Why the result is not the outcome, as 'CODE: message'."""


def check_answer(tool: Tool, value: Any, limit: int) -> Answer:
    """Check a value that a tool returned against its return annotation and the size limit.

    The call was made whatever the check says: a result that cannot be used is an error of its own
    kind, and never a reason to call again.
    """
    try:
        result = tool.validate_result(value)
    except BadResult as error:
        return Answer(failed(error), _raw(value, limit), f"{error.code}: {error.message}")
    size = len(to_json(result))
    if size <= limit:
        return Answer(ToolOutcome(status="done", result=result), result)
    too_large = ResultTooLarge(
        f"the result of {tool.name!r} is {size} bytes; allowed are {limit}. Let the tool return "
        "less, or a reference, or raise limits.result_bytes.",
        tool=tool.name,
    )
    return Answer(failed(too_large), _text(result), f"{too_large.code}: {too_large.message}")


def recorded(result: Any, error: str) -> ToolOutcome:
    """Return the outcome of a call that the ledger knows as DONE."""
    code, _, message = error.partition(": ")
    if code:
        return ToolOutcome(status="failed", code=code, message=message, replayed=True)
    return ToolOutcome(status="done", result=result, replayed=True)


def failed(error: InterlockError) -> ToolOutcome:
    """Return the outcome of a call that ended with `error`."""
    status = "retry" if isinstance(error, ModelMistake) else "failed"
    return ToolOutcome(status=status, code=error.code, message=error.message)


def held_back(contract: ToolContract, error: CircuitOpen) -> ToolOutcome:
    """Return the outcome of a call that an open breaker holds back, if it does not wait.

    Raises:
        CircuitOpen: it waits.
    """
    if contract.while_open == "wait":
        raise error
    return failed(error)


def refused(code: str, message: str) -> ToolOutcome:
    """Return the outcome of a call whose grant does not hold."""
    return ToolOutcome(status="refused", code=code, message=message)


def unknown(name: str, row: LedgerRow, why: str) -> ToolOutcome:
    """Return the outcome of a call that only a person can clear up, with what is known of it."""
    return ToolOutcome(
        status="unknown",
        code=OutcomeUnknown.code,
        message=f"nobody can tell whether {name!r} happened: {why}. Look at the other side.",
        known={
            "tool": name,
            "effect_key": row.effect_key,
            "token": row.token,
            "why": why,
            "claimed_at": row.claimed_at.isoformat(),
            "deadline": row.deadline.isoformat(),
        },
    )


def result_of(call: ToolCall, outcome: ToolOutcome) -> Any:
    """Return the result of a call that is done.

    Raises:
        ToolRetry: the model should correct itself.
        BadArguments: the same, of arguments that do not fit the worker's version of the tool.
        ToolError: the call failed.
        OutcomeUnknown: nobody can tell what happened.
        ApprovalExpired: the decision was too old.
        DecisionRefused: the decision does not hold for another reason.
    """
    if outcome.status == "done":
        return outcome.result
    raise _error(call, outcome)


def _error(call: ToolCall, outcome: ToolOutcome) -> InterlockError:
    if outcome.status == "unknown":
        return OutcomeUnknown(outcome.message, known=outcome.known)
    if outcome.status == "refused":
        kind = ApprovalExpired if outcome.code == ApprovalExpired.code else DecisionRefused
        return kind(outcome.message, refusal=outcome.code, tool=call.tool)
    if outcome.status == "retry":
        kind_of_mistake = BadArguments if outcome.code == BadArguments.code else ToolRetry
        return kind_of_mistake(outcome.message, tool=call.tool)
    known = from_code(outcome.code, outcome.message, {"tool": call.tool})
    return known or ToolFailed(outcome.message, tool=call.tool)


def _raw(value: Any, limit: int) -> Any:
    try:
        raw = jsonable(value)
        if len(to_json(raw)) <= limit:
            return raw
    except (NotSerializable, ValueError):
        pass  # its text will do: a person reads it
    return _text(value)


def _text(value: Any) -> str:
    try:
        return to_json(value).decode()[:_PREVIEW]
    except ValueError:
        return repr(value)[:_PREVIEW]
