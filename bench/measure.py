"""The measurement: every system in turn, round by round, then what the rounds have in common."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.conversation import bytes_per_model_call
from bench.graph import EFFECTS, check
from bench.load import Sample, load
from bench.processes import cpu_of, printed_by, server_process, worker_process
from bench.systems import BARE, NAMES, SYSTEMS, Handle, System
from interlock.server import Server

Tell = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    """Each round has a fresh server and a fresh worker for each system; medians are reported."""
    warm_up: int
    """Runs before a round is measured, one after the other."""
    loads: dict[int, int]
    """Runs by concurrency."""
    turns: tuple[int, ...]
    """Turns of the conversation at which its history is looked at."""
    side_by_side: bool = False
    """Everything at the same time, which is fast and measures nothing."""


FULL = Plan(rounds=5, warm_up=20, loads={1: 40, 50: 300}, turns=(10, 50, 150, 300))
QUICK = Plan(rounds=1, warm_up=5, loads={1: 12, 50: 75}, turns=(10, 50, 100))
SMOKE = Plan(rounds=1, warm_up=1, loads={1: 1, 50: 2}, turns=(10, 12), side_by_side=True)
"""Only shows that the benchmark works."""


@dataclass(frozen=True)
class History:
    """The history of one run."""

    events: int
    bytes: int


@dataclass
class Rounds:
    """What the rounds of one system measured."""

    samples: dict[int, list[Sample]]
    """By concurrency."""
    history: History | None = None


@dataclass(frozen=True)
class Part:
    """A part of the measurement that needs the machine for itself."""

    title: str
    run: Callable[[], Awaitable[None]]


async def measure(plan: Plan, tell: Tell) -> dict[str, Any]:
    """Measure everything and return the figures of each system and of the conversation."""
    found = {name: Rounds({c: [] for c in plan.loads}) for name in NAMES}
    sizes: dict[str, float] = {}
    parts = [
        *(part for number in range(plan.rounds) for part in _round(number, plan, found)),
        Part(f"conversation of {plan.turns[-1]} turns", lambda: _conversation(plan, sizes)),
    ]
    if plan.side_by_side:
        tell("everything at the same time, once")
        await asyncio.gather(*(part.run() for part in parts))
    else:
        for part in parts:
            tell(part.title)
            await part.run()
    return {
        "systems": {name: figures(rounds) for name, rounds in found.items()},
        "bytes_per_model_call": sizes,
    }


def _round(number: int, plan: Plan, found: dict[str, Rounds]) -> list[Part]:
    title = f"round {number + 1} of {plan.rounds}"
    return [
        Part(f"{title}: {BARE}", partial(_bare, plan, found[BARE])),
        *(
            Part(f"{title}: {system.name}", partial(_one, system, plan, found[system.name]))
            for system in SYSTEMS
        ),
    ]


async def _bare(plan: Plan, found: Rounds) -> None:
    loads = [f"{concurrency}:{runs}" for concurrency, runs in plan.loads.items()]
    printed = await printed_by("bench.bare", str(plan.warm_up), *loads)
    for concurrency, sample in zip(plan.loads, json.loads(printed), strict=True):
        found.samples[concurrency].append(Sample(**sample))


async def _one(system: System, plan: Plan, found: Rounds) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            server_process() as (server, server_at),
            worker_process(system.worker, server.address, folder) as worker_at,
        ):
            await _load(system, server, plan.warm_up, 1)
            for concurrency, runs in plan.loads.items():
                before = cpu_of(worker_at), cpu_of(server_at)
                seconds, latencies = await _load(system, server, runs, concurrency)
                worker = cpu_of(worker_at) - before[0]
                on_server = cpu_of(server_at) - before[1]
                found.samples[concurrency].append(
                    Sample(runs, seconds, latencies, worker, on_server)
                )
            found.history = await _history(system, server)


async def _load(
    system: System, server: Server, runs: int, concurrency: int
) -> tuple[float, list[float]]:
    async def run(topic: str) -> None:
        handle = await system.start(server.client, uuid.uuid4().hex, topic)
        check(system.notes(await handle.result()), topic)

    return await load(run, runs=runs, concurrency=concurrency)


async def _history(system: System, server: Server) -> History:
    handle: Handle = await system.start(server.client, uuid.uuid4().hex, "order 1")
    await handle.result()
    described = await handle.describe()
    info = described.raw_description.workflow_execution_info
    return History(info.history_length, info.history_size_bytes)


async def _conversation(plan: Plan, sizes: dict[str, float]) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with server_process() as (server, _):
            found = await bytes_per_model_call(server.client, Path(name), plan.turns)
    sizes |= {str(turn): size for turn, size in found.items()}


def figures(rounds: Rounds) -> dict[str, Any]:
    """Return the figures of one system: medians over the rounds, by concurrency."""
    found: dict[str, Any] = {
        str(concurrency): _load_figures(samples) for concurrency, samples in rounds.samples.items()
    }
    if rounds.history is not None:
        found["history_events_per_effect"] = rounds.history.events / EFFECTS
        found["history_bytes_per_effect"] = rounds.history.bytes / EFFECTS
    else:
        found["history_events_per_effect"] = found["history_bytes_per_effect"] = None
    return found


def _load_figures(samples: list[Sample]) -> dict[str, Any]:
    rates = [sample.runs / sample.seconds for sample in samples]
    latencies = [second for sample in samples for second in sample.latencies]
    on_server = [
        sample.server_cpu / sample.runs for sample in samples if sample.server_cpu is not None
    ]
    rate = statistics.median(rates)
    return {
        "runs": sum(sample.runs for sample in samples),
        "runs_per_s": round(rate, 2),
        "runs_per_s_by_round": [round(found, 2) for found in rates],
        "effects_per_s": round(rate * EFFECTS, 2),
        "p50_ms": round(percentile(latencies, 50) * 1e3, 2),
        "p99_ms": round(percentile(latencies, 99) * 1e3, 2),
        "worker_cpu_ms_per_effect": _per_effect(
            [sample.worker_cpu / sample.runs for sample in samples]
        ),
        "server_cpu_ms_per_effect": _per_effect(on_server) if on_server else None,
    }


def _per_effect(seconds_per_run: list[float]) -> float:
    return round(statistics.median(seconds_per_run) / EFFECTS * 1e3, 3)


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that so many percent of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
