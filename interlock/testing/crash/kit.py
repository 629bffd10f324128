"""Runs a scenario undisturbed, finds its points, harms it at them, and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from interlock.testing.crash.invariants import Breach, breaches, breaches_of_calm
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.plan import CrashPlan
from interlock.testing.crash.points import (
    AtEvent,
    Point,
    ServerDies,
    after_step,
    in_call,
    zombie,
)
from interlock.testing.crash.report import CrashReport, TrialReport
from interlock.testing.crash.scenario import CrashScenario
from interlock.testing.crash.stage import Say, Unended, open_stage


async def check_crashes(
    scenario: CrashScenario, plan: CrashPlan | None = None, *, say: Say = lambda _: None
) -> CrashReport:
    """Try a scenario at the points that a plan chooses and report what broke.

    If the undisturbed run itself breaks an invariant, nothing is killed.

    Args:
        scenario: The run, its world and its reviewer.
        plan: Which points; none by default.
        say: Told of each trial that ended.

    Raises:
        BadInput: the plan names a point that the run does not have.
        ConfigError: the project's settings cannot be read.
        TemporalUnreachable: no Temporal CLI is installed.
        TimeoutError: the undisturbed run does not end.
        ExceptionGroup: trials could not be made; each error says which.
    """
    plan = plan or CrashPlan()
    async with open_stage(scenario) as stage:
        calm = await stage.run()
        report = CrashReport(
            scenario=type(scenario).__name__,
            plan=plan,
            undisturbed=calm,
            breaches=breaches_of_calm(calm, scenario.expects),
        )
        if report.breaches:
            return report
        points = plan.choose(list(points_of(scenario, calm, has_chroma=stage.has_chroma)))
        for tried in await stage.run_all(points, say):
            report.trials.append(_trial(tried))
            report.breaches.extend(_judge(tried, calm, scenario))
        return report


def points_of(scenario: CrashScenario, calm: Outcome, *, has_chroma: bool) -> Iterator[Point]:
    """Yield every point of a run, from what it left undisturbed.

    They are each history event, each superstep, each boundary of each tool call, a zombie of each
    tool that makes effects, the scenario's own, and a dead server at each completed workflow task.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for tool, point in calm.places:
        seen[tool, point] += 1
        yield in_call(tool, point, seen[tool, point])
    yield from (zombie(tool) for tool, point in seen if point == "before_settle")
    yield from scenario.points
    yield from (AtEvent(number) for number in range(1, len(calm.history) + 1))
    yield from (after_step(step) for step in range(1, calm.steps + 1))
    numbered = enumerate(calm.history, start=1)
    tasks = [number for number, kind in numbered if kind == "WORKFLOW_TASK_COMPLETED"]
    yield from (ServerDies("temporal", number) for number in tasks)
    if has_chroma:  # with the last task the run is over, and nothing is asked of its memory
        yield from (ServerDies("chroma", number) for number in tasks[:-1])


def _trial(tried: Outcome | Unended) -> TrialReport:
    if isinstance(tried, Unended):
        return TrialReport(point=tried.point, reached=True, seconds=tried.seconds)
    return TrialReport(
        point=tried.point,
        reached=tried.struck,
        worker_killed=tried.killed,
        effects=len(tried.effects),
        decisions=[" ".join(decision) for decision in tried.decisions],
        seconds=tried.seconds,
    )


def _judge(tried: Outcome | Unended, calm: Outcome, scenario: CrashScenario) -> list[Breach]:
    if isinstance(tried, Outcome):
        return breaches(tried, calm, scenario.comparable)
    waited = f"it has not ended after {tried.seconds:g} s"
    return [Breach(point=tried.point, invariant="the run ends", expected="an end", actual=waited)]


__all__ = ["check_crashes", "points_of"]
