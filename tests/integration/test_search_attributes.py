"""What runs are found by: registered by the worker itself, on a server that knows nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from interlock.server import find_temporal
from interlock.testing import worker_env
from interlock.workflows import search
from tests.graphs import SAID, shopper

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


async def registered(client: Client) -> dict[str, int]:
    """The server's own attributes of Interlock, with their types."""
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return {
        name: kind
        for name, kind in answer.custom_attributes.items()
        if name.startswith("Interlock")
    }


async def test_a_worker_registers_what_runs_are_found_by(tmp_path: Path) -> None:
    """On a server without the attributes a run starts, waits and is found by each of them."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(), dev_server_extra_args=("--output", "none")
    ) as fresh:
        assert await registered(fresh.client) == {}
        async with worker_env(
            fresh.client, tmp_path, agents=[shopper()], script={"conversations": SAID}
        ) as env:
            assert await registered(env.client) == {key.name: KEYWORD for key in search.ALL}
            handle = await env.start("shopper", "pay once", tenant="north")
            await env.pending(handle)
            release = (await env.status(handle)).release
            wanted = {
                search.AGENT: "shopper",
                search.STATUS: "waiting",
                search.TENANT: "north",
                search.RISK: "high",
                search.RELEASE: release,
            }
            query = " AND ".join(f"{key.name} = '{value}'" for key, value in wanted.items())
            async with asyncio.timeout(20):
                while not [found.id async for found in env.client.list_workflows(query)]:  # noqa: ASYNC110  the index is behind
                    await asyncio.sleep(0.1)
            found = (await handle.describe()).typed_search_attributes
            assert {key: found[key] for key in search.ALL} == wanted
            await handle.signal("cancel_run")
            await env.result(handle)
