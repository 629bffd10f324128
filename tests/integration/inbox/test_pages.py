"""Pages as a browser without JavaScript has them: everything can be read and decided by forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import PEOPLE, Ask
from tests.integration.inbox.desk import PAID


class Form(HTMLParser):
    """The fields of the form with an id, as a browser would send them."""

    def __init__(self, page: str, form_id: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._id, self._inside, self._area = form_id, False, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._inside = given.get("id") == self._id
        if self._inside and tag == "input" and given.get("type") != "checkbox":
            self.fields[str(given["name"])] = str(given.get("value") or "")
        if self._inside and tag == "textarea":
            self._area = str(given["name"])
            self.fields[self._area] = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


async def _sign_in(inbox: Inbox, browser: httpx.AsyncClient, subject: str = "ada") -> None:
    token = await inbox.sessions.link(PEOPLE[subject])
    assert (await browser.post("/login/link", data={"token": token})).status_code == 303


async def _page(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_whoever_is_not_signed_in_is_sent_to_sign_in(browser: httpx.AsyncClient):
    """And comes back to where it wanted to go."""
    answer = await browser.get("/runs", params={"status": "waiting"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/login?next=%2Fruns%3Fstatus%3Dwaiting"
    assert "Sign in" in await _page(browser, answer.headers["Location"])
    odd = await browser.get("/runs/a%3Fb%C3%BC")
    assert odd.headers["Location"] == "/login?next=%2Fruns%2Fa%253Fb%25C3%25BC"
    assert 'value="/runs/a%3Fb%C3%BC"' in await _page(
        browser, "/login/link?token=t&next=%2Fruns%2Fa%253Fb%25C3%25BC"
    )


async def test_a_request_is_found_in_the_queue_and_approved(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """The queue leads to the page, the page has the exact action, and its button approves it."""
    handle, request = await ask(order="o-page", amount=23, text="We are sorry.")
    await _sign_in(inbox, browser)
    assert f'href="/requests/{request["key"]}"' in await _page(
        browser, "/?risk=high&tool=&mine=true"
    )
    assert request["key"] not in await _page(browser, "/?risk=low")
    assert request["key"] in await _page(browser, "/?at_least=23&risk=")
    assert request["key"] not in await _page(browser, "/?at_least=23.01")
    assert "this filter is not one" in (await browser.get("/?at_least=much")).text
    page = await _page(browser, f"/requests/{request['key']}")
    for shown in (
        "o-page",
        "23",
        "We are sorry.",
        "EXTERNAL",
        "Charge the customer again.",
        request["digest"][:12],
        handle.id,
    ):
        assert shown in page
    assert '<g class="node lit">' in page
    fields = Form(page, "decision").fields
    sent = {**fields, "verb": "approve", "comment": "ok"}
    done = await browser.post(f"/requests/{request['key']}", data=sent)
    assert done.status_code == 303
    assert done.headers["Location"].endswith("?said=approve")
    assert "Approved." in await _page(browser, done.headers["Location"])
    await env.result(handle)
    assert PAID["o-page"] == [23]
    run = await _page(browser, f"/runs/{handle.id}")
    for shown in ("approve by ada: ok", "completed", "refund"):
        assert shown in run
    assert handle.id in await _page(browser, "/runs?status=completed&agent=refunder&tenant=")
    _, another = await ask()
    page = await _page(browser, f"/requests/{another['key']}")
    assert re.search(r"approve by ada, \d+ s ago: ok", page)


async def test_the_form_of_an_edit_is_the_tools_schema(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """Its fields have the values of the action; what is sent is validated, and shown when wrong."""
    handle, request = await ask(order="o-page-edit", amount=300)
    await _sign_in(inbox, browser)
    address = f"/requests/{request['key']}"
    page = await _page(browser, address)
    assert re.search(r'type="number" name="arg.payment.amount" value="300" step="1"', page)
    assert 'max="500"' in page
    fields = {**Form(page, "decision").fields, "verb": "edit"}
    nothing = await browser.post(address, data=fields)
    assert (nothing.status_code, "changes nothing" in nothing.text) == (409, True)
    typed = {**fields, "arg.payment.amount": "9999", "comment": "as agreed"}
    wrong = await browser.post(address, data=typed)
    assert (wrong.status_code, "BAD_ARGUMENTS" in wrong.text) == (409, True)
    kept = Form(wrong.text, "decision").fields
    assert (kept["arg.payment.amount"], kept["comment"]) == ("9999", "as agreed")
    right = await browser.post(address, data={**fields, "arg.payment.amount": "12"})
    assert right.status_code == 303
    await env.result(handle)
    assert PAID["o-page-edit"] == [12]


async def test_several_are_decided_at_once(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """The digest of each goes along; one that does not count is named, and the others count."""
    (one, first), (two, second) = await ask(order="o-two-1"), await ask(order="o-two-2")
    await _sign_in(inbox, browser)
    token = Form(await _page(browser, "/"), "batch").fields["form_token"]
    chosen = [f"{first['key']} {first['digest']}", f"{second['key']} {first['digest']}"]
    data = {"form_token": token, "verb": "approve", "chosen": chosen}
    answer = await browser.post("/decisions", data=data)
    assert answer.status_code == 409
    assert "1 counted, 1 did not" in answer.text
    assert "DIGEST_MISMATCH" in answer.text
    assert (
        f'href="/requests/{second["key"]}">refund</a> of <a href="/runs/{two.id}">' in answer.text
    )
    await env.result(one)
    assert len(await env.open_requests(two)) == 1
    assert (PAID["o-two-1"], PAID["o-two-2"]) == ([40], [])


async def test_a_question_is_read_by_its_parts(inbox: Inbox, ask: Ask, browser: httpx.AsyncClient):
    """Whoever answers reads text, and no JSON."""
    _, request = await ask("asker", text="Is it\nin stock?")
    await _sign_in(inbox, browser)
    page = await _page(browser, f"/requests/{request['key']}")
    assert "<dt>question</dt><dd><pre>Is it\nin stock?</pre></dd>" in page


async def test_whoever_may_see_nothing_can_sign_out(inbox: Inbox, browser: httpx.AsyncClient):
    """The page says why it is empty, and lets somebody else sign in."""
    await _sign_in(inbox, browser, "nobody")
    refused = await browser.get("/")
    assert (refused.status_code, "Not for you" in refused.text) == (403, True)
    token = re.search(r'name="form_token" value="(\w+)"', refused.text)
    assert token is not None
    left = await browser.post("/logout", data={"form_token": token[1]})
    assert (left.status_code, left.headers["Location"]) == (303, "/login")
    assert (await browser.get("/")).headers["Location"].startswith("/login")
    assert "/logout" not in (await browser.get("/nowhere")).text


async def test_what_a_model_wrote_is_text_on_a_page(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """Markup is escaped, and characters that are not seen are spelled out."""
    evil = "<script>alert(1)</script>\u202eevil\u200b\x1b[2J"
    _, request = await ask(order=evil, text='"><img src=x onerror=alert(1)>')
    await _sign_in(inbox, browser)
    for address in ("/", f"/requests/{request['key']}", f"/runs/{request['workflow_id']}"):
        page = await _page(browser, address)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        shown = re.sub(r'\bvalue="[^"]*"', "", page)  # a field has the value as it is
        assert not set("\u202e\u200b\x1b") & set(shown)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202eevil\\u200b" in page


async def test_no_page_has_a_script_or_a_style_of_its_own(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """What the content security policy forbids is nowhere."""
    _, request = await ask()
    await _sign_in(inbox, browser)
    addresses = (
        "/",
        "/runs",
        f"/requests/{request['key']}",
        f"/runs/{request['workflow_id']}",
        "/no",
    )
    for address in addresses:
        page = (await browser.get(address)).text
        assert re.findall(r"<script(?![^>]*\bsrc=\"/static/)", page) == []
        assert (
            re.findall(r"<style|\sstyle=|\son\w+=|javascript:|https?://(?!www.w3.org)", page) == []
        )
    for name in ("inbox.css", "inbox.js", "icon.svg"):
        assert (await browser.get(f"/static/{name}")).status_code == 200


@pytest.mark.parametrize("path", ["/requests/{key}", "/runs/{run}"])
async def test_another_tenants_pages_are_not_there(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient, path: str
):
    """Ben of the south finds nothing of the north, in the queue, in the list and by address."""
    _, request = await ask(tenant="north", order="o-north-only")
    await _sign_in(inbox, browser, "ben")
    address = path.format(key=request["key"], run=request["workflow_id"])
    answer = await browser.get(address)
    assert answer.status_code == 404
    assert "o-north-only" not in answer.text
    for listing in ("/", "/runs", "/?tenant=north", "/runs?tenant=north"):
        page = await _page(browser, listing)
        assert request["workflow_id"] not in page
        assert "o-north-only" not in page
        assert '<option value="north"' not in page


async def test_what_no_page_sends_is_refused_and_nothing_fails(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """Brackets without end, half of a character as a form token, and a caller that wants the stream."""
    handle, request = await ask()
    await _sign_in(inbox, browser)
    address = f"/requests/{request['key']}"
    fields = Form(await _page(browser, address), "decision").fields
    for verb, name in (("happened", "result"), ("edit", "arg.payment.amount")):
        deep = await browser.post(address, data={**fields, "verb": verb, name: "[" * 5000})
        assert (deep.status_code, "BAD_INPUT" in deep.text) == (409, True)
    half = b'--b\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n\\ud800\r\n--b--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b; charset=unicode_escape"}
    assert (await browser.post("/logout", content=half, headers=kind)).status_code == 403
    await _sign_in(inbox, browser, "cal")
    assert (await browser.get("/events")).status_code == 403
    await _sign_in(inbox, browser, "ben")
    (token,) = set(re.findall(r'name="form_token" value="(\w+)"', await _page(browser, "/runs")))
    for path in (f"{address}/reveal", f"/runs/{handle.id}/reveal"):
        assert (await browser.post(path, data={"form_token": token})).status_code == 404
