"""Load: so many runs at once, each started when another one ends, or all of them paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Run = Callable[[str], Awaitable[None]]
"""Makes one run about a topic, to its end, and checks what came of it."""
Release = Callable[[], Awaitable[None]]
"""Lets a paused run go on, waits for its end, and checks what came of it."""
Pause = Callable[[str], Awaitable[Release]]
"""Brings one run about a topic to where it waits for a person."""
Memory = Callable[[], tuple[int, int | None]]
"""Returns the resident bytes of the worker and of the Temporal server, if there is one."""

_AT_ONCE = 20


@dataclass(frozen=True)
class Sample:
    """What one load measured."""

    runs: int
    seconds: float
    latencies: list[float]
    """Seconds of each run."""
    worker_cpu: float
    """CPU seconds of the process that hosts the runs, user and system."""
    server_cpu: float | None
    """CPU seconds of the Temporal server or of Postgres; None for a system without one."""


@dataclass(frozen=True)
class Paused:
    """What paused runs took."""

    runs: int
    worker_bytes: int
    """By which the worker's resident memory grew."""
    server_bytes: int | None
    """By which the Temporal server's grew."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one run."""

    records: int
    """Events of its history, or rows."""
    bytes: int


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


async def hold(pause: Pause, runs: int, memory: Memory) -> Paused:
    """Pause `runs` runs, see what they take, and let each go on to its end."""
    releases: list[Release] = []

    async def to_the_pause(topic: str) -> None:
        releases.append(await pause(topic))

    async def to_the_end(_: str) -> None:
        await releases.pop()()

    before = memory()
    await load(to_the_pause, runs=runs, concurrency=_AT_ONCE)
    after = memory()
    await load(to_the_end, runs=runs, concurrency=_AT_ONCE)
    on_server = None if after[1] is None or before[1] is None else after[1] - before[1]
    return Paused(runs, after[0] - before[0], on_server)
