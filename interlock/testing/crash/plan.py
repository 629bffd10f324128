"""Which points are tried: every one, a random choice, a named one, or none."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from interlock.errors import BadInput
from interlock.testing.crash.points import Point


class CrashPlan(BaseModel):
    """How many of the points of a scenario are tried."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["undisturbed", "every-point", "random", "point"] = "undisturbed"
    count: int = 0
    """Number of random points."""
    seed: int = 0
    """What their choice follows from."""
    name: str = ""
    """Name of the one point."""

    @classmethod
    def parse(cls, text: str | None, *, seed: int = 0) -> Self:
        """Read `every-point`, `random:N` or `point:NAME`; None leaves the run undisturbed.

        Raises:
            BadInput: it is none of them.
        """
        if text is None:
            return cls()
        if text == "every-point":
            return cls(mode="every-point")
        if text.startswith("point:") and text != "point:":
            return cls(mode="point", name=text.removeprefix("point:"))
        found = re.fullmatch(r"random:([1-9]\d{0,5})", text)
        if found is None:
            raise BadInput(
                f"{text!r} does not say where to crash. Allowed: 'every-point', 'random:N' with a "
                "number of points from 1, or 'point:NAME' with the name of a point in a report."
            )
        return cls(mode="random", count=int(found[1]), seed=seed)

    def choose(self, points: Sequence[Point]) -> list[Point]:
        """Return the points to try; a random choice may take one more than once.

        Raises:
            BadInput: no point has the name.
        """
        if self.mode == "point":
            return [self._named(points)]
        if self.mode == "every-point":
            return list(points)
        if self.mode == "random" and points:
            return random.Random(self.seed).choices(points, k=self.count)  # noqa: S311  no secret
        return []

    def _named(self, points: Sequence[Point]) -> Point:
        for point in points:
            if point.name == self.name:
                return point
        known = ", ".join(repr(point.name) for point in points)
        raise BadInput(f"this run has no point {self.name!r}. It has: {known}.")


__all__ = ["CrashPlan"]
