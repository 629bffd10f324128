"""Signed decisions in real runs: only what the right person signed for this action, once, has an effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents import create_agent
from temporalio.client import Client, WorkflowUpdateFailedError

from interlock.agents import agent, model
from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools import Effect, Risk, tool
from tests.graphs import PAID, shopper
from tests.workflow.people import (
    ANN,
    BEN,
    KEY,
    SIGNED,
    decide,
    paying,
    send,
    signed,
)

NAMES = ("well signed", "half proven", "by signal")
EDITS: dict[str, dict[str, Any]] = {
    "default left out": {"amount": "40"},
    "number for text": {"amount": 40, "note": ""},
    "blank before it": {"amount": " 40"},
}
"""Valid forms of the same amount, by account."""


@tool(effect=Effect.EXTERNAL, risk=Risk.HIGH)
async def give(account: str, amount: Decimal, note: str = "") -> str:
    """Give an amount."""
    PAID[account].append(int(amount))
    return f"gave {amount}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment that takes signed decisions only."""
    conversations = {name: paying(name, 7) for name in NAMES}
    conversations |= {name: paying(name, 98, tool="give") for name in EDITS}
    async with worker_env(
        server,
        tmp_path_factory.mktemp("signed"),
        agents=[shopper(), agent("giver", lambda: create_agent(model("fast"), tools=[give]))],
        script={"conversations": conversations},
        approvals=SIGNED,
    ) as running:
        yield running


async def asked(env: WorkerEnv, name: str, **request: Any) -> tuple[Handle, ApprovalRequest]:
    """A run that waits for a decision on paying 7 into the account `name`."""
    handle = await env.start("shopper", name, **request)
    (action,) = await env.pending(handle)
    return handle, action


async def told(env: WorkerEnv, handle: Handle, outcome: str) -> list[dict[str, Any]]:
    """Details of a run's audit events of decisions with one outcome."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    return [event.details for event in events if event.outcome == outcome]


async def test_a_signed_approval_pays_once(env: WorkerEnv) -> None:
    """The audit knows who it was; the history has neither key, and replays."""
    handle, action = await asked(env, "well signed")
    assert (action.tier.who, action.tier.quorum) == (("reviewer",), 1)
    assert (await decide(handle, action, ANN)).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID["well signed"] == [7]
    (approved,) = await told(env, handle, "approve")
    assert (approved["reviewer"], approved["verified"]) == ("ann", True)
    history = str(await handle.fetch_history())
    assert KEY.text.get_secret_value() not in history
    assert KEY.id in history
    await env.replay(handle)


@pytest.mark.parametrize("account", list(EDITS))
async def test_a_signed_edit_is_done_in_whatever_form_it_is_valid(
    env: WorkerEnv, account: str
) -> None:
    """What the desk accepts, the activity makes."""
    handle = await env.start("giver", account)
    (action,) = await env.pending(handle)
    edit = {"account": account, **EDITS[account]}
    assert (await decide(handle, action, ANN, "edit", arguments=edit)).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID[account] == [40]


async def test_a_decision_that_is_half_signed_is_malformed(env: WorkerEnv) -> None:
    """A signature without a person, or a person without one, is turned away at the door."""
    handle, action = await asked(env, "half proven")
    whole = signed(action, ANN)
    for missing in ("by", "lineage", "issued_at", "key_id", "nonce", "signature"):
        with pytest.raises(WorkflowUpdateFailedError):
            await send(handle, {key: value for key, value in whole.items() if key != missing})
    await handle.signal("cancel_run")
    late = await asyncio.gather(*(send(handle, whole) for _ in range(3)), return_exceptions=True)
    await env.result(handle)
    assert not any(getattr(answer, "accepted", False) for answer in late)
    assert PAID["half proven"] == []


async def test_a_signal_is_verified_too(env: WorkerEnv) -> None:
    """A forged one changes nothing, and the right one after it counts."""
    handle, action = await asked(env, "by signal")
    good = signed(action, BEN)
    await handle.signal("decide", {**good, "comment": "forged"})
    await handle.signal("decide", good)
    await env.result(handle)
    assert PAID["by signal"] == [7]
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    assert [event.name for event in events] == ["FORGED"]
    await env.replay(handle)
