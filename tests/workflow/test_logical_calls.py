"""A logical call is judged, asked for and made once, whatever comes between; another one is another."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, ToolRetryMiddleware
from langgraph.graph import END, START, StateGraph
from temporalio.client import Client
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.approvals import ApprovalRequest, RiskPolicy
from interlock.audit import LedgerRow
from interlock.audit.contract import EventFilter
from interlock.errors import ToolUnavailable
from interlock.replay import read_steps, runs
from interlock.replay.steps import Asked, Judged, ModelCalled, Step
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, Risk, tool
from tests.graphs import PAID, shopper

TRIED: Counter[str] = Counter()
"""Calls of `ship`, by account."""


@tool(effect=Effect.EXTERNAL, risk=Risk.HIGH, attempts=1)
async def ship(account: str) -> str:
    """Ship something; the other side is closed the first time."""
    TRIED[account] += 1
    if TRIED[account] == 1:
        raise ToolUnavailable("closed for lunch")
    return f"shipped to {account}"


class Errand(TypedDict):
    account: str
    answer: str


async def run(state: Errand) -> dict[str, Any]:
    """Makes one and the same tool call in each superstep, until it is answered."""
    args = {"account": state["account"]}
    try:
        answer = await ship.ainvoke({"type": "tool_call", "name": "ship", "id": "s1", "args": args})
    except ToolUnavailable:
        return {"answer": ""}
    return {"answer": answer.text}


def errand() -> Agent:
    """An agent whose graph comes back to a call that failed."""
    graph: StateGraph[Errand, None, Errand, Errand] = StateGraph(Errand)
    graph.add_node("run", run)
    graph.add_edge(START, "run")
    graph.add_conditional_edges("run", lambda state: END if state["answer"] else "run")
    return agent("errand", graph, tools=[ship])


def retrying() -> Agent:
    """An agent whose middleware calls a tool again when it raises."""
    retry = ToolRetryMiddleware(max_retries=2, initial_delay=0.01, on_failure="error")
    return agent("retrying", lambda: create_agent(model("fast"), tools=[ship], middleware=[retry]))


def _call(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": "c1"}


def _conversation(when: str, *answers: list[dict[str, Any]]) -> dict[str, Any]:
    steps = [{"answer": {"tool_calls": calls}} for calls in answers]
    return {"when": when, "steps": [*steps, {"answer": {"text": "Done."}}]}


SCRIPT = {
    "conversations": {
        "review": _conversation("review", [_call("pay", account="l-reviewed", amount=7)]),
        "retry": _conversation("retry", [_call("ship", account="l-retried")]),
        "repeat": _conversation(
            "repeat", *[[_call("pay_small", account="l-repeated", amount=3)]] * 4
        ),
        "pair": _conversation("pair", [_call("pay_small", account="l-pair", amount=5)] * 2),
        "talk": {
            "when": "talk",
            "pick": "match",
            "steps": [
                {
                    "expect": {"role": "human"},
                    "answer": {"tool_calls": [_call("pay", account="l-talk", amount=9)]},
                },
                {"answer": {"text": "Done."}},
            ],
        },
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Agents that are reviewed, retried and come back; runs continue as new after 50 events."""
    reviewed = HumanInTheLoopMiddleware(interrupt_on={"pay": True})
    async with worker_env(
        server,
        tmp_path_factory.mktemp("logical"),
        agents=[shopper(), shopper(reviewed, name="reviewed"), retrying(), errand()],
        script=SCRIPT,
        temporal={"history_events": 50},
    ) as running:
        yield running


async def lengthen(handle: Handle) -> None:
    """Send so many stray signals that the run continues as new where it can."""
    await asyncio.gather(*(handle.signal("decide", "nonsense") for _ in range(50)))


async def parts(env: WorkerEnv, handle: Handle) -> list[list[Step]]:
    """Replay every run of a chain and return its steps."""
    found = []
    for run_id in await runs(env.client, handle.id):
        part = env.client.get_workflow_handle(handle.id, run_id=run_id)
        await env.replay(part)
        found.append(read_steps((await part.fetch_history()).events))
    return found


def of(kind: type[Any], found: list[list[Step]]) -> list[Any]:
    """The steps of one kind, through all parts of a chain."""
    return [step for part in found for step in part if isinstance(step, kind)]


async def rows(env: WorkerEnv, handle: Handle) -> list[LedgerRow]:
    """What the ledger has of a run."""
    return await env.app.ledger.rows(workflow_id=handle.id)


async def requested(env: WorkerEnv, handle: Handle) -> list[str]:
    """Every request that a run ever made."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    return [event.details["request"] for event in events if event.outcome == "requested"]


async def opened(env: WorkerEnv, handle: Handle) -> list[ApprovalRequest]:
    """Wait until the newest run of a chain asks somebody."""
    async with asyncio.timeout(20):
        while not (found := await env.open_requests(handle)):  # noqa: ASYNC110  another process knows
            await asyncio.sleep(0.05)
    return found


async def test_an_approval_that_is_not_used_yet_is_carried(env: WorkerEnv) -> None:
    """The run continues as new between the approval and the call: nobody is asked twice."""
    handle = await env.start("reviewed", "review")
    (action,) = await env.pending(handle)
    await lengthen(handle)
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["l-reviewed"] == [7]
    found = await parts(env, handle)
    assert len(found) > 1, "it did not continue as new"
    assert [step.tool for step in of(Asked, found)] == ["pay"]
    assert await requested(env, handle) == [action.id]
    assert [row.request_id for row in await rows(env, handle)] == [action.id]


async def test_a_retried_call_is_judged_once(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy changes between a call and its retry: the verdict and the decision still hold."""
    handle = await env.start("retrying", "retry")
    (action,) = await env.pending(handle)
    changed = RiskPolicy(low="ask", medium="ask", high="ask")
    monkeypatch.setattr(env.app._policy_activities, "_policy", changed)
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "Done."
    assert TRIED["l-retried"] == 2
    found = await parts(env, handle)
    assert [step.policy for step in of(Judged, found)] == [env.app.policy.version]
    assert await requested(env, handle) == [action.id]
    assert [row.token for row in await rows(env, handle)] == [2]


async def test_a_call_that_failed_may_be_made_again_after_a_continue_as_new(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdict and decision are carried for a graph that comes back to the call."""
    account = uuid.uuid4().hex
    handle = await env.start("errand", {"account": account})
    (action,) = await env.pending(handle)
    await lengthen(handle)
    changed = RiskPolicy(low="ask", medium="ask", high="ask")
    monkeypatch.setattr(env.app._policy_activities, "_policy", changed)
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).output["answer"] == f"shipped to {account}"
    found = await parts(env, handle)
    assert [len(of(Judged, [part])) for part in found] == [1, 0]
    assert await requested(env, handle) == [action.id]
    assert [row.token for row in await rows(env, handle)] == [2]


async def test_an_id_that_a_provider_repeats_is_another_call(env: WorkerEnv) -> None:
    """Four answers call the same tool with the same arguments and id: four payments."""
    handle = await env.start("shopper", "repeat")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["l-repeated"] == [3, 3, 3, 3]
    found = await rows(env, handle)
    assert len({row.call_id for row in found}) == len({row.effect_key for row in found}) == 4
    assert found[0].call_id == "c1"
    said = [message["data"] for message in await handle.query("transcript")]
    called = [call["id"] for item in said for call in item.get("tool_calls") or []]
    assert called == [item["tool_call_id"] for item in said if item["type"] == "tool"]
    assert called == [row.call_id for row in found]
    models = of(ModelCalled, await parts(env, handle))
    assert [len(step.new_messages) for step in models] == [1, 1, 2, 2, 2], "history grows evenly"


async def test_an_id_repeated_in_one_answer_is_another_call(env: WorkerEnv) -> None:
    """Two calls side by side under one id are two payments, each with its result."""
    handle = await env.start("shopper", "pair")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["l-pair"] == [5, 5]
    assert len({row.call_id for row in await rows(env, handle)}) == 2
    await parts(env, handle)


async def test_an_id_repeated_after_a_continue_as_new_is_asked_for_again(env: WorkerEnv) -> None:
    """A decision on a call of an earlier turn allows nothing in a later one."""
    handle = await env.start("shopper", "talk", conversation=True, idle_seconds=2)
    (first,) = await env.pending(handle)
    await lengthen(handle)
    await env.decide(handle, first, "approve")
    await handle.signal("send_message", "again")
    (second,) = await opened(env, handle)
    assert (second.tool, second.digest) == (first.tool, first.digest)
    assert second.id.partition(":")[0] != first.id.partition(":")[0]
    assert PAID["l-talk"] == [9]
    await env.decide(handle, second, "approve")
    await env.result(handle)
    assert PAID["l-talk"] == [9, 9]
    assert len(await parts(env, handle)) > 1, "it did not continue as new"
