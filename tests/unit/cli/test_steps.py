"""Steps of a run as lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from interlock.cli import steps as shown
from interlock.replay import telling
from interlock.replay.steps import (
    Asked,
    Decided,
    Ended,
    Found,
    ModelCalled,
    Problem,
    Remembered,
    Said,
    Step,
    ToolCalled,
    Totals,
)

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AT = {"event_id": 1, "at": BEGAN + timedelta(seconds=2.5)}


def test_every_kind_of_step_can_be_shown() -> None:
    """A new kind of step needs its line here."""
    kinds = get_args(get_args(Step)[0])
    assert set(telling._TOLD) == set(kinds)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            ModelCalled(
                **AT,
                node="draft",
                role="fast",
                call_id="m1",
                model="local:small",
                answer=Said(role="assistant", text="Hello"),
                input_tokens=3,
                output_tokens=4,
                cost_usd=None,
            ),
            "2.50s  model     draft         fast (local:small, 3 + 4 tokens, price unknown, 0.0s): Hello",
        ),
        (
            ToolCalled(
                **AT,
                node="act",
                tool="refund",
                arguments={"amount": "1"},
                status="done",
                result="r-1",
                attempts=2,
                replayed=True,
                seconds=0.25,
            ),
            'refund({"amount": "1"}) → r-1 (done, attempt 2, from the ledger, 0.25s)',
        ),
        (
            ToolCalled(**AT, tool="look", status="failed", message="no such order"),
            "look(…) → no such",
        ),
        (
            Remembered(
                **AT,
                ops=("search",),
                queries=("broken",),
                found=(Found(namespace=("k",), key="a", title="Refunds", score=0.714),),
            ),
            "search broken → Refunds (0.71)",
        ),
        (
            Remembered(
                **AT,
                ops=("search",),
                found=tuple(Found(namespace=("i",), key=str(n), score=n / 10) for n in range(8)),
            ),
            "search → 8 items, best 0.70",
        ),
        (Remembered(**AT, ops=("search",)), "search → nothing"),
        (Remembered(**AT, ops=("put",)), "put"),
        (Asked(**AT, request_id="r", tool="question"), "a question needs a person."),
        (
            Decided(**AT, request_id="r", verb="approve", accepted=False, code="EXPIRED"),
            "approve was refused, EXPIRED.",
        ),
        (
            Ended(**AT, status="failed", error=Problem(code="GRAPH_FAILED", message="node 'x'")),
            "failed  GRAPH_FAILED: node 'x'",
        ),
    ],
)
def test_a_line_says_what_happened(step: Step, words: str) -> None:
    """One line holds time, kind, node and what matters of each kind."""
    (line,) = shown.step_lines(step, BEGAN)
    assert words in line.plain


def test_details_show_what_went_in_and_came_out() -> None:
    """With details, a tool call has its arguments and its whole result below it."""
    step = ToolCalled(**AT, tool="t", arguments={"a": 1}, status="done", result="x" * 400)
    lines = [line.plain for line in shown.step_lines(step, BEGAN, details=True)]
    assert lines[1].split() == ["in", '{"a":', "1}"]
    assert "x" * 400 in lines[2]


def test_totals_tell_what_has_no_price() -> None:
    """A sum never hides calls that nobody knows the price of."""
    found = Totals(model_calls=2, tool_calls=1, input_tokens=5, output_tokens=6, cost_usd=0.5)
    assert telling.totals_line(found) == "2 model calls, 1 tool call, 5 + 6 tokens, $0.5000"
    unpriced = found.model_copy(update={"unpriced_calls": 1})
    assert telling.totals_line(unpriced).endswith("$0.5000 and 1 call without a known price")
