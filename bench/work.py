"""Work that needs the machine for itself, one job after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.part import Tell
from bench.plan import Plan


@dataclass(frozen=True)
class Job:
    """One piece of work."""

    title: str
    run: Callable[[], Awaitable[None]]


async def do(jobs: Sequence[Job], plan: Plan, tell: Tell) -> None:
    """Do the jobs in order, or all at once when the plan measures nothing."""
    if plan.side_by_side:
        await asyncio.gather(*(job.run() for job in jobs))
        return
    for job in jobs:
        tell(job.title)
        await job.run()
