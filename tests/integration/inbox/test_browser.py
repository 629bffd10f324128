"""A reviewer's way through the inbox in a real browser: by keyboard, by mouse, without JavaScript."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Response, Route, expect

from interlock.approvals.people import Person
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from tests.browsers import open_browser
from tests.integration.inbox.conftest import Ask, serving
from tests.integration.inbox.desk import PAID

IMAGES = Path(__file__).parents[3] / "docs" / "images" / "inbox"

ADA = Person(subject="ada", name="Ada", roles=("reviewer",), tenants=("north",))


FAILED: list[str] = []
"""What scripts of pages raised: a listener that raised it would end the browser instead."""


@pytest.fixture(autouse=True)
def _scripts_do_not_fail() -> Iterator[None]:
    FAILED.clear()
    yield
    assert FAILED == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser."""
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inbox(env: WorkerEnv) -> AsyncIterator[Inbox]:
    """An inbox on a port of its own, as `interlock inbox` serves it."""
    async with serving(env) as inbox:
        yield inbox


async def _signed_in(inbox: Inbox, context: BrowserContext) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: FAILED.append(str(error)))
    page.on("console", lambda said: print(said.text) if said.type == "error" else None)  # noqa: T201
    await page.goto(f"{inbox.origin}/login/link?token={await inbox.sessions.link(ADA)}")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    return page


async def _shot(page: Page, name: str) -> None:
    if os.environ.get("INTERLOCK_SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=IMAGES / f"{name}.png")


async def test_a_button_that_is_pressed_twice_sends_once(inbox: Inbox, browser: Browser):
    """A link that signs in once is not used up by the first press and refused to the second."""
    async with await browser.new_context() as context:
        page = await context.new_page()
        sent: asyncio.Queue[Route] = asyncio.Queue()

        await page.goto(f"{inbox.origin}/login/link?token={await inbox.sessions.link(ADA)}")
        await page.route("**/login/link", sent.put_nowait)
        await page.get_by_role("button", name="Sign in").hover()
        await _press(page)
        first = await sent.get()
        await _press(page)
        await first.continue_()
        await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
        assert sent.empty()


async def _press(page: Page) -> None:
    """Press where the mouse is: a locator would wait for the next page."""
    await page.mouse.down()
    await page.mouse.up()


async def test_a_reviewer_decides_with_the_keyboard_alone(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: Browser
):
    """The queue shows a new request by itself; keys lead to it, to its edit and to its button."""
    async with await browser.new_context(color_scheme="light") as context:
        page = await _signed_in(inbox, context)
        handle, request = await ask(order="HL-10377", amount=120, text="The lamp came broken.")
        item = page.locator(f'[data-key="{request["key"]}"]')
        await expect(item).to_be_visible()
        link = item.locator("a.what")
        await page.keyboard.press("j")
        while not await link.evaluate("(link) => link === document.activeElement"):
            await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="What exactly")).to_be_visible()
        await page.wait_for_load_state()  # keys before the page's script are lost
        await _shot(page, "request")
        await page.keyboard.press("e")
        await page.keyboard.press("Tab")
        await expect(page.locator('[name="arg.payment.amount"]')).to_be_focused()
        await page.keyboard.press("Control+a")
        await page.keyboard.type("90")
        await page.keyboard.press("Escape")
        await page.keyboard.press("c")
        await page.keyboard.type("Shipping is not refunded.")
        await page.keyboard.press("Escape")
        await _shot(page, "edit")
        button = page.get_by_role("button", name="Approve with these changes")
        while not await button.evaluate("(button) => button === document.activeElement"):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Approved with your changes")
        await env.result(handle)
        assert PAID["HL-10377"] == [90]
        await page.goto(f"{inbox.origin}/runs/{handle.id}")
        await expect(page.get_by_text("edit by ada: Shipping is not refunded.")).to_be_visible()
        await _shot(page, "run")


async def test_a_press_is_a_click_though_the_queue_changes_before_the_release(
    inbox: Inbox, ask: Ask, browser: Browser
):
    """The list is not exchanged under a finger; a comment half written keeps its caret."""
    async with await browser.new_context() as context:
        page = await _signed_in(inbox, context)
        _, request = await ask(order="o-press", amount=10)
        item = page.locator(f'[data-key="{request["key"]}"]')
        comment = page.get_by_label("Comment")
        await comment.fill("Not yet")
        await comment.press("Home")
        await _ask_another(page, ask, "o-press-1")
        await expect(page.locator(".args", has_text="o-press-1")).to_be_visible()
        await page.keyboard.type("Please: ")
        await expect(comment).to_have_value("Please: Not yet")
        await expect(page.locator(".item")).to_have_count(2)  # those of other tests have left
        await item.locator("a.what").hover()
        await page.mouse.down()
        await _ask_another(page, ask, "o-press-2")
        await page.mouse.up()
        await expect(page.get_by_role("heading", name="What exactly")).to_be_visible()


async def _ask_another(page: Page, ask: Ask, order: str) -> None:
    """Let another run ask, until the page has read a queue with its request."""
    answers: asyncio.Queue[Response] = asyncio.Queue()
    page.on("response", answers.put_nowait)
    await ask(order=order, amount=20)
    while True:
        answer = await answers.get()
        if "part=true" in answer.url and order in await answer.text():
            break
    page.remove_listener("response", answers.put_nowait)
    await page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")


async def test_a_reviewer_clears_several_with_the_mouse(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: Browser
):
    """Selected requests are rejected at once, and the queue keeps what is selected as it changes."""
    async with await browser.new_context(color_scheme="dark") as context:
        page = await _signed_in(inbox, context)
        asked = [await ask(order=f"o-mouse-{n}", amount=10 * n) for n in (1, 2, 3)]
        boxes = [page.locator(f'[data-key="{r["key"]}"] input') for _, r in asked]
        for box in boxes[:2]:
            await box.check()
        _, late = await ask("asker", text="Is there another lamp in the warehouse?")
        await expect(page.locator(f'[data-key="{late["key"]}"]')).to_be_visible()
        assert [await box.is_checked() for box in boxes] == [True, True, False]
        await _shot(page, "queue-dark")
        await page.get_by_role("button", name="Reject selected").click()
        await expect(page.get_by_role("status")).to_contain_text("Rejected")
        await expect(boxes[2]).to_be_visible()
        await expect(boxes[0]).to_have_count(0)
        assert len(await env.open_requests(asked[2][0])) == 1
        assert [PAID[f"o-mouse-{n}"] for n in (1, 2, 3)] == [[], [], []]


async def test_the_whole_way_works_without_javascript(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: Browser
):
    """Sign in, find, answer, see the run."""
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await _signed_in(inbox, context)
        handle, request = await ask("asker", text="May I give a discount?")
        await page.reload()
        await page.locator(f'[data-key="{request["key"]}"] a.what').click()
        await page.get_by_label("Answer").fill("Ten percent.")
        await page.get_by_role("button", name="Send the answer").click()
        await expect(page.get_by_role("status")).to_contain_text("Answered")
        assert (await env.result(handle)).output["outcome"] == "Ten percent."


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_accessible(inbox: Inbox, ask: Ask, browser: Browser, scheme: str):
    """Axe finds nothing, in either colour scheme."""
    handle, request = await ask(order="HL-10412", amount=89, text="The shade is broken. " * 30)
    await ask("asker", text="The customer wants the lamp in green. Do we have one?")
    await ask("writer", order="c-2207", text="Your parcel leaves tomorrow.")
    await ask(order="HL-10398", amount=12, text="Late delivery.")
    addresses = (
        "/",
        "/runs",
        f"/requests/{request['key']}",
        f"/runs/{handle.id}",
        "/delegations",
        "/login",
        "/no",
    )
    async with await browser.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = await _signed_in(inbox, context)
        for address in addresses:
            await page.goto(inbox.origin + address)
            await page.evaluate(
                "document.querySelectorAll('details').forEach((d) => (d.open = true))"
            )
            found = (await Axe().run(page)).response["violations"]
            assert [(item["id"], item["nodes"][0]["html"]) for item in found] == [], address
        await page.goto(f"{inbox.origin}/")
        await _shot(page, f"queue-{scheme}")


async def test_somebody_stands_in_without_javascript(inbox: Inbox, browser: Browser):
    """From the head of any page: given with two fields, seen, and ended with a button."""
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await _signed_in(inbox, context)
        await page.get_by_role("link", name="Delegations").click()
        await page.get_by_label("Who decides").fill("bea")
        day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
        await page.get_by_label("Last day").fill(day)
        await page.get_by_role("button", name="Delegate").click()
        await expect(page.get_by_role("status")).to_contain_text("Given")
        await _shot(page, "delegations")
        await page.get_by_role("button", name="End the delegation from ada to bea").click()
        await expect(page.get_by_role("status")).to_contain_text("Ended")
        await expect(page.get_by_role("heading", name="Nobody stands in")).to_be_visible()


async def test_an_open_page_outlives_a_restart_of_the_inbox(
    env: WorkerEnv, browser: Browser, unused_tcp_port: int
):
    """Its stream ends when the inbox is asked to stop; it says so, and goes on with the next one."""
    async with await browser.new_context() as context:
        async with serving(env, unused_tcp_port) as inbox:
            page = await _signed_in(inbox, context)
            async with page.expect_response("**/events"):
                await page.reload()
            began = time.monotonic()
        assert time.monotonic() - began < 2
        silent = page.get_by_role("alert").filter(has_text="the inbox does not answer")
        await expect(silent).to_be_visible()
        async with serving(env, unused_tcp_port):
            await expect(silent).to_be_hidden(timeout=20_000)
