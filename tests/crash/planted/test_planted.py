"""Bugs that the crash kit has to find: each is planted, caught and named, and is the only fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from interlock.testing import CrashPlan, check_crashes
from interlock.testing.crash.invariants import Invariant
from tests.crash.planted.wiring import Wiring
from tests.proofs import progress, write_proof


@dataclass(frozen=True)
class Bug:
    """A bug, and what the kit has to say of it."""

    name: str
    scenario: dict[str, Any]
    """Arguments of `Wiring`."""
    point: str
    """The first point that shows it."""
    invariant: Invariant
    """What breaks there."""
    sound: dict[str, Any] = field(default_factory=dict)
    """What differs in the scenario without the bug."""

    @property
    def plan(self) -> CrashPlan:
        """The one point."""
        calm = self.point == "undisturbed"
        return CrashPlan() if calm else CrashPlan(mode="point", name=self.point)


BUGS = {
    bug.name: bug
    for bug in (
        Bug(
            "claim after call",
            {"agent": "quick", "setup": "claim_after_call"},
            "petty after_call",
            "no effect is doubled",
        ),
        Bug(
            "key with the attempt in it",
            {"agent": "quick", "setup": "attempt_in_the_key"},
            "petty after_call",
            "no effect is doubled",
        ),
        Bug(
            "decision not consumed",
            {"agent": "careful", "setup": "decision_not_consumed"},
            "undisturbed",
            "a decision is used once",
        ),
        Bug(
            "retry on timeout",
            {"agent": "blindly", "setup": "retry_on_timeout", "first_takes": 4.0},
            "undisturbed",
            "no effect is doubled",
        ),
        Bug(
            "swallowed cancellation",
            {"agent": "stubborn", "setup": "swallowed_cancellation", "cancels": True},
            "undisturbed",
            "no effect is doubled",
        ),
        Bug(
            "settle without fencing",
            {"agent": "blindly", "setup": "settle_without_fencing"},
            "blind held before_settle",
            "a late attempt changes nothing",
        ),
        Bug(
            "effect in workflow code",
            {"agent": "directly"},
            "undisturbed",  # a query of a run that is over replays it
            "no effect is doubled",
            sound={"agent": "quick"},
        ),
        Bug(
            "effect before interrupt() counted twice",
            {"agent": "asking", "setup": "effect_counted_twice"},
            "undisturbed",
            "no effect is doubled",
        ),
    )
}
SAMPLE = ("claim after call", "effect in workflow code")
"""Bugs of every plain test run."""


async def catch(bug: Bug) -> dict[str, Any]:
    """Expect that the kit names the bug, and finds nothing in the same scenario without it."""
    clean = Wiring(**{**bug.scenario, "setup": None, **bug.sound})
    report, sound = await asyncio.gather(  # at once: most of the time a dead worker is missed
        check_crashes(Wiring(**bug.scenario), bug.plan), check_crashes(clean, bug.plan)
    )
    assert report.first is not None, f"{bug.name} was not found"
    assert report.first.point == bug.point
    assert bug.invariant in [breach.invariant for breach in report.breaches], report.text()
    assert report.first.point in report.text()
    assert sound.breaches == [], sound.text()
    assert sound.unreached == []
    return {"point": bug.point, "broke": [breach.text() for breach in report.breaches]}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SAMPLE)
async def test_a_planted_bug_is_caught_and_named(name: str) -> None:
    """The kit names the point and the invariant; without the bug the point shows nothing."""
    await catch(BUGS[name])


@pytest.mark.proof
@pytest.mark.timeout(1200)
async def test_every_planted_bug_is_caught_and_named() -> None:
    """All eight, one after the other: about four minutes."""
    found = {}
    for bug in BUGS.values():
        found[bug.name] = await catch(bug)
        progress(f"{bug.name}: caught at {bug.point}")
    write_proof("planted-bugs", {"caught": len(found), "of": len(BUGS), "bugs": found}, seeds=[])
