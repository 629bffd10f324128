"""A worker is killed with SIGKILL anywhere in a refund, or the payment service is slow: one refund.

And one approval, and one result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.crash.points import HOOKS, AtEvent, InService, Point, SlowService, after_step, in_call
from tests.crash.refunds import RefundStage, Variant
from tests.crash.trials import Outcome, run_all
from tests.proofs import write_proof

SAMPLE: tuple[Point, ...] = (
    *HOOKS,
    AtEvent(1),
    AtEvent(24),
    AtEvent(34),
    AtEvent(48),
    after_step(2),
    after_step(5),
)
"""Points of every plain test run: each hook, and a few moments from start to end."""

SAMPLE_BLIND: tuple[Point, ...] = (
    in_call("after_claim"),
    InService("before-commit"),
    SlowService("in time"),
    SlowService("too late"),
)


def problems(outcome: Outcome, calm: Outcome) -> list[str]:
    """Return what is not as in a calm run, apart from a person's word on an unknown outcome."""
    approvals = [verb for kind, verb in outcome.decisions if kind == "action"]
    words = _words(outcome)
    consumed = outcome.ledger[0][2]
    expected = Counter(calm.audit)
    if words:
        expected += Counter(["decision refund requested", "tool_call refund unknown"])
        expected += Counter([f"decision refund {words[0]}"])
    checks = {
        "its moment did not come": outcome.struck,
        f"{outcome.refunds} refunds": outcome.refunds == 1,
        f"approvals: {approvals}": approvals == ["approve"],
        f"a person was asked {len(words)} times what happened": len(words) <= 1,
        f"requests: {outcome.requests}": len(outcome.requests) == 1 + len(words),
        "the refund does not consume the one approval": consumed == outcome.requests[0],
        f"ledger: {outcome.ledger}": _states(outcome) == _states(calm),
        "another result": outcome.result == calm.result,
        f"{outcome.steps} supersteps": outcome.steps == calm.steps,
        f"audit: {_difference(outcome, expected)}": outcome.audit == dict(expected),
    }
    return [f"{outcome.point}: {what}" for what, holds in checks.items() if not holds]


def _states(outcome: Outcome) -> list[tuple[str, str]]:
    return [(tool, state) for tool, state, _ in outcome.ledger]


def _difference(outcome: Outcome, expected: Counter[str]) -> dict[str, tuple[int, int]]:
    names = {*outcome.audit, *expected}
    both = {name: (outcome.audit.get(name, 0), expected[name]) for name in sorted(names)}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


async def try_points(
    stage: RefundStage, variant: Variant, points: Sequence[Point], calm: Outcome
) -> list[Outcome]:
    """Make a trial of each point and expect of each what a calm run does."""
    outcomes = await run_all(points, lambda point: stage.run(variant, point))
    assert [line for outcome in outcomes for line in problems(outcome, calm)] == []
    return outcomes


@pytest.mark.timeout(300)  # a dozen workers are killed, and each is missed for some seconds
async def test_a_refund_that_can_be_looked_up_happens_once(stage: RefundStage) -> None:
    """Killed at every hook and at some events, the run ends as if nothing had been."""
    calm = await stage.run("reconciling")
    outcomes = await try_points(stage, "reconciling", SAMPLE, calm)
    asked = {outcome.point: _words(outcome) for outcome in outcomes if _words(outcome)}
    assert asked == {}, "the tool can tell, so nobody need be asked"


async def test_a_refund_that_cannot_be_looked_up_is_put_before_a_person(stage: RefundStage) -> None:
    """Nothing is repeated on a guess: a person says what happened, and the run ends with one."""
    calm = await stage.run("blind")
    outcomes = await try_points(stage, "blind", SAMPLE_BLIND, calm)
    told = {outcome.point: (_words(outcome), outcome.calls["refund"]) for outcome in outcomes}
    # On a machine that is slow itself, the service may not be back in time.
    in_time = told.pop("slow service, in time")
    assert in_time in [(["happened"], 1), (["did_not_happen"], 2)]
    assert told == {
        "after_claim": (["did_not_happen"], 1),
        "service before-commit": (["happened"], 1),
        "slow service, too late": (["did_not_happen"], 2),
    }


async def test_a_second_refund_would_be_seen(stage: RefundStage) -> None:
    """A tool that denies its refund is called again: the payment service has two, and it shows."""
    calm = await stage.run("denying")
    assert calm.refunds == 1
    doubled = await stage.run("denying", in_call("after_call"))
    assert problems(doubled, calm) == ["after_call: 2 refunds", "after_call: another result"]


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_every_point_of_a_refund(stage: RefundStage) -> None:
    """Killed at every history event, superstep and hook, and slow, with either refund tool."""
    report: dict[str, Any] = {}
    for variant in ("reconciling", "blind"):
        calm = await stage.run(variant)
        events = [AtEvent(number) for number in range(1, len(calm.history) + 1)]
        steps = [after_step(number) for number in range(1, calm.steps + 1)]
        outcomes = await try_points(stage, variant, [*events, *steps, *HOOKS], calm)
        report[variant] = _summary(calm, outcomes)
    write_proof("crash", report, seeds=[])


def _words(outcome: Outcome) -> list[str]:
    return [verb for kind, verb in outcome.decisions if kind == "outcome"]


def _summary(calm: Outcome, outcomes: list[Outcome]) -> dict[str, Any]:
    words = Counter(word for outcome in outcomes for word in _words(outcome))
    return {
        "points_tried": len(outcomes),
        "workers_killed": sum(outcome.killed for outcome in outcomes),
        "refunds_per_run": Counter(outcome.refunds for outcome in outcomes),
        "approvals_per_run": Counter(
            len(outcome.decisions) - len(_words(outcome)) for outcome in outcomes
        ),
        "same_result_as_a_calm_run": sum(outcome.result == calm.result for outcome in outcomes),
        "said_of_an_unknown_outcome": words,
        "events_of_a_calm_run": calm.history,
        "trials": [
            {
                "point": outcome.point,
                "refunds": outcome.refunds,
                "refund_calls_begun": outcome.calls.get("refund", 0),
                "decisions": [" ".join(decision) for decision in outcome.decisions],
                "seconds": outcome.seconds,
            }
            for outcome in outcomes
        ],
    }
