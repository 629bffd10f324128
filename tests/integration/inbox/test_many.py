"""A queue of thousands: its page, the API and a decision stay quick, since they ask no run but one."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import httpx
import pytest
from temporalio.client import Client

from interlock.audit.contract import EventFilter
from interlock.connection import connect
from interlock.inbox.app import application
from interlock.inbox.opening import open_inbox
from interlock.inbox.services import Inbox
from interlock.inbox.sessions import issue_key
from interlock.runs.client import Runs
from interlock.testing.env import Handle
from interlock.testing.processes import Hosting, WorkerProcess
from interlock.workflows.contract import RunResult
from tests.crash.deployments import scripted, settings_in
from tests.integration.inbox.conftest import ORIGIN, PEOPLE
from tests.proofs import progress, write_proof

SAMPLE = 60
WHOLE = 10_000
_AT_ONCE = 40


async def _each(work: Callable[[int], Awaitable[Handle]], count: int) -> list[Handle]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> Handle:
        async with gate:
            if number % 1000 == 0:
                progress(f"{number} of {count} runs")
            return await work(number)

    return list(await asyncio.gather(*map(one, range(count))))


async def _p95(call: Callable[[], Awaitable[httpx.Response]], times: int) -> float:
    """Milliseconds that 95 of a hundred calls stay under."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = await call()
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    return round(quantiles(took, n=20)[-1], 1)


@asynccontextmanager
async def _deployment(server: Client, folder: Path) -> AsyncIterator[Inbox]:
    """A worker in a process of its own, as it is where somebody has thousands of runs, and the inbox."""
    scripted(folder / "project", {"conversations": {}})
    inbox = {"requests_per_minute": 100_000, "logins_per_minute": 100_000}
    people = [
        person.model_dump(include={"subject", "roles", "tenants"}) for person in PEOPLE.values()
    ]
    settings = settings_in(
        folder / "project",
        server,
        agents=["tests.integration.inbox.desk:refunder"],
        inbox=inbox,
        people=people,
    )
    worker = await WorkerProcess.start(Hosting(settings))
    try:
        runs = Runs(settings, await connect(settings))
        async with open_inbox(settings, runs, origin=ORIGIN) as opened:
            following = asyncio.create_task(opened.board.follow())
            yield opened
            following.cancel()
            await asyncio.wait([following])
    finally:
        await worker.kill()


async def _measure(inbox: Inbox, count: int) -> dict[str, float]:
    """Let `count` runs wait, look at the queue, decide on some, and end the rest."""
    runs = inbox.runs

    async def start(number: int) -> Handle:
        case = {"order": f"many-{count}-{number}", "amount": 1 + number % 500}
        return await runs.client.start_workflow(
            "AgentWorkflow",
            {"agent": "refunder", "input": case, "tenant": "north"},
            id=f"many-{uuid.uuid4().hex[:12]}",
            task_queue=runs.queue,
            execution_timeout=timedelta(hours=2),
        )

    began = time.perf_counter()
    handles = await _each(start, count)
    version = inbox.board.version
    while len(await inbox.board.items()) < count:
        version = await inbox.board.changed(version)
    whole = time.perf_counter() - began
    progress(f"{count} requests are in the queue after {whole:.0f} s")

    transport = httpx.ASGITransport(application(inbox))
    key = await issue_key(inbox.credentials, PEOPLE["ada"], timedelta(hours=1), "ada")
    bearer = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser,
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=bearer) as ada,
    ):
        await browser.post("/login/link", data={"token": await inbox.sessions.link(PEOPLE["ada"])})
        page = await _p95(lambda: browser.get("/"), 100)
        listed = await _p95(lambda: ada.get("/api/v1/requests", params={"risk": "high"}), 100)
        wanted = (await ada.get("/api/v1/requests", params={"limit": 50})).json()["requests"]
        waiting = iter(wanted)

        async def decide() -> httpx.Response:
            item = next(waiting)
            choice = {"verb": "approve", "digest": item["digest"]}
            return await ada.post(f"/api/v1/requests/{item['key']}/decision", json=choice)

        decided = await _p95(decide, len(wanted))
    amounts = {item["workflow_id"]: item["arguments"]["payment"]["amount"] for item in wanted}
    for handle in handles:
        if handle.id in amounts:
            result = RunResult.model_validate(await handle.result())
            assert result.output["outcome"] == f"paid {amounts[handle.id]}"
            called = EventFilter(workflow_id=handle.id, kind="tool_call")
            assert await inbox.audit.count(called) == 1
    rest = [handle for handle in handles if handle.id not in amounts]

    async def end(number: int) -> Handle:
        await rest[number].terminate("the test is over")
        return rest[number]

    await _each(end, len(rest))
    return {
        "requests": count,
        "in_the_queue_after_seconds": round(whole, 1),
        "page_p95_ms": page,
        "api_p95_ms": listed,
        "decision_p95_ms": decided,
        "decisions": len(wanted),
    }


async def test_a_queue_is_quick(server: Client, tmp_path: Path) -> None:
    """Some dozens of requests: everything is answered well before anybody would notice."""
    async with _deployment(server, tmp_path) as inbox:
        found = await _measure(inbox, SAMPLE)
    assert found["decisions"] == 50
    assert max(found["page_p95_ms"], found["api_p95_ms"], found["decision_p95_ms"]) < 1000


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_a_queue_of_ten_thousand_is_quick(server: Client, tmp_path: Path) -> None:
    """10,000 requests that wait: page and API under 200 ms, a decision under 100 ms."""
    async with _deployment(server, tmp_path) as inbox:
        found = await _measure(inbox, WHOLE)
    write_proof("inbox-queue", found, seeds=[])
    assert found["page_p95_ms"] < 200
    assert found["api_p95_ms"] < 200
    assert found["decision_p95_ms"] < 100
