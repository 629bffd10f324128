"""Where a trial does harm: it kills the worker, or keeps the payment service from answering.

`strike` waits for the moment and says whether it came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from temporalio.client import WorkflowHandle

from interlock.testing.following import follow_events
from interlock.testing.killing import CallPoint, Kill, KillAfterStep, KillInCall
from interlock.testing.processes import WorkerProcess
from tests.payments import appears

Hold = Literal["before-commit", "after-commit"]
"""A point inside the payment service at which it can be made to wait."""


@dataclass(frozen=True)
class Struck:
    """A run that a point waits in."""

    worker: WorkerProcess
    handle: WorkflowHandle[Any, Any]
    holds: Path
    """Folder of the payment service's hooks."""


@dataclass(frozen=True)
class AtEvent:
    """As soon as the run's history has an event."""

    kills: ClassVar[bool] = True
    number: int
    kill: Kill | None = None

    @property
    def name(self) -> str:
        """'event 12'."""
        return f"event {self.number}"

    async def strike(self, run: Struck) -> bool:
        """Follow the history and kill."""
        async for event in follow_events(run.handle):
            if event.event_id == self.number:
                await run.worker.kill()
                return True
        return False


@dataclass(frozen=True)
class InService:
    """While the payment service has the refund in hand."""

    kills: ClassVar[bool] = True
    hold: Hold
    kill: Kill | None = None

    @property
    def name(self) -> str:
        """'service before-commit'."""
        return f"service {self.hold}"

    async def strike(self, run: Struck) -> bool:
        """Kill while the service waits, then let it go on."""
        gate = run.holds / self.hold
        gate.touch()
        await appears(run.holds / f"{self.hold}.reached")
        await run.worker.kill()
        gate.unlink()
        return True


@dataclass(frozen=True)
class SlowService:
    """While the payment service is so slow that the tool gives up on it; the worker lives on."""

    kills: ClassVar[bool] = False
    goes_on: Literal["in time", "too late"]
    """Whether the service goes on before the call's deadline, or when the next call has begun."""
    kill: Kill | None = None

    @property
    def name(self) -> str:
        """'slow service, too late'."""
        return f"slow service, {self.goes_on}"

    async def strike(self, run: Struck) -> bool:
        """Hold the refund until the tool has left and asked what became of it, then let it go on."""
        gate, reached = run.holds / "before-commit", run.holds / "before-commit.reached"
        gate.touch()
        await appears(reached)
        reached.unlink()
        if self.goes_on == "in time":
            await _attempt_ends(run.handle)
        else:
            await appears(reached)
        gate.unlink()
        return True


async def _attempt_ends(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until an attempt of the run's activity has failed."""
    while True:  # a history tells of an activity's attempts only when the last one is over
        description = await handle.describe()
        pending = description.raw_description.pending_activities
        if any(activity.HasField("last_failure") for activity in pending):
            return
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class ByItself:
    """Where the worker kills itself: in a tool call, or after a superstep."""

    kills: ClassVar[bool] = True
    name: str
    kill: Kill

    async def strike(self, run: Struck) -> bool:
        """Wait for the worker's end."""
        await run.worker.gone()
        return True


Point = AtEvent | InService | SlowService | ByItself


def in_call(point: CallPoint, tool: str = "refund") -> ByItself:
    """At a point of a tool's first call."""
    return ByItself(point, KillInCall(tool=tool, point=point))


def after_step(step: int) -> ByItself:
    """When a superstep is over, before the server hears of it."""
    return ByItself(f"superstep {step}", KillAfterStep(step))


HOOKS: tuple[Point, ...] = (
    *(in_call(point) for point in get_args(CallPoint)),
    *(InService(hold) for hold in get_args(Hold)),
    SlowService("in time"),
    SlowService("too late"),
)
"""Every point of a refund."""
