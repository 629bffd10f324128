"""Where a call is judged: in its own activity when the policy always allows it, and what then."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from typing_extensions import TypedDict

from interlock.agents import agent
from interlock.approvals import RiskPolicy
from interlock.audit.contract import EventFilter
from interlock.replay.reader import read_steps
from interlock.replay.steps import Judged, ToolCalled
from interlock.testing import WorkerEnv, worker_env
from tests.graphs import PAID, pay_small


class Small(TypedDict):
    account: str
    receipt: str


async def ask(state: Small) -> dict[str, Any]:
    """Wait for a person, so that something may change meanwhile."""
    return {"receipt": interrupt("Shall I?")}


async def settle(state: Small) -> dict[str, Any]:
    """Pay what the policy lets pass when the run opens."""
    paid = await pay_small.ainvoke({"account": state["account"], "amount": 2})
    return {"receipt": paid}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with one agent that asks and then pays."""
    graph = StateGraph(Small).add_sequence([ask, settle]).add_edge(START, "ask")
    small = agent("small", graph, tools=[pay_small])
    async with worker_env(server, tmp_path_factory.mktemp("env"), agents=[small]) as running:
        yield running


async def asking(env: WorkerEnv) -> tuple[Any, str]:
    """A run that waits in its first node."""
    account = uuid.uuid4().hex
    return await env.start("small", {"account": account}), account


async def answered(env: WorkerEnv, handle: Any) -> None:
    """Let it go on to its payment."""
    (question,) = await env.pending(handle)
    await env.decide(handle, question, "respond", result="yes")


async def verdicts(env: WorkerEnv, handle: Any) -> list[str]:
    """Outcomes of the verdicts that the audit store has of a run."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="verdict"))
    return [event.outcome for event in events]


async def test_an_allowed_call_is_one_recorded_call(env: WorkerEnv) -> None:
    """Verdict and outcome come back together; both are in the audit store and in the steps."""
    handle, account = await asking(env)
    await answered(env, handle)
    await env.result(handle)
    assert PAID[account] == [2]
    history = await handle.fetch_history()
    made = [step for step in read_steps(history.events) if isinstance(step, Judged | ToolCalled)]
    assert [step.kind for step in made] == ["verdict", "tool"]
    assert made[0].event_id == made[1].event_id
    assert await verdicts(env, handle) == ["allow"]
    await env.replay(handle)


async def test_a_policy_that_asks_by_now_is_followed(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that was changed under an open run holds the call, and the effect waits for a person."""
    handle, account = await asking(env)
    stricter = RiskPolicy(low="ask", medium="ask", high="deny")
    monkeypatch.setattr(env.app._policy_activities, "_policy", stricter)
    await answered(env, handle)
    (action,) = await env.pending(handle)
    assert (action.tool, PAID[account]) == ("pay_small", [])
    await env.decide(handle, action, "approve")
    await env.result(handle)
    assert PAID[account] == [2]
    assert await verdicts(env, handle) == ["ask"]
    await env.replay(handle)


async def test_a_policy_that_denies_by_now_is_followed(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is called, and the node is told so."""
    handle, account = await asking(env)
    stricter = RiskPolicy(low="deny", medium="ask", high="deny")
    monkeypatch.setattr(env.app._policy_activities, "_policy", stricter)
    await answered(env, handle)
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "ACTION_DENIED"
    assert PAID[account] == []
    await env.replay(handle)
