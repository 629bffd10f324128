"""A call without an answer, in a whole deployment: when a person is asked, and what abort means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from interlock.agents import Agent, agent, model
from interlock.audit import LedgerState
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, Risk, tool
from tests.resets import numbers_of, reset

WIRED: list[tuple[str, datetime]] = []
"""What the bank did, and when."""


@tool(effect=Effect.EXTERNAL, risk=Risk.HIGH, timeout_seconds=0.5)
async def wire(account: str) -> str:
    """Wire money to an account; the answer is lost after the effect."""
    WIRED.append((account, datetime.now(UTC)))
    raise ConnectionError("the bank hung up")


def treasurer() -> Agent:
    """An agent that wires money when it is told to."""
    return agent("treasurer", lambda: create_agent(model("fast"), tools=[wire]))


SCRIPT = {
    "conversations": {
        "wire": {
            "when": "wire it",
            "steps": [
                {
                    "answer": {
                        "tool_calls": [{"name": "wire", "args": {"account": "a"}, "id": "w1"}]
                    }
                },
                {
                    "expect": {"role": "tool", "text": "nobody knows whether it happened"},
                    "answer": {"text": "A colleague has stopped it."},
                },
            ],
        }
    }
}


@pytest_asyncio.fixture(loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment of the treasurer."""
    folder = tmp_path_factory.mktemp("doubt")
    async with worker_env(server, folder, agents=[treasurer()], script=SCRIPT) as running:
        yield running


async def test_what_a_person_ended_stays_ended_after_a_reset(env: WorkerEnv) -> None:
    """Asked when the call was over, they abort; the reset run is told so and wires nothing."""
    WIRED.clear()
    handle = await env.start("treasurer", "wire it")
    (action,) = await env.pending(handle)
    await env.decide(handle, action, "approve")
    (question,) = [r for r in await env.pending(handle) if r.kind == "outcome"]
    (row,) = await env.app.ledger.rows(workflow_id=handle.id)
    ((_, wired_at),) = WIRED
    assert (question.requested_at - wired_at).total_seconds() > 1.0
    assert "the bank hung up" in row.error
    await env.decide(handle, question, "abort")
    assert (await env.result(handle)).reply == "A colleague has stopped it."

    ends = await numbers_of(handle, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    again = await reset(env.client, handle, ends[0], reapply=False)
    (asked_again,) = await env.pending(again)
    assert (asked_again.kind, asked_again.digest) == ("action", action.digest)
    await env.decide(again, asked_again, "approve")
    assert (await env.result(again)).reply == "A colleague has stopped it."

    assert len(WIRED) == 1
    (row,) = await env.app.ledger.rows(workflow_id=handle.id)
    assert row.state is LedgerState.ABORTED
    await env.replay(again)
