"""Outcomes: from answers and errors, and back to results and errors."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.context import CallContext
from interlock.errors import (
    ApprovalExpired,
    BadArguments,
    BadResult,
    DecisionRefused,
    EffectAborted,
    InterlockError,
    OutcomeUnknown,
    ResultTooLarge,
    ToolFailed,
    ToolRetry,
    ToolUnavailable,
)
from interlock.tools import Effect, ToolCall, tool
from interlock.tools.contract import ToolOutcome
from interlock.tools.outcomes import check_answer, failed, recorded, refused, result_of

CALL = ToolCall(
    call_id="c1",
    tool="measure",
    arguments={},
    effect_key="k",
    context=CallContext(agent="a"),
)


@tool(effect=Effect.READ)
def measure() -> list[int]:
    """Measure."""
    return []


def test_an_answer_that_fits_is_done() -> None:
    """The outcome and the ledger have the result as JSON."""
    answer = check_answer(measure, ["1", 2], 100)
    assert answer.outcome == ToolOutcome(status="done", result=[1, 2])
    assert (answer.kept, answer.error) == ([1, 2], "")
    assert result_of(CALL, answer.outcome) == [1, 2]


def test_an_answer_of_the_wrong_form_is_kept_with_its_error() -> None:
    """A person can read what came back, now and when the row is read again."""
    answer = check_answer(measure, {"a": 1}, 100)
    assert (answer.outcome.status, answer.outcome.code) == ("failed", "BAD_RESULT")
    assert answer.kept == {"a": 1}
    with pytest.raises(BadResult, match="'measure'"):
        result_of(CALL, recorded(answer.kept, answer.error))


@pytest.mark.parametrize("value", [object(), "\ud83d", "x" * 90_000])
def test_an_answer_that_cannot_be_kept_leaves_its_text(value: Any) -> None:
    """What has no JSON form, or is too long, is kept as the beginning of its text."""
    answer = check_answer(measure, value, 100)
    assert isinstance(answer.kept, str)
    assert 0 < len(answer.kept) <= 2_000
    assert answer.error.startswith("BAD_RESULT: ")


def test_an_answer_over_the_limit_is_too_large() -> None:
    """Exactly the limit passes; the error says both sizes."""
    assert check_answer(measure, [1, 2], 5).outcome.status == "done"
    answer = check_answer(measure, [1, 2, 3], 5)
    assert answer.kept == "[1,2,3]"
    with pytest.raises(ResultTooLarge, match="is 7 bytes; allowed are 5"):
        result_of(CALL, recorded(answer.kept, answer.error))


def test_a_recorded_result_is_marked() -> None:
    """The caller sees that nothing was called this time."""
    assert recorded([1], "") == ToolOutcome(status="done", result=[1], replayed=True)


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        (failed(ToolFailed("no")), ToolFailed, "no"),
        (failed(ToolUnavailable("down")), ToolUnavailable, "down"),
        (failed(EffectAborted("who knows")), EffectAborted, "who knows"),
        (failed(ToolRetry("other")), ToolRetry, "other"),
        (failed(BadArguments("wrong")), BadArguments, "wrong"),
        (ToolOutcome(status="failed", code="ELSE", message="odd"), ToolFailed, "odd"),
        (refused("APPROVAL_EXPIRED", "late"), ApprovalExpired, "late"),
        (refused("DIGEST_MISMATCH", "other"), DecisionRefused, "other"),
        (ToolOutcome(status="unknown", message="who knows"), OutcomeUnknown, "who knows"),
    ],
)
def test_an_outcome_without_a_result_is_an_error(
    outcome: ToolOutcome, error: type[InterlockError], message: str
) -> None:
    """A port raises what the tool's door then sorts by who can act."""
    with pytest.raises(error) as caught:
        result_of(CALL, outcome)
    assert caught.value.message == message
