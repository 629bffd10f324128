"""A reviewer's program that knows nothing of Interlock: ``python decider.py ADDRESS < ids``.

It approves what each run of the ids asks for, by signal, and answers with one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from temporalio.client import Client


async def main(address: str, ids: list[str]) -> None:
    """Read each run's requests and send one decision for each."""
    client = await Client.connect(address)
    turns = asyncio.Semaphore(20)

    async def decide(workflow_id: str) -> list[str]:
        async with turns:
            handle = client.get_workflow_handle(workflow_id)
            pending = await handle.query("pending_approvals")
            for request in pending["requests"]:
                decision = {
                    "request_id": request["id"],
                    "verb": "approve",
                    "digest": request["digest"],
                    "reviewer": "decider",
                }
                await handle.signal("decide", decision)
        return [request["id"] for request in pending["requests"]]

    decided = await asyncio.gather(*map(decide, ids))
    rooms = [name for name in sys.modules if name.partition(".")[0] == "interlock"]
    json.dump({"decided": dict(zip(ids, decided, strict=True)), "interlock": rooms}, sys.stdout)
    sys.stdout.flush()
    # Temporal's client may abort a process whose interpreter ends (temporalio/sdk-python issue 300).
    os._exit(0)


asyncio.run(main(sys.argv[1], sys.stdin.read().split()))
