"""A policy of rules in real runs: allowed below a cap, asked above it, denied far above it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.approvals import Ask
from interlock.audit import EventFilter
from interlock.replay.reader import read_steps
from interlock.replay.steps import Judged
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper

RULES = """
totals:
  paid_today: {tool: pay, sum: args.amount, per: subject, window: 24h}
tiers:
  lead: {who: lead}
rules:
  - name: too-much
    tool: pay*
    when: args.amount > 100
    then: {deny: Nobody pays more than 100.}
  - name: unwatched
    tool: pay
    when: args.account == 'p-unwatched'
    then: {ask: {deadline: 1s, on_timeout: allow}}
  - name: capped
    tool: pay
    when: totals.paid_today + args.amount > 20
    then: {ask: {deadline: 2h, tier: lead}}
  - name: small
    tool: pay
    then: allow
"""


def conversation(when: str, account: str, *amounts: int) -> dict[str, Any]:
    """Pay some amounts, one after the other."""
    calls = [
        {"name": "pay", "args": {"account": account, "amount": amount}, "id": f"c{index}"}
        for index, amount in enumerate(amounts)
    ]
    answers: list[dict[str, Any]] = [{"answer": {"tool_calls": [call]}} for call in calls]
    return {"when": when, "steps": [*answers, {"answer": {"text": "Done."}}]}


SCRIPT = {
    "conversations": {
        "small": conversation("small", "p-small", 20),
        "large": conversation("large", "p-large", 21),
        "huge": conversation("huge", "p-huge", 101),
        "thrice": conversation("thrice", "p-thrice", 8, 8, 8),
        "unwatched": conversation("unwatched", "p-unwatched", 3),
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with a policy of its own."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    async with worker_env(
        server,
        folder,
        agents=[shopper()],
        script=SCRIPT,
        approvals={"policy": str(folder / "rules.yaml")},
    ) as running:
        yield running


async def judged(env: WorkerEnv, handle: Handle) -> list[Judged]:
    """The verdicts of a run, as its history has them."""
    return [
        step
        for step in read_steps((await handle.fetch_history()).events)
        if isinstance(step, Judged)
    ]


async def start(env: WorkerEnv, message: str) -> Handle:
    """Start a run about somebody new."""
    return await env.start("shopper", message, subject=uuid.uuid4().hex)


async def test_below_the_cap_nobody_is_asked(env: WorkerEnv) -> None:
    """The call is made, and the verdict names rule, line and totals, in history and audit alike."""
    handle = await start(env, "small")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["p-small"] == [20]
    (step,) = await judged(env, handle)
    assert step.rule is not None
    assert (step.outcome, step.rule.name, step.rule.line) == ("allow", "small", 19)
    assert step.totals == {"paid_today": 0}
    (event,) = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="verdict"))
    assert event.details["rule"] == {"name": "small", "line": 19}
    assert event.details["policy"] == env.app.policy.version
    await env.replay(handle)


async def test_above_the_cap_a_person_is_asked_on_the_terms_of_the_rule(env: WorkerEnv) -> None:
    """The rule's deadline holds for the request; approved, the call is made once."""
    handle = await start(env, "large")
    (action,) = await env.pending(handle)
    assert PAID["p-large"] == []
    assert action.expires_at - action.requested_at == timedelta(hours=2)
    assert "rule 'capped' in rules.yaml:15 (totals.paid_today + args.amount > 20)" in action.why
    assert (await env.decide(handle, action, "approve")).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID["p-large"] == [21]
    (step,) = await judged(env, handle)
    assert step.ask == Ask(deadline=timedelta(hours=2), tier="lead", who=("lead",))
    await env.replay(handle)


async def test_what_is_denied_is_told_to_the_model(env: WorkerEnv) -> None:
    """Nobody is asked, nothing is paid, and the model reads why."""
    handle = await start(env, "huge")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["p-huge"] == []
    transcript = await handle.query("transcript")
    told = transcript[-2]["data"]
    assert told["status"] == "error"
    assert "Nobody pays more than 100. [rule 'too-much' in rules.yaml:7]" in told["content"]
    await env.replay(handle)


async def test_a_total_counts_what_was_done_before(env: WorkerEnv) -> None:
    """8 and 8 are paid without asking; the third 8 would make more than 20."""
    handle = await start(env, "thrice")
    (action,) = await env.pending(handle)
    assert (action.arguments["amount"], PAID["p-thrice"]) == (8, [8, 8])
    await env.decide(handle, action, "reject")
    assert (await env.result(handle)).reply == "Done."
    totals = [step.totals["paid_today"] for step in await judged(env, handle)]
    assert totals == [0, 8, 16]
    assert PAID["p-thrice"] == [8, 8]
    await env.replay(handle)


async def test_a_rule_may_allow_what_nobody_decided_in_time(env: WorkerEnv) -> None:
    """At the deadline the call is made once, in the name of the policy; a late word changes nothing."""
    handle = await start(env, "unwatched")
    (action,) = await env.pending(handle)
    assert action.on_timeout == "allow"
    assert action.expires_at - action.requested_at == timedelta(seconds=1)
    assert (await env.result(handle)).reply == "Done."
    assert PAID["p-unwatched"] == [3]
    where = EventFilter(workflow_id=handle.id, kind="decision")
    events = await env.app.audit.events(where)
    assert [event.outcome for event in events] == ["requested", "expired", "approve"]
    assert events[-1].details["reviewer"] == "policy"
    (row,) = await env.app.ledger.rows(workflow_id=handle.id)
    assert row.request_id == action.id
    await env.replay(handle)
