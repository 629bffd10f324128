"""Requests that nobody decides on in time: nothing is done, the agent is told, late words are refused."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.agents import agent, model
from interlock.audit import EventFilter, EventKind, LedgerState
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, Risk, tool
from tests.graphs import PAID, everything, shopper

DEADLINE_SECONDS = 1.0
SENT: Counter[str] = Counter()
"""Calls of `send_money`, by account."""


@tool(effect=Effect.EXTERNAL, risk=Risk.LOW, attempts=1, timeout_seconds=2)
async def send_money(account: str) -> str:
    """Send money; the answer is lost, and the other side cannot be asked."""
    SENT[account] += 1
    raise ConnectionError("the answer was lost")


def _conversation(name: str) -> dict[str, Any]:
    """Ask for a payment, and expect to be told that nobody decided."""
    call = {"name": "pay", "args": {"account": name, "amount": 7}, "id": "c1"}
    told = {"role": "tool", "text": "nobody decided on 'pay' before"}
    steps = [
        {"answer": {"tool_calls": [call]}},
        {"expect": told, "answer": {"text": "Nobody was there."}},
    ]
    return {"when": name, "steps": steps}


_SENDING = {"name": "send_money", "args": {"account": "lost"}, "id": "s1"}

SCRIPT = {
    "conversations": {
        "policy": _conversation("policy"),
        "middleware": _conversation("middleware"),
        "sender": {"when": "send", "steps": [{"answer": {"tool_calls": [_SENDING]}}]},
        "everything": {"when": "buy these", "steps": [{"answer": {"text": "start"}}] * 2},
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Agents whose requests wait for a second."""
    agents = [
        shopper(name="policy"),
        shopper(HumanInTheLoopMiddleware(interrupt_on={"pay": True}), name="middleware"),
        agent("sender", lambda: create_agent(model("fast"), tools=[send_money])),
        everything(),
    ]
    async with worker_env(
        server,
        tmp_path_factory.mktemp("deadlines"),
        agents=agents,
        script=SCRIPT,
        approvals={"deadline_seconds": DEADLINE_SECONDS},
    ) as running:
        yield running


async def recorded(env: WorkerEnv, handle: Handle, kind: EventKind) -> list[tuple[str, str]]:
    """Name and outcome of a run's audit events of one kind."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind=kind))
    return [(event.name, event.outcome) for event in events]


async def failure(env: WorkerEnv, handle: Handle) -> ApplicationError:
    """The error that failed a run."""
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


@pytest.mark.parametrize(
    ("name", "why"),
    [("policy", "pay is EXTERNAL and of high risk"), ("middleware", "Tool execution requires")],
)
async def test_a_late_approval_pays_nothing(env: WorkerEnv, name: str, why: str) -> None:
    """The model reads that nobody decided; the late word is answered EXPIRED and recorded."""
    handle = await env.start(name, name, conversation=True)
    (action,) = await env.pending(handle)
    assert why in action.why
    assert action.expires_at - action.requested_at == timedelta(seconds=DEADLINE_SECONDS)
    await env.idle(handle)  # the script went on: the model was told that nobody decided
    transcript = await handle.query("transcript")
    told, said = (message["data"] for message in transcript[-2:])
    assert (told["tool_call_id"], told["status"]) == ("c1", "error")
    assert said["content"] == "Nobody was there."
    assert await env.open_requests(handle) == []
    late = await env.decide(handle, action, "approve")
    assert (late.accepted, late.code) == (False, "EXPIRED")
    await handle.signal("cancel_run")
    usage = (await env.result(handle)).usage
    assert (usage.model_calls, usage.tool_calls) == (2, 0)
    assert PAID[name] == []
    assert await env.app.ledger.rows(workflow_id=handle.id) == []
    assert await recorded(env, handle, "decision") == [("pay", "requested"), ("pay", "expired")]
    assert await recorded(env, handle, "refusal") == [("EXPIRED", "refused")]
    await env.replay(handle)


async def test_an_effect_nobody_can_tell_of_stays_unknown(env: WorkerEnv) -> None:
    """Without a word in time the run fails with what to look at; nothing is called again."""
    handle = await env.start("sender", "send")
    (question,) = await env.pending(handle)
    assert (question.kind, question.allowed) == (
        "outcome",
        ("happened", "did_not_happen", "abort"),
    )
    error = await failure(env, handle)
    assert error.type == "OUTCOME_UNKNOWN"
    assert "nobody said in time whether 'send_money' happened" in error.message
    (row,) = await env.app.ledger.rows(workflow_id=handle.id)
    assert (row.state, row.token) == (
        LedgerState.UNKNOWN,
        2,
    )  # claimed again once the call was over
    assert error.details[0]["effect_key"] == row.effect_key
    assert (error.details[0]["door"], error.details[0]["node"]) == ("tool", "tools")
    assert SENT["lost"] == 1
    assert await recorded(env, handle, "decision") == [
        ("send_money", "requested"),
        ("send_money", "expired"),
    ]
    assert await recorded(env, handle, "run") == [("sender", "started"), ("sender", "failed")]
    await env.replay(handle)


async def test_a_question_nobody_answers_fails_the_run(env: WorkerEnv) -> None:
    """There is no answer that `interrupt()` could give: the run says what was waited for."""
    account = uuid.uuid4().hex
    handle = await env.start(
        "everything",
        {"messages": ["buy these"], "account": account, "articles": ["lamp", "rug", "vase"]},
    )
    (question,) = await env.pending(handle)
    error = await failure(env, handle)
    assert error.type == "APPROVAL_EXPIRED"
    assert "nobody decided on 'question' before" in error.message
    assert error.details[0]["request_id"] == question.id
    assert PAID[account] == []
    await env.replay(handle)
