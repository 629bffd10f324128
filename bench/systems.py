"""The systems that are measured: a row each. More baselines are more rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from bench.approving import Handle, approve, asked, turn_taken
from bench.worker import QUEUE
from interlock.workflows.calls import WORKFLOW_QUEUE

Start = Callable[[Client, str, str], Awaitable[Handle]]
"""Starts a run with an id about a topic."""


@dataclass(frozen=True)
class System:
    """A row of the tables."""

    name: str
    title: str
    about: str


@dataclass(frozen=True)
class Pausing:
    """How a run is paused, and let go on."""

    start: Start
    reached: Callable[[Handle], Awaitable[Any]]
    """Waits until it is paused, and returns what `go` needs."""
    go: Callable[[Handle, Any], Awaitable[None]]


@dataclass(frozen=True)
class Hosting(System):
    """A system on Temporal: which worker hosts it, how a run starts, and where its notes are."""

    worker: str
    start: Start
    notes: Callable[[Any], list[str]]
    """Returns the notes that a result holds."""
    pausing: Pausing | None = None
    """None for a system whose runs never wait."""


def _started(workflow: str) -> Start:
    async def start(client: Client, run_id: str, topic: str) -> Handle:
        return await client.start_workflow(workflow, topic, id=run_id, task_queue=QUEUE)

    return start


def _with_state(workflow: str) -> Start:
    async def start(client: Client, run_id: str, topic: str) -> Handle:
        state = {"topic": topic, "notes": []}
        return await client.start_workflow(workflow, state, id=run_id, task_queue=QUEUE)

    return start


def _agent(name: str) -> Start:
    async def start(client: Client, run_id: str, topic: str) -> Handle:
        request = {"agent": name, "input": {"topic": topic, "notes": []}}
        return await client.start_workflow(
            "AgentWorkflow", request, id=run_id, task_queue=WORKFLOW_QUEUE
        )

    return start


async def _after_the_model_call(handle: Handle) -> None:
    await turn_taken(handle, 2)  # the first schedules the call, the second waits


async def _go(handle: Handle, _: Any) -> None:
    await handle.signal("go")


INSIDE = (
    System("langgraph", "LangGraph", "in memory; nothing survives the process"),
    System(
        "langgraph_sqlite",
        "LangGraph, SQLite",
        "with its checkpointer on a file",
    ),
    System(
        "langgraph_postgres",
        "LangGraph, Postgres",
        "with its checkpointer on a server",
    ),
    System("dbos", "DBOS", "the same four steps, on Postgres"),
)
"""Libraries that host runs in the caller's process: `bench.inprocess` measures them."""

HOSTED = (
    Hosting(
        "raw",
        "Temporal",
        "the floor: a workflow that calls the same four activities",
        worker="raw",
        start=_started("Raw"),
        notes=lambda result: result,
        pausing=Pausing(_started("RawPausing"), _after_the_model_call, _go),
    ),
    Hosting(
        "plugin",
        "temporalio-langgraph",
        "each node an activity with the whole state",
        worker="plugin",
        start=_with_state("Plugin"),
        notes=lambda result: result["notes"],
        pausing=Pausing(_with_state("PluginPausing"), _after_the_model_call, _go),
    ),
    Hosting(
        "interlock",
        "Interlock",
        "tools with effects: verdict, ledger and audit for each call",
        worker="interlock",
        start=_agent("effects"),
        notes=lambda result: result["output"]["notes"],
        pausing=Pausing(_agent("pausing"), asked, approve),
    ),
    Hosting(
        "interlock_reads",
        "Interlock, reads",
        "tools that only read: verdict and audit, as local activities",
        worker="interlock",
        start=_agent("reads"),
        notes=lambda result: result["output"]["notes"],
    ),
)
"""Systems on Temporal, in the order in which they are measured and shown."""

SYSTEMS: tuple[System, ...] = (*INSIDE, *HOSTED)
"""Every row."""
