"""Where a trial kills the worker. `strike` waits for the moment and returns when the worker is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from temporalio.client import WorkflowHandle

from interlock.testing.killing import CallPoint, Kill, KillAfterStep, KillInCall
from interlock.testing.processes import WorkerProcess
from tests.payments import appears

Hold = Literal["before-commit", "after-commit"]
"""A point inside the payment service at which it can be made to wait."""


class Point(Protocol):
    """A moment of a run."""

    @property
    def name(self) -> str:
        """What a report calls it."""
        ...

    @property
    def kill(self) -> Kill | None:
        """What the worker does by itself."""
        ...

    @property
    def hold(self) -> Hold | None:
        """Where the payment service waits."""
        ...

    async def strike(
        self, worker: WorkerProcess, handle: WorkflowHandle[Any, Any], holds: Path
    ) -> None:
        """Wait for the moment, and for the worker's end."""
        ...


@dataclass(frozen=True)
class AtEvent:
    """As soon as the history has an event."""

    number: int
    kill: Kill | None = None
    hold: Hold | None = None

    @property
    def name(self) -> str:
        """'event 12'."""
        return f"event {self.number}"

    async def strike(
        self, worker: WorkerProcess, handle: WorkflowHandle[Any, Any], holds: Path
    ) -> None:
        """Follow the history and kill."""
        async for event in handle.fetch_history_events(wait_new_event=True):
            if event.event_id == self.number:
                break
        await worker.kill()


@dataclass(frozen=True)
class InCall:
    """At a point of the refund that the tool gateway tells."""

    point: CallPoint
    tool: str = "refund"
    hold: Hold | None = None

    @property
    def name(self) -> str:
        """'before_claim'."""
        return self.point

    @property
    def kill(self) -> Kill:
        """The worker does it by itself."""
        return KillInCall(tool=self.tool, point=self.point)

    async def strike(
        self, worker: WorkerProcess, handle: WorkflowHandle[Any, Any], holds: Path
    ) -> None:
        """Wait for the worker's end."""
        await worker.gone()


@dataclass(frozen=True)
class InService:
    """While the payment service has the refund in hand."""

    hold: Hold
    kill: Kill | None = None

    @property
    def name(self) -> str:
        """'service before-commit'."""
        return f"service {self.hold}"

    async def strike(
        self, worker: WorkerProcess, handle: WorkflowHandle[Any, Any], holds: Path
    ) -> None:
        """Kill while the service waits, then let it go on."""
        await appears(holds / f"{self.hold}.reached")
        await worker.kill()
        (holds / self.hold).unlink()


@dataclass(frozen=True)
class AfterStep:
    """When a superstep is over, before the server hears of it."""

    step: int
    hold: Hold | None = None

    @property
    def name(self) -> str:
        """'superstep 3'."""
        return f"superstep {self.step}"

    @property
    def kill(self) -> Kill:
        """The worker does it by itself."""
        return KillAfterStep(self.step)

    async def strike(
        self, worker: WorkerProcess, handle: WorkflowHandle[Any, Any], holds: Path
    ) -> None:
        """Wait for the worker's end."""
        await worker.gone()


HOOKS: tuple[InCall | InService, ...] = (
    *(InCall(point) for point in get_args(CallPoint)),
    *(InService(point) for point in get_args(Hold)),
)
"""Every point of a refund."""
