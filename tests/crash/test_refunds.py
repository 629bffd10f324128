"""A worker is killed with SIGKILL anywhere in a refund, or the payment service is slow: one refund.

And one approval, and one result. The crash kit tries it, as it tries users' own agents.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from interlock.testing import CrashPlan, CrashReport, check_crashes
from interlock.testing.crash.invariants import breaches, words
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.points import AtEvent, Point, ServerDies, after_step, in_call, zombie
from interlock.testing.crash.stage import Stage, Unended, open_stage
from interlock.testing.killing import POINTS
from tests.crash.points import HOOKS, InService, SlowService
from tests.crash.refunds import Refund, Variant
from tests.proofs import progress, write_proof

VARIANTS: tuple[Variant, ...] = ("reconciling", "blind")
"""What is proved; the third variant is a control."""

SAMPLE: tuple[Point, ...] = (
    zombie("refund"),  # first, since it takes longest
    *(in_call("refund", point) for point in POINTS),
    *HOOKS,
    AtEvent(1),
    AtEvent(34),
    after_step(5),
    ServerDies("temporal", 24),
)
"""Points of every plain test run: each hook, and a few moments from start to end."""
AT_ONCE = 7
"""Trials of a sample at once: most of their time nothing runs, while a dead worker is missed."""

SAMPLE_BLIND: tuple[Point, ...] = (
    in_call("refund", "before_claim"),
    in_call("refund", "after_claim"),
    InService("before-commit"),
    SlowService("too late"),
)


async def try_points(stage: Stage, points: Sequence[Point]) -> list[Outcome]:
    """Make a trial of each point and expect of each what a calm run does."""
    calm = await stage.run()
    assert calm.effects == list(Refund.expects or ())
    outcomes: list[Outcome] = []
    for tried in await stage.run_all(points):
        assert not isinstance(tried, Unended), f"{tried.point}: the run did not end"
        assert tried.struck, f"{tried.point}: its moment did not come"
        outcomes.append(tried)
    found = [item for tried in outcomes for item in breaches(tried, calm, dict)]
    assert [item.text() for item in found] == []
    return outcomes


def said(outcome: Outcome) -> list[str]:
    """What a person said of unknown outcomes."""
    return [verb for _, verb in words(outcome)]


async def sampled(variant: Variant, points: Sequence[Point]) -> list[Outcome]:
    """Make the trials of a sample, on a stage of its own."""
    scenario = Refund(variant, signed=variant == "blind", at_once=AT_ONCE)
    async with open_stage(scenario) as stage:
        return await try_points(stage, points)


class Tried(NamedTuple):
    """Few trials of two variants, which go on at the same time."""

    blind: Task[list[Outcome]]
    denying: Task[CrashReport]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tried() -> AsyncIterator[Tried]:
    """Begin the trials."""
    plan = CrashPlan(mode="point", name="refund after_call")
    trials = Tried(
        asyncio.create_task(sampled("blind", SAMPLE_BLIND)),
        asyncio.create_task(check_crashes(Refund("denying"), plan)),
    )
    yield trials
    for trial in trials:
        trial.cancel()
    await asyncio.gather(*trials, return_exceptions=True)


@pytest.mark.timeout(300)  # a dozen workers are killed, and each is missed for some seconds
async def test_a_refund_that_can_be_looked_up_happens_once() -> None:
    """Killed at every hook and at some events, the run ends as if nothing had been."""
    outcomes = await sampled("reconciling", SAMPLE)
    asked = {outcome.point: said(outcome) for outcome in outcomes if said(outcome)}
    assert asked == {}, "the tool can tell, so nobody need be asked"


async def test_a_refund_that_cannot_be_looked_up_is_put_before_a_person(tried: Tried) -> None:
    """Nothing is repeated on a guess: a person says what happened, and the run ends with one.

    Every word is signed: what was accepted before the worker was killed still holds after it.
    """
    outcomes = await tried.blind
    told = {outcome.point: (said(outcome), outcome.calls["refund"]) for outcome in outcomes}
    assert told == {
        "refund before_claim": ([], 1),
        "refund after_claim": (["did_not_happen"], 1),
        "service before-commit": (["happened"], 1),
        "slow service, too late": (["did_not_happen"], 2),
    }


async def test_a_second_refund_would_be_seen(tried: Tried) -> None:
    """A tool that denies its refund is called again: the payment service has two, and it shows."""
    report = await tried.denying
    assert report.undisturbed.effects == list(Refund.expects or ())
    assert {item.invariant for item in report.breaches} == {
        "no effect is doubled",
        "the result is the same",
    }
    assert {item.point for item in report.breaches} == {"refund after_call"}


@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_every_point_of_a_refund() -> None:
    """The crash kit on the copilot, every point, with either refund tool: ten minutes each, or more.

    Memory is on a Chroma server, which is killed too.
    """
    found = {}
    for variant in VARIANTS:
        scenario = Refund(variant, chroma_server=True)
        report = await check_crashes(scenario, CrashPlan(mode="every-point"), say=progress)
        assert report.breaches == [], report.text()
        assert report.unreached == []
        found[variant] = summary(report)
    write_proof("crash", found, seeds=[])


def summary(report: CrashReport) -> dict[str, Any]:
    """What a proof says of a report."""
    effects = Counter(trial.effects for trial in report.trials)
    decisions = [decision for trial in report.trials for decision in trial.decisions]
    return {
        "points_tried": len(report.trials),
        "points_not_reached": report.unreached,
        "workers_killed": sum(trial.worker_killed for trial in report.trials),
        "servers_killed": sum(" server at " in trial.point for trial in report.trials),
        "refunds_per_run": effects,
        "lost": report.broken("no effect is lost"),
        "doubled": report.broken("no effect is doubled"),
        "unapproved": report.broken("no effect is unapproved"),
        "breaches": len(report.breaches),
        "decisions": Counter(decisions),
        "events_of_an_undisturbed_run": report.undisturbed.history,
        "trials": [trial.model_dump() for trial in report.trials],
    }
