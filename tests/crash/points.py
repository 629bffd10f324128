"""Where a trial kills the worker. `strike` waits for the moment and says whether it came."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

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
class ByItself:
    """Where the worker kills itself: in a tool call, or after a superstep."""

    name: str
    kill: Kill

    async def strike(self, run: Struck) -> bool:
        """Wait for the worker's end."""
        await run.worker.gone()
        return True


Point = AtEvent | InService | ByItself


def in_call(point: CallPoint, tool: str = "refund") -> ByItself:
    """At a point of a tool's first call."""
    return ByItself(point, KillInCall(tool=tool, point=point))


def after_step(step: int) -> ByItself:
    """When a superstep is over, before the server hears of it."""
    return ByItself(f"superstep {step}", KillAfterStep(step))


HOOKS: tuple[Point, ...] = (
    *(in_call(point) for point in get_args(CallPoint)),
    *(InService(hold) for hold in get_args(Hold)),
)
"""Every point of a refund."""
