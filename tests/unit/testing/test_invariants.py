"""Each invariant of the crash kit breaks on what it is for, and on nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.testing.crash.invariants import breaches, breaches_of_calm
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.plan import CrashPlan
from interlock.testing.crash.points import AtEvent

CALM = Outcome(
    point="undisturbed",
    workflow_id="w",
    struck=False,
    killed=False,
    result={"status": "completed"},
    effects=["paid 7"],
    requests=["r1"],
    asked=["action pay 0a"],
    decisions=[("action", "approve")],
    ledger=[("pay", "DONE", "r1")],
    reusable=[],
    audit={"tool_call pay done": 1},
    calls={"pay": 1},
    places=[("pay", "before_call")],
    history=["WORKFLOW_EXECUTION_STARTED"],
    steps=1,
    transcript=[],
    seconds=1.0,
)

ASKED = {
    "requests": ["r1", "r2"],
    "asked": ["action pay 0a", "outcome pay 0a"],
    "decisions": [("action", "approve"), ("outcome", "happened")],
    "audit": {
        "tool_call pay done": 1,
        "tool_call pay unknown": 1,
        "decision pay requested": 1,
        "decision pay happened": 1,
    },
}
"""A person was asked whether a lost call happened."""


def broken(**changes: Any) -> list[str]:
    """Invariants that a changed outcome breaks, compared with the calm one."""
    changed = CALM.model_copy(update={"point": "event 3", **changes})
    return [item.invariant for item in breaches(changed, CALM, dict)]


@pytest.mark.parametrize(
    ("changes", "invariants"),
    [
        ({}, []),
        (ASKED, []),
        ({"audit": {"tool_call pay done": 1, "incident pay recorded": 1}}, []),
        ({"effects": []}, ["no effect is lost"]),
        ({"effects": ["paid 7", "paid 7"]}, ["no effect is doubled"]),
        ({"effects": ["paid 8"]}, ["no effect is lost", "no effect is doubled"]),
        ({"reusable": ["r1"]}, ["a decision is used once"]),
        ({"ledger": [("pay", "DONE", "r9")]}, ["no effect is unapproved"]),
        ({"ledger": [("pay", "DONE", None)]}, ["no effect is unapproved"]),
        ({"ledger": [("pay", "CLAIMED", "r1")]}, ["the ledger is settled"]),
        ({"undecided": ["r2"]}, ["a person is asked once"]),
        ({"refused_decisions": ["late"]}, ["a person is asked once"]),
        ({"asked": ["action pay 0a"] * 2, "decisions": [("action", "approve")] * 2}, ["a person is asked once"]),
        ({"late": ["DONE became FAILED"]}, ["a late attempt changes nothing"]),
        ({"replays": "another path"}, ["the history replays"]),
        ({"result": {"status": "failed"}}, ["the result is the same"]),
        ({"audit": {"tool_call pay done": 2}}, ["the audit is whole"]),
        ({"audit": {}}, ["the audit is whole"]),
    ],
)  # fmt: skip
def test_an_invariant_breaks_on_what_it_is_for(
    changes: dict[str, Any], invariants: list[str]
) -> None:
    """Each change is seen once, by its own invariant."""
    assert broken(**changes) == invariants


@pytest.mark.parametrize(
    ("struck", "done", "invariants"),
    [
        (True, 4, []),
        (True, 5, ["the audit is whole"]),
        (True, 1, ["the audit is whole"]),
        (False, 3, ["the audit is whole"]),
    ],
)
def test_a_model_call_may_be_made_again_once(
    struck: bool, done: int, invariants: list[str]
) -> None:
    """Its answer was lost with the worker, so it was asked and paid twice; never without a kill."""
    calm = CALM.model_copy(update={"audit": {"model_call fast done": 2}})
    audit = {"model_call fast done": done}
    tried = CALM.model_copy(update={"point": "event 3", "struck": struck, "audit": audit})
    assert [item.invariant for item in breaches(tried, calm, dict)] == invariants


def test_the_undisturbed_run_is_judged_by_what_is_expected_of_it() -> None:
    """Without expectations it is compared with nothing."""
    assert breaches_of_calm(CALM, None) == []
    assert breaches_of_calm(CALM, ["paid 7"]) == []
    (found,) = breaches_of_calm(CALM, ["paid 7", "paid 9"])
    assert found.text().startswith("undisturbed: no effect is lost. Expected")


def test_a_plan_chooses() -> None:
    """Every point, none, one by its name, or as many as asked for, always the same ones of a seed."""
    points = [AtEvent(number) for number in range(1, 9)]
    chosen = CrashPlan.parse("random:5", seed=3).choose(points)
    assert len(chosen) == 5
    assert chosen == CrashPlan.parse("random:5", seed=3).choose(points)
    assert chosen != CrashPlan.parse("random:5", seed=4).choose(points)
    assert CrashPlan.parse("every-point").choose(points) == points
    assert CrashPlan.parse("point:event 2").choose(points) == [AtEvent(2)]
    assert CrashPlan.parse(None).choose(points) == []
