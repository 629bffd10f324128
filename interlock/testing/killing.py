"""Points at which a worker process kills itself or holds an attempt, once, so that a test can see what is left.

SIGKILL leaves no time to clean up: whatever was not on disk or on the server is lost. A file marks
that it happened, so the next worker on the same folder lives.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from langgraph.types import StateSnapshot

from interlock.tools.attempt import Probe
from interlock.tools.contract import ToolCall
from interlock.workflows.runtime import Observer

CallPoint = Literal[
    "before_claim", "after_claim", "before_call", "after_call", "before_settle", "after_settle"
]
"""A point of a tool call, as the tool gateway tells it."""
POINTS: tuple[CallPoint, ...] = get_args(CallPoint)
"""All of them, in order."""


_MARK, _RELEASED = "struck", "released"
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class KillInCall:
    """Die at a point of a tool's call."""

    tool: str
    point: CallPoint
    number: int = 1
    """The how manieth time that the point is reached, retries and other workers counted."""


@dataclass(frozen=True)
class HoldInCall:
    """Hold the first attempt that reaches a point of a tool's call, until `release`.

    The worker lives on and the attempt's time runs out, as when its machine stood still.
    """

    tool: str
    point: CallPoint


@dataclass(frozen=True)
class KillAfterStep:
    """Die when a superstep of a graph is over, before the server hears of it."""

    step: int
    """Number of the superstep, from 1."""


Kill = KillInCall | HoldInCall | KillAfterStep


class Place(NamedTuple):
    """A point of a tool's call that a worker reached."""

    tool: str
    point: CallPoint
    effect_key: str


class Killer:
    """Watches a worker from inside, and kills its process at the point it was given.

    Args:
        kill: The point; None only watches.
        folder: Where the mark and the list of calls are kept, across workers.
    """

    def __init__(self, kill: Kill | None, folder: Path) -> None:
        self._kill = kill
        self._folder = folder
        self._mark = folder / _MARK
        self._places = folder / "places"

    @property
    def probe(self) -> Probe:
        """Told of the points of every tool call."""
        return self._at_point

    @property
    def observer(self) -> Observer:
        """Told of every superstep of every run."""
        return self._after_step

    async def _at_point(self, point: str, call: ToolCall) -> None:
        with self._places.open("a", encoding="utf-8") as places:
            places.write(f"{call.tool} {point} {call.effect_key}\n")
        kill = self._kill
        if isinstance(kill, KillAfterStep) or kill is None or kill.tool != call.tool:
            return
        if kill.point != point:
            return
        if isinstance(kill, HoldInCall):
            if self._is_first():
                await _appears(self._folder / _RELEASED)
        elif self._times(call.tool, kill.point) >= kill.number:
            self._die()

    def _times(self, tool: str, point: CallPoint) -> int:
        return sum(place[:2] == (tool, point) for place in reached(self._folder))

    def _after_step(self, step: int, state: StateSnapshot) -> None:
        if isinstance(self._kill, KillAfterStep) and step == self._kill.step:
            self._die()

    def _die(self) -> None:
        if self._is_first():
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_first(self) -> bool:
        try:
            self._mark.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


async def _appears(path: Path) -> None:
    while not path.exists():  # noqa: ASYNC110, ASYNC240  there is no event between processes
        await asyncio.sleep(_LOOK_SECONDS)


def calls_made(folder: Path) -> list[str]:
    """Return the tools that workers on `folder` called, one entry for each call, in order.

    An implementation that was begun counts, whether or not its worker lived to see the answer.
    """
    return [place.tool for place in reached(folder) if place.point == "before_call"]


def reached(folder: Path) -> list[Place]:
    """Return the points of tool calls that workers on `folder` reached, in order."""
    places = folder / "places"
    if not places.exists():
        return []
    lines = [line.split(" ") for line in places.read_text(encoding="utf-8").splitlines()]
    return [Place(tool, cast("CallPoint", point), key) for tool, point, key in lines]


async def held(folder: Path) -> None:
    """Wait until an attempt in a worker on `folder` is held."""
    await _appears(folder / _MARK)


def release(folder: Path) -> None:
    """Let the attempt go on."""
    (folder / _RELEASED).touch()


__all__ = [
    "POINTS",
    "CallPoint",
    "HoldInCall",
    "Kill",
    "KillAfterStep",
    "KillInCall",
    "Killer",
    "Place",
    "calls_made",
    "held",
    "reached",
    "release",
]
