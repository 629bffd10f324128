"""Browsers: links that sign in once, sessions in cookies, and forms of those sessions only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
from starlette.requests import Request

from interlock.inbox.app import application
from interlock.inbox.limits import Limits
from interlock.inbox.services import Inbox
from interlock.inbox.sessions import issue_key
from tests.integration.inbox.conftest import ORIGIN, PEOPLE, Ask

COOKIE = "__Host-interlock"


async def _sign_in(
    inbox: Inbox, browser: httpx.AsyncClient, subject: str = "ada"
) -> httpx.Response:
    token = await inbox.sessions.link(PEOPLE[subject])
    return await browser.post("/login/link", data={"token": token, "next": "/"})


async def _form_token(inbox: Inbox, browser: httpx.AsyncClient) -> str:
    request = browser.build_request("GET", "/")
    headers = [(b"cookie", request.headers["cookie"].encode())]
    return inbox.sessions.form_token(Request({"type": "http", "headers": headers}))


async def test_a_link_signs_in_once(inbox: Inbox, browser: httpx.AsyncClient):
    """Whatever merely fetches it uses nothing up; of two who send it, one is signed in."""
    token = await inbox.sessions.link(PEOPLE["ada"])
    for _ in range(3):
        shown = await browser.get("/login/link", params={"token": token})
        assert shown.status_code == 200
        assert token in shown.text
    nobody = await browser.get("/api/v1/me")
    assert (nobody.status_code, "Authorization: Bearer" in nobody.json()["detail"]) == (401, True)
    first = await browser.post("/login/link", data={"token": token})
    assert first.status_code == 303
    assert (await browser.get("/api/v1/me")).json()["subject"] == "ada"
    twice = await browser.post("/login/link", data={"token": token})  # an impatient hand
    assert (twice.status_code, twice.headers["Location"]) == (303, "/")
    browser.cookies.clear()
    second = await browser.post("/login/link", data={"token": token})
    assert second.status_code == 401
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_a_session_cookie_is_for_this_site_and_no_script(
    inbox: Inbox, browser: httpx.AsyncClient
):
    """Secure, HttpOnly, SameSite, without a domain, and it ends."""
    answer = await _sign_in(inbox, browser)
    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert int(cookie["max-age"]) == 8 * 3600


async def test_a_link_leads_nowhere_else(inbox: Inbox, browser: httpx.AsyncClient):
    """Where to go next is on the inbox, whatever the link says."""
    for address in ("https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"):
        token = await inbox.sessions.link(PEOPLE["ada"])
        answer = await browser.post("/login/link", data={"token": token, "next": address})
        assert answer.headers["Location"] == "/"


async def test_a_change_by_cookie_needs_the_sessions_form_token(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """Another site's form has the cookie and not the token; another session's token does not fit."""
    _, request = await ask()
    path = f"/api/v1/requests/{request['key']}/decision"
    choice = {"verb": "reject", "digest": request["digest"]}
    await _sign_in(inbox, browser)
    token = await _form_token(inbox, browser)
    refused = [
        await browser.post(path, json=choice),
        await browser.post(path, json=choice, headers={"X-Form-Token": "0" * 64}),
        await browser.post(
            path, json=choice, headers={"X-Form-Token": token, "Sec-Fetch-Site": "cross-site"}
        ),
        await browser.post(
            path, json=choice, headers={"X-Form-Token": token, "Origin": "https://evil.test"}
        ),
        await browser.post("/logout", data={"form_token": "0" * 64}),
        await browser.post(
            "/login/link", data={"token": "x"}, headers={"Origin": "https://evil.test"}
        ),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert (await browser.get("/api/v1/me")).status_code == 200
    done = await browser.post(path, json=choice, headers={"X-Form-Token": token, "Origin": ORIGIN})
    assert done.status_code == 200


async def test_signing_out_ends_the_session_on_both_sides(inbox: Inbox, browser: httpx.AsyncClient):
    """A cookie that was copied before is worth nothing after."""
    await _sign_in(inbox, browser)
    copied = dict(browser.cookies)
    token = await _form_token(inbox, browser)
    out = await browser.post("/logout", data={"form_token": token})
    assert (out.status_code, out.headers["Location"]) == (303, "/login")
    assert COOKIE not in browser.cookies
    again = await browser.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={copied[COOKIE]}"})
    assert again.status_code == 401


async def test_a_revoked_or_expired_key_opens_nothing(inbox: Inbox, browser: httpx.AsyncClient):
    """A key is told from its secret by kind, and ends when it is said to."""
    key = await issue_key(inbox.credentials, PEOPLE["ada"], timedelta(hours=1), "nightly")
    gone = await issue_key(inbox.credentials, PEOPLE["ada"], timedelta(0), "gone")

    async def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return (await browser.get("/api/v1/me", headers=headers)).status_code

    assert await status(key) == 200
    assert await status(gone) == 401
    (listed,) = [c for c in await inbox.credentials.list("api_key") if c.label == "nightly"]
    await inbox.credentials.revoke("api_key", listed.id)
    assert await status(key) == 401
    session = await inbox.credentials.issue("session", {"subject": "x"}, timedelta(hours=1))
    assert await status(f"ilk_{session}") == 401


async def test_who_asks_too_often_is_told_to_wait(inbox: Inbox):
    """Attempts to sign in are counted by address, requests by person; others are not kept out."""
    limited = replace(inbox, limits=Limits(requests=3, logins=2))
    transport = httpx.ASGITransport(application(limited))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        wrong = {"Authorization": "Bearer ilk_wrong"}
        answers = [(await client.get("/api/v1/me", headers=wrong)).status_code for _ in range(4)]
        assert answers == [401, 401, 429, 429]
        tried = await client.post("/login/link", data={"token": "x"})
        assert tried.status_code == 429
        assert tried.headers["X-Frame-Options"] == "DENY"
        for subject in ("ada", "ben"):
            key = await issue_key(inbox.credentials, PEOPLE[subject], timedelta(hours=1), subject)
            right = {"Authorization": f"Bearer {key}"}
            seen = [await client.get("/api/v1/me", headers=right) for _ in range(4)]
            assert [answer.status_code for answer in seen] == [200, 200, 200, 429]
            assert seen[-1].json()["code"] == "TOO_MANY_REQUESTS"
            assert seen[-1].headers["Retry-After"] == "60"
