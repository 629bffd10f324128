"""A reviewer who goes by what the page says clears a queue of mixed requests, one after the other."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from interlock.approvals.people import Person
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from interlock.testing.env import Handle
from tests.browsers import open_browser
from tests.integration.inbox.conftest import serving
from tests.integration.inbox.desk import PAID
from tests.proofs import write_proof

SEED = 4
SAMPLE = 9
WHOLE = 100
LOUIS = Person(subject="louis", roles=("reviewer",), tenants=("west",))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser."""
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inbox(env: WorkerEnv) -> AsyncIterator[Inbox]:
    """An inbox on a port of its own."""
    async with serving(env) as inbox:
        yield inbox


async def _decide(page: Page) -> str:
    """Decide as the page says, and return what was done: questions answered, large refunds cut."""
    if await page.get_by_role("heading", name="A question").count():
        await page.get_by_label("Answer", exact=False).first.fill("Yes, until Friday.")
        await page.get_by_role("button", name="Send the answer").click()
        return "answered"
    if await page.get_by_role("heading", name="write_to").count():
        await page.get_by_role("button", name="Approve", exact=False).first.click()
        return "approved"
    amount = int(
        await page.locator("dl.args div", has_text="payment.amount").locator("dd").inner_text()
    )
    if amount > 400:
        await page.get_by_label("Comment", exact=False).fill("Too much.")
        await page.get_by_role("button", name="Reject").click()
        return "rejected"
    if amount > 200:
        await page.locator("#edit summary").click()
        await page.locator('[name="arg.payment.amount"]').fill("200")
        await page.get_by_role("button", name="Approve with these changes").click()
        return "edited"
    await page.get_by_role("button", name="Approve", exact=False).first.click()
    return "approved"


async def _clear(env: WorkerEnv, inbox: Inbox, browser: Browser, count: int) -> dict[str, object]:
    """Let `count` runs ask, clear the queue from the first page to the last, and look what was done."""
    drawn = random.Random(SEED)
    amounts = [drawn.randint(1, 500) for _ in range(count)]
    agents = [("refunder", "refunder", "writer", "asker")[number % 4] for number in range(count)]
    orders = [f"h-{count}-{number}" for number in range(count)]

    async def start(number: int) -> Handle:
        case = {"order": orders[number], "amount": amounts[number], "text": "May I?"}
        handle = await env.start(agents[number], case, tenant="west", lasts=timedelta(hours=1))
        await env.pending(handle)
        return handle

    handles = [await start(number) for number in range(count)]
    version = inbox.board.version
    while len(await inbox.board.items()) < count:
        version = await inbox.board.changed(version)
    done: list[str] = []
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(f"{inbox.origin}/login/link?token={await inbox.sessions.link(LOUIS)}")
        await page.get_by_role("button", name="Sign in").click()
        began = time.perf_counter()
        await page.locator(".item .what").first.click()
        for _ in range(count):
            await expect(page.get_by_role("heading", name="Decide", exact=True)).to_be_visible()
            here = page.url
            done.append(await _decide(page))
            await page.wait_for_url(lambda url, here=here: url != here)
        took = time.perf_counter() - began
        await expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    await asyncio.gather(*(handle.result() for handle in handles), return_exceptions=True)
    for agent, order, amount in zip(agents, orders, amounts, strict=True):
        kept = [] if amount > 400 else [min(amount, 200)]
        assert PAID[order] == (kept if agent == "refunder" else []), (agent, order, amount)
    counts = {what: done.count(what) for what in sorted(set(done))}
    return {"requests": count, "seconds": round(took, 1), "decisions": counts}


async def test_a_reviewer_clears_a_queue(env: WorkerEnv, inbox: Inbox, browser: Browser) -> None:
    """Each decision leads to the next request, and the last one to an empty queue."""
    found = await _clear(env, inbox, browser, SAMPLE)
    assert sum(found["decisions"].values()) == SAMPLE  # type: ignore[attr-defined]


@pytest.mark.proof
@pytest.mark.timeout(1200)
async def test_a_reviewer_clears_a_hundred(env: WorkerEnv, inbox: Inbox, browser: Browser) -> None:
    """A hundred requests, in less than five minutes."""
    found = await _clear(env, inbox, browser, WHOLE)
    write_proof("inbox-reviewer", found, seeds=[SEED])
    assert float(str(found["seconds"])) < 300
