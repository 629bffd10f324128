"""What the crash kit found, to read and as JSON."""

from __future__ import annotations

from pydantic import BaseModel

from interlock.testing.crash.invariants import Breach
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.plan import CrashPlan


class TrialReport(BaseModel):
    """One trial."""

    point: str
    reached: bool
    """Whether the moment of the point came."""
    worker_killed: bool = False
    effects: int = 0
    """Effects that the third parties have."""
    decisions: list[str] = []
    """Kind and verb of each decision."""
    seconds: float
    """How long it took."""


class CrashReport(BaseModel):
    """All trials of a scenario, and every invariant that broke."""

    scenario: str
    plan: CrashPlan
    undisturbed: Outcome
    """What the run leaves when nothing is killed."""
    trials: list[TrialReport] = []
    breaches: list[Breach] = []
    """In the order of the points."""

    @property
    def first(self) -> Breach | None:
        """The first breach."""
        return self.breaches[0] if self.breaches else None

    @property
    def unreached(self) -> list[str]:
        """Points whose moment never came, so that nothing was done at them."""
        return [trial.point for trial in self.trials if not trial.reached]

    @property
    def tried_nothing(self) -> bool:
        """Whether points were chosen, and the moment of none of them came."""
        return bool(self.trials) and len(self.unreached) == len(self.trials)

    def broken(self, invariant: str) -> int:
        """Return in how many trials an invariant broke."""
        return len({breach.point for breach in self.breaches if breach.invariant == invariant})

    def summary(self) -> str:
        """Return one line: how much was tried and what broke."""
        told = f"{self.scenario}: {len(self.undisturbed.effects)} effect(s) undisturbed"
        if self.trials:
            killed = sum(trial.worker_killed for trial in self.trials)
            told += f", {len(self.trials)} points, {killed} workers killed"
        if self.unreached:
            told += f", {len(self.unreached)} points not reached"
        if self.plan.mode == "random":
            told += f", seed {self.plan.seed}"
        return f"{told}, {len(self.breaches)} breach(es)"

    def text(self) -> str:
        """Return the first breach in words, and the others in short."""
        if self.tried_nothing:
            return f"{self.summary()}. Nothing was tried, so nothing is proved."
        if self.first is None:
            return self.summary()
        others = [f"  {breach.text()}" for breach in self.breaches[1:]]
        return "\n".join(
            [
                f"{self.scenario}: the first point that breaks an invariant is {self.first.point!r}.",
                f"  invariant: {self.first.invariant}",
                f"  expected:  {self.first.expected}",
                f"  actual:    {self.first.actual}",
                *(["Others:", *others] if others else []),
                self.summary(),
            ]
        )


__all__ = ["CrashReport", "TrialReport"]
