"""Where a trial does harm. `strike` waits for the moment and says whether it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from temporalio.client import WorkflowHandle

from interlock.testing.crash.servers import Restartable
from interlock.testing.following import follow_events
from interlock.testing.killing import (
    CallPoint,
    HoldInCall,
    Kill,
    KillAfterStep,
    KillInCall,
    held,
    reached,
    release,
)
from interlock.testing.processes import WorkerProcess

_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Struck:
    """A run that a point waits in."""

    worker: WorkerProcess
    """The worker that hosts it."""
    handle: WorkflowHandle[Any, Any]
    folder: Path
    """The trial's data folder."""
    start: Callable[[], Awaitable[WorkerProcess]]
    """Starts the next worker and waits until it polls."""
    ledger: Callable[[], Awaitable[list[Any]]]
    """Reads the ledger rows of the run."""
    temporal: Restartable | None = None
    chroma: Restartable | None = None
    late: list[str] = field(default_factory=list)
    """What a zombie attempt changed, in words: nothing, if all is well."""


class Point(Protocol):
    """A moment in a run, and the harm that is done at it."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def kill(self) -> Kill | None:
        """What the worker does to itself at it, if it does."""
        ...

    @property
    def kills(self) -> bool:
        """Whether it ends a worker."""
        ...

    @property
    def restarts(self) -> str | None:
        """Which server it kills and restarts: 'temporal', 'chroma' or None."""
        ...

    async def strike(self, run: Struck) -> bool:
        """Wait for the moment, do the harm, make whole what it ended, say if the moment came."""
        ...


@dataclass(frozen=True)
class AtEvent:
    """The worker is killed as soon as the run's history has an event."""

    number: int
    kill: Kill | None = None
    kills: bool = True
    restarts: str | None = None

    @property
    def name(self) -> str:
        """'event 12'."""
        return f"event {self.number}"

    async def strike(self, run: Struck) -> bool:
        """Follow the history and kill."""
        if not await _has_event(run, self.number):
            return False
        await run.worker.kill()
        await run.start()
        return True


@dataclass(frozen=True)
class ByItself:
    """The worker kills itself: in a tool call, or after a superstep."""

    name: str
    kill: Kill
    kills: bool = True
    restarts: str | None = None

    async def strike(self, run: Struck) -> bool:
        """Wait for the worker's end."""
        await run.worker.gone()
        await run.start()
        return True


@dataclass(frozen=True)
class Zombie:
    """An attempt at a tool call is held until the run has ended without it, and then goes on.

    What the late attempt settles must change nothing.
    """

    name: str
    kill: HoldInCall
    kills: bool = False
    restarts: str | None = None

    async def strike(self, run: Struck) -> bool:
        """Wait until it is held and the run has ended with another attempt, then let it go on."""
        await held(run.folder)
        await run.handle.result()
        before, told = await run.ledger(), _settled(run.folder)
        release(run.folder)
        while _settled(run.folder) == told:  # noqa: ASYNC110  there is no event between processes
            await asyncio.sleep(_LOOK_SECONDS)
        after = await run.ledger()
        run.late.extend(
            f"{old} became {new}" for old, new in zip(before, after, strict=True) if old != new
        )
        return True


@dataclass(frozen=True)
class ServerDies:
    """A server is killed, and restarted on the same storage, when the history has an event."""

    server: str
    """'temporal' or 'chroma'."""
    number: int
    kill: Kill | None = None
    kills: bool = False

    @property
    def name(self) -> str:
        """'temporal server at event 12'."""
        return f"{self.server} server at event {self.number}"

    @property
    def restarts(self) -> str | None:
        """The server."""
        return self.server

    async def strike(self, run: Struck) -> bool:
        """Follow the history, kill the server and start it again."""
        if not await _has_event(run, self.number):
            return False
        server = run.temporal if self.server == "temporal" else run.chroma
        if server is None:
            raise RuntimeError(f"this trial has no {self.server} server of its own to kill")
        await server.kill()
        await server.start()
        return True


def in_call(tool: str, point: CallPoint, number: int = 1) -> ByItself:
    """At a point of a tool's call, the `number`th time that it is reached."""
    again = "" if number == 1 else f" ({number})"
    return ByItself(f"{tool} {point}{again}", KillInCall(tool, point, number))


def after_step(step: int) -> ByItself:
    """When a superstep is over, before the server hears of it."""
    return ByItself(f"superstep {step}", KillAfterStep(step))


def zombie(tool: str) -> Zombie:
    """Held with the answer of a tool's first call in hand, before the ledger has it."""
    return Zombie(f"{tool} held before_settle", HoldInCall(tool, "before_settle"))


async def _has_event(run: Struck, number: int) -> bool:
    async for event in follow_events(run.handle, patient=True):
        if event.event_id >= number:
            return True
    return False


def _settled(folder: Path) -> int:
    return sum(place.point == "after_settle" for place in reached(folder))


__all__ = [
    "AtEvent",
    "ByItself",
    "Point",
    "ServerDies",
    "Struck",
    "Zombie",
    "after_step",
    "in_call",
    "zombie",
]
