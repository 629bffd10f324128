"""A plain script with the Temporal client, without Interlock, drives a run from start to end."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path

from temporalio.client import Client

from interlock.testing import worker_env
from tests.graphs import PAID, everything

PLAIN = """
import asyncio, json, os, sys
from temporalio.client import Client

async def main(address, queue, run, account):
    client = await Client.connect(address)
    handle = await client.start_workflow(
        "AgentWorkflow",
        {"agent": "everything",
         "input": {"messages": ["buy these"], "account": account, "articles": ["lamp"]}},
        id=run, task_queue=queue,
    )
    while not (pending := (await handle.query("pending_approvals"))["requests"]):
        await asyncio.sleep(0.1)
    request = pending[0]
    await handle.signal("decide", {
        "request_id": request["id"], "verb": "approve", "digest": request["digest"],
    })
    result = await handle.result()
    assert "interlock" not in sys.modules
    print(json.dumps({"request": request, "result": result,
                      "status": await handle.query("status")}))

asyncio.run(main(*sys.argv[1:]))
sys.stdout.flush()
os._exit(0)  # the SDK may crash an interpreter that is torn down: interlock.cli.leaving
"""


async def test_a_client_without_interlock_starts_queries_signals_and_gets_the_result(
    server: Client, tmp_path: Path
) -> None:
    """Names and JSON are all a caller needs."""
    account = uuid.uuid4().hex
    async with worker_env(server, tmp_path, agents=[everything()]) as env:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PLAIN,
            server.service_client.config.target_host,
            env.task_queue,
            f"plain-{account}",
            account,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    told = json.loads(printed)
    assert process.returncode == 0
    assert told["request"]["tool"] == "pay"
    assert told["result"]["status"] == "completed"
    assert told["result"]["output"]["receipt"] == "paid 8"
    assert told["status"]["state"] == "completed"
    assert PAID[account] == [8]
