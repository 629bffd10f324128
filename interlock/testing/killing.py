"""Points at which a worker process kills itself, once, so that a test can see what is left.

SIGKILL leaves no time to clean up: whatever was not on disk or on the server is lost. A file marks
that it happened, so the next worker on the same folder lives.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from langgraph.types import StateSnapshot

from interlock.tools.attempt import Probe
from interlock.tools.contract import ToolCall
from interlock.workflows.runtime import Observer

CallPoint = Literal[
    "before_claim", "after_claim", "before_call", "after_call", "before_settle", "after_settle"
]
"""A point of a tool call, as the tool gateway tells it."""


@dataclass(frozen=True)
class KillInCall:
    """Die at a point of the first call of a tool."""

    tool: str
    point: CallPoint


@dataclass(frozen=True)
class KillAfterStep:
    """Die when a superstep of a graph is over, before the server hears of it."""

    step: int
    """Number of the superstep, from 1."""


Kill = KillInCall | KillAfterStep


class Killer:
    """Watches a worker from inside, and kills its process at the point it was given.

    Args:
        kill: The point; None only watches.
        folder: Where the mark and the list of calls are kept, across workers.
    """

    def __init__(self, kill: Kill | None, folder: Path) -> None:
        self._kill = kill
        self._mark = folder / "killed"
        self._calls = folder / "calls"

    @property
    def probe(self) -> Probe:
        """Told of the points of every tool call."""
        return self._at_point

    @property
    def observer(self) -> Observer:
        """Told of every superstep of every run."""
        return self._after_step

    async def _at_point(self, point: str, call: ToolCall) -> None:
        if point == "before_call":
            with self._calls.open("a", encoding="utf-8") as calls:
                calls.write(f"{call.tool} {call.effect_key}\n")
        if isinstance(self._kill, KillInCall) and (call.tool, point) == (
            self._kill.tool,
            self._kill.point,
        ):
            self._die()

    def _after_step(self, step: int, state: StateSnapshot) -> None:
        if isinstance(self._kill, KillAfterStep) and step == self._kill.step:
            self._die()

    def _die(self) -> None:
        try:
            self._mark.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def calls_made(folder: Path) -> list[str]:
    """Return the tools that workers on `folder` called, one entry for each call, in order.

    An implementation that was begun counts, whether or not its worker lived to see the answer.
    """
    calls = folder / "calls"
    if not calls.exists():
        return []
    return [line.split()[0] for line in calls.read_text(encoding="utf-8").splitlines()]


__all__ = ["CallPoint", "Kill", "KillAfterStep", "KillInCall", "Killer", "calls_made"]
