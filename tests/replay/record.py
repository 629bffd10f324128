"""Records the golden histories anew: `python -m tests.replay.record`.

Do it when the engine itself gives other commands, and never to make a failing test of unchanged
engine code pass: such a failure says that open runs would break.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError

from interlock.replay import export, follow, runs
from interlock.replay.steps import ModelCalled, Started
from interlock.server import running_server
from interlock.testing import WorkerEnv, worker_env
from tests.replay.deployment import GOLDEN, SCRIPT, agents


async def record() -> None:
    """Run every recorded case once and write its history."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_server() as server,
            worker_env(
                server.client,
                Path(folder),
                agents=agents(),
                script=SCRIPT,
                temporal={"history_events": 50},
            ) as env,
        ):
            await _bought(env, "approved", "approve")
            await _bought(env, "rejected", "reject", comment="too dear")
            await _cancelled(env)
            await _edited(env)
            await _chain(env)


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


async def _idle(handle: Any) -> None:
    while (await handle.query("status"))["state"] != "idle":  # noqa: ASYNC110  a query cannot be awaited
        await asyncio.sleep(0.05)


async def _save(env: WorkerEnv, name: str, workflow_id: str, run_id: str | None = None) -> None:
    text = await export(env.client, workflow_id, run_id)
    (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(record())
