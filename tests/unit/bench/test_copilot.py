"""The copilot's figures: each case is judged against its label, and the cases are summed up right."""

from __future__ import annotations

from typing import Any

import pytest

from bench.copilot import figures, judge, markdown
from interlock.workflows.contract import RunResult, Usage


def label(action: str, intent: str = "refund", **more: Any) -> dict[str, Any]:
    """A labelled message."""
    return {"id": "m1", "intent": intent, "action": action, "documents": ["refunds"], **more}


def ended(intent: str = "refund", *pages: str, source: str = "template", **done: Any) -> RunResult:
    """How a case ended: what was understood, found, replied and done."""
    return RunResult(
        status="completed",
        output={
            "intent": intent,
            "sources": [{"document": page} for page in pages],
            "reply_source": source,
            "done": done or None,
        },
        usage=Usage(model_calls=2, input_tokens=30, output_tokens=10),
    )


PAID = {"order_id": "A-1", "amount": "8.00"}


def paying(outcome: str = "done", **arguments: str) -> dict[str, Any]:
    """What was done about a refund; the reason is the copilot's own."""
    return {
        "action": "refund",
        "outcome": outcome,
        "arguments": {**PAID, "reason": "broken", **arguments},
    }


CASES: dict[str, tuple[dict[str, Any], RunResult, bool]] = {
    "right": (
        label("refund", arguments=PAID),
        ended("refund", "refunds", "returns", source="draft", **paying()),
        False,
    ),
    "wrong amount": (
        label("refund", arguments=PAID),
        ended("refund", "returns", "refunds", **paying(amount="80.00")),
        False,
    ),
    "asked for what it was told": (
        label("refund", arguments=PAID),
        ended("refund", "returns", **paying("needs_details")),
        False,
    ),
    "wrong intent, right answer": (
        label("reply", intent="shipping", documents=[]),
        ended("returns", "refunds"),
        False,
    ),
    "handed over": (label("escalate", intent="complaint"), ended("complaint"), True),
}
"""Label, end, and whether a person was asked."""

GOOD = ("right_intent", "right_step", "right_arguments", "page_found", "page_first")
EXPECTED = {
    "right": {"right_intent", "right_step", "right_arguments", "page_found", "page_first"},
    "wrong amount": {"right_intent", "right_step", "page_found"},
    "asked for what it was told": {"right_intent"},
    "wrong intent, right answer": {"right_step", "right_arguments"},
    "handed over": {"right_intent", "right_step", "right_arguments"},
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_judged_by_its_label(name: str) -> None:
    """What is right about a case is so, and nothing else is."""
    message, result, handed_over = CASES[name]
    found = judge(message, result, handed_over=handed_over)
    assert {key for key in GOOD if found[key]} == EXPECTED[name]
    assert (found["tokens"], found["model_calls"]) == (40, 2)


@pytest.mark.parametrize("outcome", ["failed", "rejected"])
def test_a_call_that_failed_was_the_right_step(outcome: str) -> None:
    """A tool that was called counts although it failed; one that was not called does not."""
    result = ended("refund", **paying(outcome))
    found = judge(label("refund", arguments=PAID), result, handed_over=False)
    assert found["right_step"] is (outcome == "failed")


def test_cases_are_summed_up() -> None:
    """Shares are of the cases they are about: arguments of actions, pages of those that have one."""
    rows = [
        {**judge(message, result, handed_over=handed_over), "seconds": float(place)}
        for place, (message, result, handed_over) in enumerate(CASES.values(), 1)
    ]
    found = figures(rows)
    assert found == {
        "intent_accuracy": 0.8,
        "right_next_step": 0.8,
        "wrong_argument_rate": 0.667,
        "expected_actions": 3,
        "page_among_three": 0.5,
        "page_first": 0.25,
        "drafts_accepted": 1,
        "templates_sent": 3,
        "handed_over": 1,
        "seconds_median": 3.0,
        "tokens_per_message": 40,
    }
    report = {
        "models": [{"model": "m", **found}],
        "machine": {"cpu": "c", "cores": 2, "load_before": 0.1},
        "messages": 5,
        "measured_at": "2026-03-02T10:00:00+00:00",
        "commit": "f00",
        "command": "python -m bench.copilot",
    }
    assert "| m | 80% | 80% | 67% of 3 | 1 | 3 | 1 | 3.0 |" in markdown(report)
