"""No worker runs when a deadline passes: what people said meanwhile is read after it."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from temporalio.client import Client

from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.testing.following import follow_events
from tests.graphs import PAID, shopper
from tests.workflow.people import ANN, SIGNED, paying, signed
from tests.workflow.skipping import forgotten_runs

pytestmark = forgotten_runs

RULES = """
tiers: {desk: {who: reviewer, deadline: 4s}}
rules:
  - {name: desk, tool: pay, when: "args.amount > 2", then: {ask: {tier: desk, on_timeout: allow}}}
  - {name: free, tool: pay, then: allow}
"""


class Said(NamedTuple):
    """What is sent while no worker runs, and what comes of it."""

    send: Callable[[ApprovalRequest], list[dict[str, Any]]]
    paid: list[int]
    refused: list[str]


def _edited(action: ApprovalRequest) -> list[dict[str, Any]]:
    return [signed(action, ANN, "edit", arguments={**action.arguments, "amount": 2})]


def _forged(action: ApprovalRequest) -> dict[str, Any]:
    return {**signed(action, ANN, "reject"), "comment": "forged"}


SAID: dict[str, Said] = {
    "late no": Said(lambda action: [signed(action, ANN, "reject")], [], []),
    "late edit": Said(_edited, [2], []),
    "late answer": Said(lambda action: [signed(action, ANN, "respond", result="no")], [], []),
    "late yes": Said(lambda action: [signed(action, ANN)], [7], ["EXPIRED"]),
    "late forged": Said(lambda action: [_forged(action)], [7], ["FORGED"]),
    "late after forged": Said(
        lambda action: [_forged(action), signed(action, ANN, "reject")], [], ["FORGED"]
    ),
}


def _deployment(
    server: Client, folder: Path
) -> Callable[[], AbstractAsyncContextManager[WorkerEnv]]:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    return partial(
        worker_env,
        server,
        folder,
        agents=[shopper()],
        script={"conversations": {name: paying(name, 7) for name in SAID}},
        approvals={**SIGNED, "policy": "rules.yaml"},
        temporal={"queue_prefix": f"{uuid.uuid4().hex[:8]}."},
    )


async def _asked(env: WorkerEnv, name: str) -> tuple[Handle, ApprovalRequest]:
    handle = await env.start("shopper", name)
    (action,) = await env.pending(handle)
    return handle, action


async def _deadline_is_over(handle: Handle) -> None:
    async for event in follow_events(handle):
        if event.HasField("timer_fired_event_attributes"):
            return


async def test_a_no_is_heard_before_the_default_stands(server: Client, tmp_path: Path) -> None:
    """With `on_timeout: allow` an approval is too late, and whatever forbids or changes is not."""
    deployed = _deployment(server, tmp_path)
    async with deployed() as env:
        runs = await asyncio.gather(*(_asked(env, name) for name in SAID))
    gc.collect()  # what the workers forgot is told now, and not in another test
    for said, (handle, action) in zip(SAID.values(), runs, strict=True):
        for decision in said.send(action):
            await handle.signal("decide", decision)
    await asyncio.gather(*(_deadline_is_over(handle) for handle, _ in runs))
    async with deployed() as env:
        for (name, said), (handle, _) in zip(SAID.items(), runs, strict=True):
            assert (await env.result(handle)).reply == "Done."
            assert PAID[name] == said.paid, name
            where = EventFilter(workflow_id=handle.id, kind="refusal")
            refused = [event.name for event in await env.app.audit.events(where)]
            assert refused == said.refused, name
            await env.replay(handle)
