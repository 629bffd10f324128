"""A new policy asked about requests that wait: it may ask for more care, and never for less."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents.middleware import HumanInTheLoopMiddleware
from temporalio.client import Client

from interlock.approvals import ApprovalRequest, Ask
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.workflow.changing import changing
from tests.workflow.people import ANN, BEN, SIGNED, decide, paying

NAMES = ("more people", "less people", "nobody at all", "in between")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: Any) -> AsyncIterator[WorkerEnv]:
    """A deployment whose policy changes."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("rejudged"),
        agents=[
            shopper(),
            shopper(HumanInTheLoopMiddleware(interrupt_on={"pay": True}), name="reviewed"),
        ],
        script={"conversations": {name: paying(name, 7) for name in NAMES}},
        approvals={**SIGNED, "policy": "tests.workflow.changing:changing"},
    ) as running:
        yield running


async def asked(
    env: WorkerEnv, name: str, on: Ask, agent: str = "shopper"
) -> tuple[Handle, ApprovalRequest]:
    """A run that waits on some terms."""
    changing.now = on
    handle = await env.start(agent, name)
    (action,) = await env.pending(handle)
    return handle, action


async def rejudged(handle: Handle, policy: Ask | str) -> list[str]:
    """What became of a run's requests under another policy."""
    changing.now = policy
    answer = await handle.execute_update("rejudge")
    return [item["outcome"] for item in answer["requests"]]


@pytest.mark.parametrize(
    ("agent", "name"), [("shopper", "more people"), ("reviewed", "in between")]
)
async def test_it_may_ask_for_more_people(env: WorkerEnv, agent: str, name: str) -> None:
    """The request is put anew, with a digest of its own; what was signed for the old one is void."""
    handle, action = await asked(env, name, Ask(), agent)
    assert await rejudged(handle, Ask(quorum=2)) == ["asked anew"]
    (again,) = await env.open_requests(handle)
    assert (again.tier.quorum, again.arguments) == (2, action.arguments)
    assert again.digest != action.digest
    assert (await decide(handle, action, ANN)).code == "ALREADY_DECIDED"
    assert (await decide(handle, again, ANN)).missing == 1
    assert PAID[name] == []
    assert (await decide(handle, again, BEN)).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID[name] == [7]
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    outcomes = ["requested", "replaced", "requested", "voted", "approve"]
    assert [event.outcome for event in events] == outcomes
    await env.replay(handle)


async def test_it_never_asks_for_less(env: WorkerEnv) -> None:
    """Fewer people, or none: the request stays what it is."""
    handle, action = await asked(env, "less people", Ask(quorum=2))
    assert await rejudged(handle, "allow") == ["unchanged"]
    assert await rejudged(handle, Ask()) == ["unchanged"]
    assert await rejudged(handle, Ask(quorum=3, on_timeout="allow")) == ["unchanged"]
    assert await env.open_requests(handle) == [action]
    assert (await decide(handle, action, ANN)).missing == 1
    assert (await decide(handle, action, BEN)).accepted
    await env.result(handle)
    assert PAID["less people"] == [7]
    await env.replay(handle)


async def test_it_may_deny(env: WorkerEnv) -> None:
    """The model is told; an approval of what was asked before changes nothing."""
    handle, _ = await asked(env, "nobody at all", Ask())
    assert await rejudged(handle, "deny") == ["denied"]
    assert (await env.result(handle)).reply == "Done."
    assert PAID["nobody at all"] == []
    told = (await handle.query("transcript"))[-2]["data"]["content"]
    assert told == "'pay' is not allowed: So it is. Do not ask for it again."
    await env.replay(handle)
