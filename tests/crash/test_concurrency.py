"""Many runs wait at once and are decided by signals from another process: each pays once."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from interlock.app import database_url
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.testing.crash.reviewer import first_request
from interlock.testing.crash.trial import workers
from interlock.testing.processes import Hosting
from tests.crash.refunds import RefundStage, Shop
from tests.crash.support import ORDER
from tests.proofs import write_proof

_PATIENCE = timedelta(hours=2)

Handle = WorkflowHandle[Any, Any]


async def start_all(client: Client, queue: str, count: int) -> list[Handle]:
    """Start runs that ask for different refunds."""

    async def start(number: int) -> Handle:
        case = {"order_id": ORDER, "amount": "89.00", "reason": f"case {number}"}
        return await client.start_workflow(
            "AgentWorkflow",
            {"agent": "cashier", "input": case},
            id=f"cashier-{uuid.uuid4().hex[:12]}",
            task_queue=queue,
            execution_timeout=_PATIENCE,
        )

    return list(await asyncio.gather(*map(start, range(count))))


async def decide_all(client: Client, handles: list[Handle]) -> dict[str, Any]:
    """Let the reviewer's program decide on what the runs ask."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("decider.py")),
        client.service_client.config.target_host,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate("\n".join(handle.id for handle in handles).encode())
    assert process.returncode == 0
    answer: dict[str, Any] = json.loads(said)
    assert answer["interlock"] == [], "the program is no plain client"
    decided: dict[str, list[str]] = answer["decided"]
    return decided


async def check_books(shop: Shop, decided: dict[str, list[str]]) -> dict[str, int]:
    """Expect one refund for each decision, and one decision for each refund; return the counts."""
    refunds = await shop.service.refunds()
    async with Database(database_url(shop.settings)) as database:
        rows = await SqlLedger(database).rows(limit=10_000)
    assert {(row.tool, str(row.state)) for row in rows} == {("refund", "DONE")}
    by_reference = Counter(refund["reference"] for refund in refunds)
    assert by_reference == Counter(row.effect_key for row in rows), "a refund is doubled or lost"
    approved = Counter(request for requests in decided.values() for request in requests)
    assert Counter(row.request_id for row in rows) == approved, "a refund is not the approved one"
    consumed = {(row.workflow_id, row.request_id) for row in rows}
    assert consumed == {(run, request) for run, [request] in decided.items()}
    reasons = Counter(refund["reason"] for refund in refunds)
    assert reasons == Counter(f"case {number}" for number in range(len(decided)))
    return {
        "approvals_by_signal": approved.total(),
        "refunds": len(refunds),
        "doubled": len(refunds) - len(by_reference),
        "unapproved": len(refunds) - sum(approved[row.request_id or ""] for row in rows),
    }


async def pay_many(stage: RefundStage, count: int) -> dict[str, Any]:
    """Run `count` refunds at once and return what was counted and how long each part took."""
    took, began = {}, time.monotonic()

    def lap(what: str) -> None:
        took[what] = round(time.monotonic() - began, 2)

    async with stage.shop("cashier") as shop:
        async with workers(Hosting(shop.settings, shop.environment)) as start:
            await start()
            began = time.monotonic()
            queue = f"{shop.settings.temporal.queue_prefix}interlock"
            handles = await start_all(stage.client, queue, count)
            asked = await asyncio.gather(*map(first_request, handles))
            lap("all_wait")
            assert len({request["id"] for request in asked}) == count
            assert await shop.service.refunds() == [], "something was paid before it was approved"
            decided = await decide_all(stage.client, handles)
            lap("all_decided")
            results = await asyncio.gather(*(handle.result() for handle in handles))
            lap("all_completed")
        assert {result["status"] for result in results} == {"completed"}
        assert len({result["output"]["refund_id"] for result in results}) == count
        counts = await check_books(shop, decided)
    return {"runs": count, **counts, "seconds_until": took}


async def test_runs_that_wait_at_once_pay_once_each(stage: RefundStage) -> None:
    """Twenty runs, twenty decisions by signal, twenty refunds."""
    await pay_many(stage, 20)


@pytest.mark.proof
@pytest.mark.timeout(900)
async def test_two_hundred_runs(stage: RefundStage) -> None:
    """Two hundred runs, none doubled, none unapproved."""
    write_proof("concurrency", await pay_many(stage, 200), seeds=[])
