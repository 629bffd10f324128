"""A queue of thousands: its page, the API and a decision stay quick, since they ask no run but one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from statistics import quantiles

import httpx
import pytest

from interlock.inbox.app import application
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from interlock.testing.env import Handle
from tests.integration.inbox.conftest import ORIGIN, PEOPLE, Client
from tests.integration.inbox.desk import PAID
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


async def _measure(env: WorkerEnv, inbox: Inbox, client: Client, count: int) -> dict[str, float]:
    """Let `count` runs wait, look at the queue, decide on some, and end the rest."""

    async def start(number: int) -> Handle:
        case = {"order": f"many-{count}-{number}", "amount": 1 + number % 500}
        return await env.start("refunder", case, tenant="north", lasts=timedelta(hours=2))

    began = time.perf_counter()
    handles = await _each(start, count)
    version = inbox.board.version
    while len(await inbox.board.items()) < count:
        version = await inbox.board.changed(version)
    whole = time.perf_counter() - began
    progress(f"{count} requests are in the queue after {whole:.0f} s")

    ada = await client("ada")
    transport = httpx.ASGITransport(application(inbox))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
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
    orders = [item["arguments"]["payment"]["order"] for item in wanted]
    runs = {item["workflow_id"] for item in wanted}
    for handle in handles:
        if handle.id in runs:
            await env.result(handle)
    assert [len(PAID[order]) for order in orders] == [1] * len(wanted)
    rest = [handle for handle in handles if handle.id not in runs]

    async def end(number: int) -> Handle:
        await rest[number].signal("cancel_run", "the test is over")
        await env.result(rest[number])
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


async def test_a_queue_is_quick(env: WorkerEnv, inbox: Inbox, client: Client) -> None:
    """Some dozens of requests: everything is answered well before anybody would notice."""
    found = await _measure(env, inbox, client, SAMPLE)
    assert found["decisions"] == 50
    assert max(found["page_p95_ms"], found["api_p95_ms"], found["decision_p95_ms"]) < 1000


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_a_queue_of_ten_thousand_is_quick(
    env: WorkerEnv, inbox: Inbox, client: Client
) -> None:
    """10,000 requests that wait: page and API under 200 ms, a decision under 100 ms."""
    found = await _measure(env, inbox, client, WHOLE)
    write_proof("inbox-queue", found, seeds=[])
    assert found["page_p95_ms"] < 200
    assert found["api_p95_ms"] < 200
    assert found["decision_p95_ms"] < 100
