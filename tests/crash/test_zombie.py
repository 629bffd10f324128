"""An attempt that sleeps over its deadline and wakes: it changes nothing, and it is told of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from interlock.app import database_url
from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter, LedgerRow, LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import SqlAuditStore
from interlock.settings import ApprovalSettings, AuditSettings, Settings
from interlock.testing.crash.reviewer import first_request
from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import copied
from tests.crash.refunds import RefundStage
from tests.crash.support import ORDER
from tests.payments import appears
from tests.terminal import INTERLOCK

_PATIENCE = 80.0

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look until there is something: another process writes it into a database."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.1)


async def effects(settings: Settings, folder: Path) -> Any:
    """Return what `interlock effects --json` says of a deployment."""
    process = await asyncio.create_subprocess_exec(
        *INTERLOCK,
        "effects",
        "--json",
        cwd=folder,
        env={
            **os.environ,
            "INTERLOCK_AUDIT__URL": settings.audit.url or "",
            "INTERLOCK_TEMPORAL__ADDRESS": settings.temporal.address or "",
            "INTERLOCK_TEMPORAL__QUEUE_PREFIX": settings.temporal.queue_prefix,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)


@pytest.mark.timeout(180)  # heartbeats are missed and a deadline passes, all in real time
@pytest.mark.parametrize(
    ("agent", "state"),
    [
        # The kit's own zombie in test_refunds is the sample of this one.
        pytest.param("sleeper", "DONE", marks=pytest.mark.proof, id="can be looked up"),
        pytest.param("sleeper_blind", "UNKNOWN", id="cannot be looked up"),
    ],
)
async def test_an_attempt_that_slept_over_its_deadline_changes_nothing(
    stage: RefundStage, agent: str, state: str
) -> None:
    """Stopped with SIGSTOP in its call, its row is settled by another worker; then it goes on."""
    async with stage.shop(agent) as shop:
        database = f"sqlite+aiosqlite:///{shop.settings.project_dir / 'audit.db'}"
        free = ApprovalSettings(medium="allow", high="allow")
        one = shop.settings.model_copy(
            update={"audit": AuditSettings(url=database), "approvals": free}
        )
        two = one.model_copy(
            update={"project_dir": copied(stage.template, stage.folder / uuid.uuid4().hex[:12])}
        )
        gate, reached = shop.holds / "before-commit", shop.holds / "before-commit.reached"
        gate.touch()
        workers = [await WorkerProcess.start(Hosting(one, shop.environment))]
        try:
            await workers[0].ready()
            handle = await stage.client.start_workflow(
                "AgentWorkflow",
                {
                    "agent": "cashier",
                    "input": {"order_id": ORDER, "amount": "5.00", "reason": "late"},
                },
                id=f"sleeper-{uuid.uuid4().hex[:12]}",
                task_queue=f"{one.temporal.queue_prefix}interlock",
                execution_timeout=timedelta(seconds=_PATIENCE),
            )
            await appears(reached)
            os.kill(workers[0].pid, signal.SIGSTOP)
            gate.unlink()  # the service pays now, and nobody hears its answer
            workers.append(await WorkerProcess.start(Hosting(two, shop.environment)))
            await workers[1].ready()
            async with Database(database_url(one)) as opened:
                ledger, events = SqlLedger(opened), SqlAuditStore(opened)

                async def settled() -> LedgerRow | None:
                    rows = await ledger.rows(state=LedgerState(state))
                    return rows[0] if rows else None

                row = await until(settled)
                assert row.token == 2
                os.kill(workers[0].pid, signal.SIGCONT)
                (incident,) = await until(lambda: events.events(EventFilter(kind="incident")))
                assert await ledger.find(row.effect_key) == row, "it changed what was settled"
            assert incident.details["token"] == 1
            assert incident.details["effect_key"] == row.effect_key
            if state == "UNKNOWN":
                request = ApprovalRequest.model_validate(await first_request(handle))
                (paid,) = await shop.service.refunds()
                told = {key: paid[key] for key in ("order_id", "amount", "currency")}
                decision = {
                    "request_id": request.id,
                    "digest": request.digest,
                    "verb": "happened",
                    "result": {"refund_id": paid["id"], **told},
                }
                await handle.execute_update("submit_decision", decision)
            result = await handle.result()
        finally:
            for worker in workers:
                await worker.kill()
        (paid,) = await shop.service.refunds()
        assert result["output"]["refund_id"] == paid["id"]
        listed = await effects(one, one.project_dir)
        assert [item["effect"]["state"] for item in listed["effects"]] == ["DONE"]
        (shown,) = listed["incidents"]
        assert (shown["id"], shown["name"]) == (incident.id, "refund")
        assert "a late attempt of 'refund'" in shown["details"]["what"]
