"""Points inside the payment service: the worker dies while it waits, or it is slow itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, get_args

from temporalio.client import WorkflowHandle

from interlock.testing.crash.points import Point, Struck
from interlock.testing.killing import Kill
from tests.payments import appears

Hold = Literal["before-commit", "after-commit"]
"""A point inside the payment service at which it can be made to wait."""


@dataclass(frozen=True)
class InService:
    """While the payment service has the refund in hand."""

    hold: Hold
    kill: Kill | None = None
    kills: bool = True
    restarts: str | None = None

    @property
    def name(self) -> str:
        """'service before-commit'."""
        return f"service {self.hold}"

    async def strike(self, run: Struck) -> bool:
        """Kill while the service waits, then let it go on."""
        holds = run.folder / "holds"
        gate = holds / self.hold
        gate.touch()
        await appears(holds / f"{self.hold}.reached")
        await run.worker.kill()
        gate.unlink()
        await run.start()
        return True


@dataclass(frozen=True)
class SlowService:
    """While the payment service is so slow that the tool gives up on it; the worker lives on."""

    goes_on: Literal["in time", "too late"]
    """Whether the service goes on before the call's deadline, or when the next call has begun."""
    kill: Kill | None = None
    kills: bool = False
    restarts: str | None = None

    @property
    def name(self) -> str:
        """'slow service, too late'."""
        return f"slow service, {self.goes_on}"

    async def strike(self, run: Struck) -> bool:
        """Hold the refund until the tool has left and asked what became of it, then let it go on."""
        holds = run.folder / "holds"
        gate, reached = holds / "before-commit", holds / "before-commit.reached"
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


HOOKS: tuple[Point, ...] = (
    *(InService(hold) for hold in get_args(Hold)),
    SlowService("in time"),
    SlowService("too late"),
)
"""Every point inside the payment service."""
