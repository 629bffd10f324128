"""Agents written for LangGraph end in the same state in LangGraph and in a killed worker's run."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from langchain_core.messages import BaseMessage, messages_to_dict
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from temporalio.client import Client

from interlock.agents import Agent
from interlock.app import App
from interlock.testing import CrashScenario, World
from interlock.testing.crash.outcome import Outcome
from interlock.testing.crash.points import after_step
from interlock.testing.crash.stage import open_stage
from tests.crash import pair
from tests.crash.deployments import copied, scripted, settings_in
from tests.crash.pair import MESSAGES, SCRIPT
from tests.proofs import write_proof

AGENTS: dict[str, Agent] = {"everything": pair.everything, "shopper": pair.shopper}
SAMPLE = {"everything": (2, 5), "shopper": (2,)}
"""Supersteps of every plain test run."""
PAYS_ONCE = {"pay": 1}

State = tuple[dict[str, Any], list[dict[str, Any]]]
"""Output and messages."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder before its first run."""
    project = tmp_path_factory.mktemp("pair") / "template"
    scripted(project, SCRIPT)
    return project


class Pair(CrashScenario):
    """One of the agents, in worker processes."""

    project = Path(__file__).parent
    script = SCRIPT

    def __init__(self, name: str) -> None:
        """Host the agent of a name."""
        self.agent, self.input = name, MESSAGES[name]
        self.settings = {"agents": [f"tests.crash.pair:{name}"]}

    async def decide(self, request: Mapping[str, Any], world: World) -> dict[str, Any]:
        """Answer the question and approve the payment."""
        if request["kind"] == "question":
            return {"verb": "respond", "result": "yes please"}
        return {"verb": "approve"}


async def run_plainly(client: Client, template: Path, name: str) -> State:
    """Run an agent with LangGraph alone: its own loop, saver and interrupts."""
    project = copied(template, template.parent / uuid.uuid4().hex[:12])
    agent = AGENTS[name]
    async with App(settings_in(project, client, agents=[f"tests.crash.pair:{name}"])) as app:
        app.use_here()
        graph = agent.graph.copy({"checkpointer": InMemorySaver()})
        config: Any = {"configurable": {"thread_id": "plain"}}
        pending: Any = agent.read_input(MESSAGES[name])
        while True:
            await graph.ainvoke(pending, config)
            state = await graph.aget_state(config)
            asked = [found for task in state.tasks for found in task.interrupts]
            if not asked:
                return agent.write_output(state.values), comparable(
                    messages_to_dict(state.values["messages"])
                )
            answers = {found.id: _by_hand(found.value) for found in asked}
            pending = Command(resume=answers)


def _by_hand(value: dict[str, Any]) -> Any:
    return "yes please" if "question" in value else {"verb": "approve"}


def comparable(messages: Sequence[dict[str, Any] | BaseMessage]) -> list[dict[str, Any]]:
    """Return messages without their ids, which are drawn anew in each run."""
    return [
        {"type": item["type"], **{k: v for k, v in item["data"].items() if k != "id"}}
        for item in messages
        if isinstance(item, dict)
    ]


def state_of(outcome: Outcome) -> State:
    """Return the final state of a hosted run."""
    return outcome.result["output"], comparable(outcome.transcript)


async def compare(
    client: Client, template: Path, name: str, steps: Sequence[int] | None
) -> list[Outcome]:
    """Expect the plain state of a calm run, and of runs killed after `steps`: None means each."""
    plain = await asyncio.create_task(run_plainly(client, template, name))
    async with open_stage(Pair(name)) as stage:
        calm = await stage.run()
        assert state_of(calm) == plain
        chosen = steps or range(1, calm.steps + 1)
        tried = await stage.run_all([after_step(step) for step in chosen])
    outcomes = [outcome for outcome in tried if isinstance(outcome, Outcome)]
    assert len(outcomes) == len(tried), "some runs did not end"
    for outcome in outcomes:
        assert outcome.killed, outcome.point
        assert state_of(outcome) == plain, outcome.point
        assert outcome.decisions == calm.decisions, outcome.point
        assert outcome.calls["pay"] == 1, outcome.point
        assert outcome.audit == calm.audit, outcome.point
    return outcomes


async def test_some_supersteps(server: Client, template: Path) -> None:
    """The final state is LangGraph's own, with a worker killed after some supersteps."""
    await asyncio.gather(*(compare(server, template, name, SAMPLE[name]) for name in AGENTS))


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_every_superstep(server: Client, template: Path) -> None:
    """The final state is LangGraph's own, with a worker killed after each superstep."""
    report = {}
    for name in AGENTS:
        outcomes = await compare(server, template, name, None)
        report[name] = {
            "supersteps": len(outcomes),
            "workers_killed": sum(outcome.killed for outcome in outcomes),
            "final_states_equal_to_langgraph": len(outcomes),  # each was compared
            "payments_per_run": Counter(outcome.calls["pay"] for outcome in outcomes),
            "seconds": {outcome.point: outcome.seconds for outcome in outcomes},
        }
    write_proof("supersteps", report, seeds=[])
