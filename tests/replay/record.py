"""Records the golden histories anew: `python -m tests.replay.record [engine] [application]`.

Do it when the engine or the application gives other commands on purpose, and never to make a failing
test of unchanged code pass: such a failure says that open runs would break.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from agents.assistant import assistant
from agents.support.graph import support
from interlock.replay import export, follow, runs
from interlock.replay.steps import ModelCalled, Started
from interlock.server import running_server
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.integration.application.copilot.script import SCRIPT as SHOP_SCRIPT
from tests.integration.application.copilot.shop import PAGES, open_shop
from tests.receivers import fake_receiver
from tests.replay.deployment import GOLDEN, SCRIPT, agents
from tests.replay.hasty import hasty
from tests.workflow.people import ANN, BEN, LEA, LUC, SIGNED, decide

BROKEN = "My order A-1042 arrived broken, I want my money back."
_PATIENCE = timedelta(seconds=60)


async def record(*parts: str) -> None:
    """Run the recorded cases of some parts once, of both by default, and write their histories."""
    with tempfile.TemporaryDirectory() as name:
        async with running_server() as server:
            for part in parts or ("engine", "application"):
                folder = Path(name) / part
                folder.mkdir()
                await _RECORDERS[part](server.client, folder)


async def _engine(client: Client, folder: Path) -> None:
    async with worker_env(
        client, folder, agents=agents(), script=SCRIPT, temporal={"history_events": 50}
    ) as env:
        await _bought(env, "approved", "approve")
        await _bought(env, "rejected", "reject", comment="too dear")
        await _cancelled(env)
        await _edited(env)
        await _mistaken(env)
        await _reviewed(env)
        await _chain(env)
        await _throttled(env)
    await _decided_by_many(client, folder)
    await _labelled(client, folder)
    await _told(client, folder)


async def _application(client: Client, folder: Path) -> None:
    hosted = (support, assistant, hasty)
    async with open_shop(client, folder, agents=hosted, script=SHOP_SCRIPT) as shop:
        await _refreshed(shop.env)
        await _refund_failed(shop.env)
        await _refunded(shop.env)
        await _assisted(shop.env)


_RECORDERS = {"engine": _engine, "application": _application}


async def _refreshed(env: WorkerEnv) -> None:
    handle = await _host(env, "knowledge-refresh", "KnowledgeRefresh", {"folders": [PAGES]})
    await handle.result()
    await _save(env, "knowledge-refresh", handle.id)


async def _refunded(env: WorkerEnv) -> None:
    case = {"message": BROKEN, "subject": "C-0007"}
    handle = await _host(env, "support-refund", "SupportCase", case)
    (action,) = await env.pending(handle)
    await env.decide(handle, action, "approve")
    await handle.result()
    await _save(env, "support-refund", handle.id)


async def _refund_failed(env: WorkerEnv) -> None:
    given = {"messages": [BROKEN], "customer_id": "C-0007"}
    handle = await env.start("hasty", given, workflow_id="refund-failed")
    (action,) = await env.pending(handle)
    edited = {**action.arguments, "amount": "98.00"}
    await env.decide(handle, action, "edit", arguments=edited, comment="as on the invoice")
    with pytest.raises(WorkflowFailureError):
        await env.result(handle)
    await _save(env, "refund-failed", handle.id)


async def _assisted(env: WorkerEnv) -> None:
    message = "for the assistant: refund my vase, A-1039"
    handle = await env.start("assistant", message, workflow_id="assistant-refund")
    (action,) = await env.pending(handle)
    await env.decide(handle, action, "approve")
    await env.result(handle)
    await _save(env, "assistant-refund", handle.id)


async def _host(env: WorkerEnv, workflow_id: str, workflow: str, given: dict[str, Any]) -> Handle:
    return await env.client.start_workflow(
        workflow, given, id=workflow_id, task_queue=env.task_queue, execution_timeout=_PATIENCE
    )


async def _asked(env: WorkerEnv, name: str) -> tuple[Any, Any]:
    """Start a run of the graph that uses everything, up to the request to pay."""
    given = {"messages": ["buy these"], "account": name, "articles": ["lamp", "rug", "vase"]}
    handle = await env.start("everything", given, workflow_id=f"everything-{name}")
    (question,) = await env.pending(handle)
    await env.decide(handle, question, "respond", result="yes please")
    (action,) = await env.pending(handle)
    return handle, action


async def _bought(env: WorkerEnv, name: str, verb: str, **fields: Any) -> None:
    handle, action = await _asked(env, name)
    await env.decide(handle, action, verb, **fields)
    try:
        await env.result(handle)
    except WorkflowFailureError:
        assert verb == "reject"
    await _save(env, name, handle.id)


async def _cancelled(env: WorkerEnv) -> None:
    handle, action = await _asked(env, "cancelled")
    await handle.signal("decide", "nonsense")
    await handle.signal("decide", {"request_id": "x:y", "verb": "approve", "digest": "z"})
    await env.decide(handle, action.model_copy(update={"digest": "0" * 64}), "approve")
    await handle.signal("cancel_run", "enough")
    await env.result(handle)
    await _save(env, "cancelled", handle.id)


async def _edited(env: WorkerEnv) -> None:
    handle = await env.start("shopper", "pay once", workflow_id="shopper-edited")
    (action,) = await env.pending(handle)
    decision = {
        "request_id": action.id,
        "verb": "edit",
        "digest": action.digest,
        "arguments": {"account": "once", "amount": 3},
        "reviewer": "ann",
    }
    await handle.signal("decide", decision)
    await env.result(handle)
    await _save(env, "edited", handle.id)


async def _mistaken(env: WorkerEnv) -> None:
    """The model writes a call that is no JSON, and then the same call twice under one id."""
    handle = await env.start("shopper", "pay by mistake", workflow_id="shopper-mistaken")
    assert (await env.result(handle)).usage.tool_calls == 2
    await _save(env, "mistaken", handle.id)


async def _reviewed(env: WorkerEnv) -> None:
    """The run continues as new between an approval and its call."""
    handle = await env.start("reviewed", "pay once", workflow_id="shopper-reviewed")
    (action,) = await env.pending(handle)
    await asyncio.gather(*(handle.signal("decide", "nonsense") for _ in range(30)))
    await env.decide(handle, action, "approve")
    await env.result(handle)
    for part, run_id in enumerate(await runs(env.client, handle.id), start=1):
        await _save(env, f"reviewed-{part}", handle.id, run_id)


async def _chain(env: WorkerEnv) -> None:
    handle = await env.start("talker", "talk 0", workflow_id="talker", conversation=True)
    parts, number = 0, 0
    async for step in follow(env.client, handle.id, handle.first_execution_run_id):
        parts += isinstance(step, Started)
        if parts == 1 and isinstance(step, ModelCalled):
            number += 1
            await handle.execute_update("submit_message", f"talk {number}")
        elif parts == 2 and isinstance(step, ModelCalled):
            await _idle(handle)
            await handle.signal("cancel_run", "enough")
    for part, run_id in enumerate(await runs(env.client, handle.id), start=1):
        await _save(env, f"chain-{part}", handle.id, run_id)


async def _throttled(env: WorkerEnv) -> None:
    """The first call goes at once, and two wait for their turns."""
    given = {"name": "throttled", "tool": "by_tenant", "count": 3}
    handle = await env.start("busy", given, workflow_id="busy-throttled", tenant="acme")
    await env.result(handle)
    await _save(env, "throttled", handle.id)


_TIERS = """
tiers:
  desk: {who: reviewer, quorum: 2, deadline: 3s, remind_every: 1s, escalate_to: lead}
  lead: {who: lead, quorum: 2, deadline: 1h}
rules:
  - {name: desk, tool: pay, when: args.amount > 5, then: {ask: {tier: desk}}}
  - {name: lead, tool: pay, then: {ask: {tier: lead}}}
  - {name: reading, effect: READ, then: allow}
"""


async def _decided_by_many(client: Client, folder: Path) -> None:
    """A vote, reminders, an escalation, an edit that needs another one, and a last signed approval."""
    folder = folder / "tiers"
    folder.mkdir()
    (folder / "rules.yaml").write_text(_TIERS, encoding="utf-8")
    approvals = {**SIGNED, "policy": str(folder / "rules.yaml")}
    async with worker_env(
        client, folder, agents=agents(), script=SCRIPT, approvals=approvals
    ) as env:
        handle = await env.start("shopper", "pay once", workflow_id="shopper-tiers")
        (action,) = await env.pending(handle)
        await decide(handle, action, ANN)
        while action.tier.tier != "lead":
            await asyncio.sleep(0.2)
            (action,) = await env.open_requests(handle)
        edited = {"account": "once", "amount": 3}
        await decide(handle, action, LEA, "edit", arguments=edited, comment="as agreed")
        (again,) = [item for item in await env.pending(handle) if item.id != action.id]
        await decide(handle, again, LUC)
        await env.result(handle)
        await _save(env, "tiers", handle.id)


_LABELS = """
rules:
  - {name: named, tool: pay, labels: caller, then: ask}
  - {name: rest, then: allow}
"""


async def _labelled(client: Client, folder: Path) -> None:
    """The caller's own word reached an argument; edited, it is gone, and nobody else is asked."""
    folder = folder / "labels"
    folder.mkdir()
    (folder / "rules.yaml").write_text(_LABELS, encoding="utf-8")
    approvals = {"policy": str(folder / "rules.yaml")}
    async with worker_env(
        client, folder, agents=agents(), script=SCRIPT, approvals=approvals
    ) as env:
        handle = await env.start("shopper", "pay once", workflow_id="shopper-labelled")
        (action,) = await env.pending(handle)
        arguments = {"account": "elsewhere", "amount": 3}
        await env.decide(handle, action, "edit", arguments=arguments)
        await env.result(handle)
        await _save(env, "labelled", handle.id)


async def _told(client: Client, folder: Path) -> None:
    """Somebody is told of a request in the second attempt, and reminded; then two people approve."""
    folder = folder / "told"
    folder.mkdir()
    (folder / "rules.yaml").write_text(_TIERS, encoding="utf-8")
    approvals = {**SIGNED, "policy": str(folder / "rules.yaml")}
    with fake_receiver() as receiver, pytest.MonkeyPatch.context() as environment:
        environment.setenv("RECORDED_SLACK", f"{receiver.url}/hook")
        receiver.answer("/hook", 503)
        channel = {"channel": "slack", "name": "desk", "url_env": "RECORDED_SLACK"}
        async with worker_env(
            client, folder, agents=agents(), script=SCRIPT, approvals=approvals, notify=[channel]
        ) as env:
            handle = await env.start("shopper", "pay once", workflow_id="shopper-told")
            (action,) = await env.pending(handle)
            while len(receiver.taken()) < 2:  # noqa: ASYNC110  it is in a thread
                await asyncio.sleep(0.05)
            for person in (ANN, BEN):
                await decide(handle, action, person)
            await env.result(handle)
            await _save(env, "told", handle.id)


async def _idle(handle: Any) -> None:
    while (await handle.query("status"))["state"] != "idle":  # noqa: ASYNC110  a query cannot be awaited
        await asyncio.sleep(0.05)


async def _save(env: WorkerEnv, name: str, workflow_id: str, run_id: str | None = None) -> None:
    history = json.loads(await export(env.client, workflow_id, run_id))
    text = json.dumps(_without_traces(history))
    (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _without_traces(value: Any) -> Any:
    """Leave out stack traces, which name the folders of the machine that recorded."""
    if isinstance(value, dict):
        return {key: _without_traces(item) for key, item in value.items() if key != "stackTrace"}
    return [_without_traces(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    asyncio.run(record(*sys.argv[1:]))
