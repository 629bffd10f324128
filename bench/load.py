"""Load: so many runs at once, each started when another one ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Run = Callable[[str], Awaitable[None]]
"""Makes one run about a topic, to its end, and checks what came of it."""


@dataclass(frozen=True)
class Sample:
    """What one load measured."""

    runs: int
    seconds: float
    latencies: list[float]
    """Seconds of each run."""
    worker_cpu: float
    """CPU seconds of the worker process, user and system."""
    server_cpu: float | None
    """CPU seconds of the Temporal server; None for a system without one."""


async def load(run: Run, *, runs: int, concurrency: int) -> tuple[float, list[float]]:
    """Make `runs` runs, `concurrency` at once; return the seconds of all and of each."""
    latencies: list[float] = []
    topics = iter(range(runs))

    async def caller() -> None:
        for number in topics:
            began = time.perf_counter()
            await run(f"order {number}")
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return time.perf_counter() - began, latencies
