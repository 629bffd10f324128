"""How long a run stands still when its worker is killed, in each of three states."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from bench.approving import Handle, approve, asked
from bench.figures import percentile
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import WorkerProcess
from bench.stage import Stage, stage
from bench.third_party import HELD

STATES = {
    "waiting": "waiting for approval",
    "model_call": "in a model call",
    "tool_call": "in a tool call",
}


@dataclass(frozen=True)
class Case:
    """A run that is in a state when its worker is killed."""

    state: str
    key: str
    handle: Handle
    request: dict[str, Any] | None = None
    """What it asks, when it waits."""


@dataclass
class Moved:
    """Seconds until the runs of one state moved again."""

    since_up: list[float] = field(default_factory=list)
    since_kill: list[float] = field(default_factory=list)


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Kill workers, each with runs in every state, and start the next one."""
    found = {state: Moved() for state in STATES}
    async with stage() as set_up, AsyncExitStack() as workers:
        worker = await workers.enter_async_context(set_up.worker())
        for kill in range(1, plan.kills + 1):
            tell(f"recovery: kill {kill} of {plan.kills}")
            worker = await _kill(set_up, workers, worker, plan.killed_runs, found)
    return {"kills": plan.kills, **{state: _figures(moved) for state, moved in found.items()}}


async def _kill(
    set_up: Stage,
    workers: AsyncExitStack,
    worker: WorkerProcess,
    runs: int,
    found: dict[str, Moved],
) -> WorkerProcess:
    """Kill a worker in the middle of runs, start the next, and see each run to its end."""
    # Those in a tool call last: its timeout runs.
    waiting = await asyncio.gather(*(_waiting(set_up) for _ in range(runs)))
    thinking = await asyncio.gather(*(_held(set_up, "model_call") for _ in range(runs)))
    carrying = await asyncio.gather(*(_held(set_up, "tool_call") for _ in range(runs)))
    cases = [*waiting, *thinking, *carrying]
    await worker.kill()
    killed = time.monotonic()
    worker = await workers.enter_async_context(set_up.worker())
    up = time.monotonic()
    for case in cases:
        if case.request is not None:
            await approve(case.handle, case.request)
    for case in cases:
        moved = await set_up.third_party.call(case.key, after=killed)
        found[case.state].since_up.append(max(0.0, moved - up))
        found[case.state].since_kill.append(moved - killed)
        result = await case.handle.result()
        assert result["output"]["done"].endswith(case.key), result
    for case in waiting:
        assert len(set_up.third_party.calls[case.key]) == 1, "an effect was made twice"
    return worker


async def _waiting(set_up: Stage) -> Case:
    key = uuid.uuid4().hex
    handle = await set_up.start("courier", key)
    return Case("waiting", key, handle, await asked(handle))


async def _held(set_up: Stage, state: str) -> Case:
    key = HELD + uuid.uuid4().hex
    agent = {"model_call": "thinker", "tool_call": "carrier"}[state]
    handle = await set_up.start(agent, key)
    await set_up.third_party.call(key)
    return Case(state, key, handle)


def _figures(moved: Moved) -> Figures:
    return {
        "runs": len(moved.since_up),
        **{
            f"p{percent}_s{suffix}": round(percentile(seconds, percent), 3)
            for suffix, seconds in (("", moved.since_up), ("_since_kill", moved.since_kill))
            for percent in (50, 95)
        },
    }


def tables(found: Figures) -> list[Table]:
    """Return the seconds by state."""
    columns = {
        "p50 s": "p50_s",
        "p95 s": "p95_s",
        "p50 s since the kill": "p50_s_since_kill",
        "p95 s since the kill": "p95_s_since_kill",
    }
    rows = [["a run that was", "runs", *columns]]
    rows += [
        [
            title,
            number(found[state]["runs"]),
            *(number(found[state][key], 2) for key in columns.values()),
        ]
        for state, title in STATES.items()
    ]
    return [Table(f"Until a run moves again, over {found['kills']} kill(s)", rows)]


def ratios(found: Figures) -> dict[str, float]:
    """Return the worst state's p95."""
    return {"recovery_p95_s": max(found[state]["p95_s"] for state in STATES)}


RECOVERY_PART = Part(
    name="recovery",
    about="from SIGKILL of the worker to the run moving again",
    measure=measure,
    tables=tables,
    ratios=ratios,
)
