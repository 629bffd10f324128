"""The systems that are measured: a row each. More baselines are more rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bench.worker import QUEUE
from interlock.workflows.calls import WORKFLOW_QUEUE

Handle = WorkflowHandle[Any, Any]

BARE = "langgraph"
"""Measures itself (`bench.bare`): it has neither a server nor a worker."""


@dataclass(frozen=True)
class System:
    """A system on Temporal: which worker hosts it, how a run starts, and where its notes are."""

    name: str
    title: str
    about: str
    worker: str
    start: Callable[[Client, str, str], Awaitable[Handle]]
    """Starts a run with an id about a topic."""
    notes: Callable[[Any], list[str]]
    """Returns the notes that a result holds."""


async def _raw(client: Client, run_id: str, topic: str) -> Handle:
    return await client.start_workflow("Raw", topic, id=run_id, task_queue=QUEUE)


async def _plugin(client: Client, run_id: str, topic: str) -> Handle:
    state = {"topic": topic, "notes": []}
    return await client.start_workflow("Plugin", state, id=run_id, task_queue=QUEUE)


def _agent(name: str) -> Callable[[Client, str, str], Awaitable[Handle]]:
    async def start(client: Client, run_id: str, topic: str) -> Handle:
        request = {"agent": name, "input": {"topic": topic, "notes": []}}
        return await client.start_workflow(
            "AgentWorkflow", request, id=run_id, task_queue=WORKFLOW_QUEUE
        )

    return start


TITLES = {BARE: ("LangGraph", "in memory; nothing survives the process")}
"""Title and description of systems that measure themselves."""

SYSTEMS = (
    System(
        "raw",
        "Temporal",
        "the floor: a workflow that calls the same four activities",
        "raw",
        _raw,
        lambda result: result,
    ),
    System(
        "plugin",
        "temporalio-langgraph",
        "each node an activity with the whole state",
        "plugin",
        _plugin,
        lambda result: result["notes"],
    ),
    System(
        "interlock",
        "Interlock",
        "tools with effects: verdict, ledger and audit for each call",
        "interlock",
        _agent("effects"),
        lambda result: result["output"]["notes"],
    ),
    System(
        "interlock_reads",
        "Interlock, reads",
        "tools that only read: verdict and audit, as local activities",
        "interlock",
        _agent("reads"),
        lambda result: result["output"]["notes"],
    ),
)
"""In the order in which they are measured and shown."""

NAMES = (BARE, *(system.name for system in SYSTEMS))
"""Every row."""
