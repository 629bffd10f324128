"""How a plan of crashes is read, and which points it takes."""

from __future__ import annotations

import pytest

from interlock.errors import BadInput
from interlock.testing.crash.plan import CrashPlan
from interlock.testing.crash.points import AtEvent
from interlock.testing.crash.report import CrashReport, TrialReport
from tests.unit.testing.test_invariants import CALM

POINTS = [AtEvent(number) for number in range(1, 9)]


@pytest.mark.parametrize("text", ["sometimes", "random:0", "random:many", "point:", ""])
def test_a_text_that_is_no_plan_is_refused(text: str) -> None:
    """The message has the text and what is allowed."""
    with pytest.raises(BadInput) as refused:
        CrashPlan.parse(text)
    assert repr(text) in refused.value.message
    assert "every-point" in refused.value.message


def test_a_choice_follows_from_its_seed() -> None:
    """Equal seeds take equal points, and others take others."""
    first, again, other = (
        CrashPlan.parse("random:6", seed=seed).choose(POINTS) for seed in (7, 7, 8)
    )
    assert first == again != other
    assert len(first) == 6


def test_a_point_is_taken_by_its_name() -> None:
    """A name that no point has is refused with those there are."""
    assert CrashPlan.parse("point:event 3").choose(POINTS) == [AtEvent(3)]
    with pytest.raises(BadInput, match="'event 8'"):
        CrashPlan.parse("point:event 99").choose(POINTS)


def test_without_a_plan_nothing_is_killed() -> None:
    """The run is undisturbed."""
    assert CrashPlan.parse(None).choose(POINTS) == []
    assert CrashPlan.parse("every-point").choose(POINTS) == POINTS


@pytest.mark.parametrize(
    ("reached", "proves"), [([True, False], True), ([False, False], False), ([], True)]
)
def test_a_report_of_points_that_never_came_proves_nothing(
    reached: list[bool], proves: bool
) -> None:
    """A test that chose points and reached none of them has to fail, and says why."""
    trials = [
        TrialReport(point=f"event {n}", reached=came, seconds=1.0) for n, came in enumerate(reached)
    ]
    report = CrashReport(scenario="S", plan=CrashPlan(), undisturbed=CALM, trials=trials)
    assert report.tried_nothing is not proves
    assert ("nothing is proved" in report.text()) is not proves
