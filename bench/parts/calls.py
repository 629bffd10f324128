"""What one call takes within a run: tools that read, tools with effects, and a bare activity."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from temporalio.client import Client

from bench.deployment import CALLED
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import server_process, worker_process
from bench.work import Job, do
from bench.worker import QUEUE
from interlock.workflows.calls import WORKFLOW_QUEUE

Make = Callable[[Client, int], Awaitable[None]]
"""Makes a run of so many calls, one after the other."""

ACTIVITY = "activity"
TITLES = {
    ACTIVITY: "Temporal: an activity on the workflow's queue",
    "look_up": "READ, local",
    "render": "PURE",
    "fetch": "READ, an activity on the tools' queue",
    "book_effect": "EXTERNAL, an activity on the tools' queue",
}
"""Kinds of calls."""


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Time the calls of each kind."""
    found: Figures = {}

    async def time_with(worker: str, kinds: dict[str, Make]) -> None:
        with tempfile.TemporaryDirectory() as name:
            async with (
                server_process() as (server, _),
                worker_process(worker, server.address, Path(name), here=plan.side_by_side),
            ):
                for kind, make in kinds.items():
                    found[kind] = await _per_call(server.client, make, plan)

    tools: dict[str, Make] = {tool: partial(_agent, tool) for tool in CALLED}
    jobs = [
        Job("calls: activities", partial(time_with, "raw", {ACTIVITY: _activities})),
        Job("calls: tools", partial(time_with, "interlock", tools)),
    ]
    await do(jobs, plan, tell)
    return {f"{kind}_ms": found[kind] for kind in TITLES}


async def _per_call(client: Client, make: Make, plan: Plan) -> float:
    """Return the milliseconds that a call adds to a run: its median over the runs."""
    with_calls, without = [], []
    for _ in range(plan.call_runs):
        without.append(await _seconds(client, make, 0))
        with_calls.append(await _seconds(client, make, plan.calls))
    added = statistics.median(with_calls) - statistics.median(without)
    return round(added / plan.calls * 1e3, 3)


async def _seconds(client: Client, make: Make, count: int) -> float:
    began = time.perf_counter()
    await make(client, count)
    return time.perf_counter() - began


async def _activities(client: Client, count: int) -> None:
    made = await client.execute_workflow(
        "RawCalls", count, id=uuid.uuid4().hex, task_queue=QUEUE, result_type=int
    )
    assert made == count


async def _agent(tool: str, client: Client, count: int) -> None:
    request = {"agent": "calls", "input": {"tool": tool, "count": count}}
    result = await client.execute_workflow(
        "AgentWorkflow", request, id=uuid.uuid4().hex, task_queue=WORKFLOW_QUEUE
    )
    assert result["usage"]["tool_calls"] == count, result


def tables(found: Figures) -> list[Table]:
    """Return the milliseconds by kind of call."""
    rows = [["call", "ms"]]
    rows += [[title, number(found[f"{kind}_ms"], 2)] for kind, title in TITLES.items()]
    return [Table("One call within a run", rows)]


def ratios(found: Figures) -> dict[str, float]:
    """Return how local calls compare with an activity."""
    activity = found[f"{ACTIVITY}_ms"]
    return {
        "read_latency_vs_activity": round(found["look_up_ms"] / activity, 3),
        "pure_latency_vs_activity": round(found["render_ms"] / activity, 3),
    }


CALLS_PART = Part(
    name="calls",
    about="what one call takes within a run",
    measure=measure,
    tables=tables,
    ratios=ratios,
)
