"""Delegations on their page: given and ended by a form, by whoever may, and recorded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

import httpx
import pytest

from interlock.audit.contract import EventFilter
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import PEOPLE, Client

PAGE = "/delegations"
DAY = timedelta(days=1)


async def _sign_in(inbox: Inbox, browser: httpx.AsyncClient, subject: str) -> str:
    """Sign a person in, and return its page of delegations."""
    token = await inbox.sessions.link(PEOPLE[subject])
    await browser.post("/login/link", data={"token": token})
    return (await browser.get(PAGE)).text


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def _form(page: str, **fields: str) -> dict[str, str]:
    return {"form_token": _hidden(page, "form_token"), "sending": _hidden(page, "sending")} | fields


async def test_a_delegation_is_given_seen_and_ended(
    env: WorkerEnv, inbox: Inbox, browser: httpx.AsyncClient, client: Client
) -> None:
    """Until the end of the day that the form names; a form that is sent twice gives one."""
    page = await _sign_in(inbox, browser, "ada")
    assert "Nobody stands in" in page
    day = (datetime.now(UTC) + 2 * DAY).date()
    form = _form(page, taker="bea", until=day.isoformat())
    for _ in range(2):
        given = await browser.post(PAGE, data=form)
        assert (given.status_code, given.headers["location"]) == (303, "/delegations?said=given")
    (standing,) = (await (await client("bea")).get("/api/v1/delegations")).json()
    ends = datetime.combine(day, time(tzinfo=UTC)) + DAY
    assert (standing["giver"], standing["taker"]) == ("ada", "bea")
    assert datetime.fromisoformat(standing["until"]) == ends
    seen = (await browser.get(given.headers["location"])).text
    for shown in ("Given. It is recorded", standing["id"], "bea", f"{ends:%Y-%m-%d %H:%M} UTC"):
        assert shown in seen
    done = await browser.post(
        f"{PAGE}/{standing['id']}/end", data={"form_token": form["form_token"]}
    )
    assert done.headers["location"] == "/delegations?said=ended"
    assert "Nobody stands in" in (await browser.get(PAGE)).text
    events = await env.app.audit.events(EventFilter(kind="delegation"))
    mine = [event for event in events if event.name == standing["id"]]
    assert [(event.outcome, event.details["by"]) for event in mine] == [
        ("given", "ada"),
        ("ended", "ada"),
    ]


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"taker": "bee", "until": "TOMORROW"}, 422, "none of this deployment"),
        ({"taker": "ada", "until": "TOMORROW"}, 422, "name somebody else"),
        ({"taker": "bea", "until": "soon"}, 422, "is no day"),
        ({"taker": "bea", "until": "2001-01-01"}, 422, "not before now"),
        ({"taker": "bea", "until": "9999-12-31"}, 422, "is no day"),
        ({}, 422, "is no day"),
        ({"form_token": "other", "taker": "bea", "until": "TOMORROW"}, 403, "form"),
    ],
)
async def test_what_is_no_delegation_is_said_on_the_page(
    inbox: Inbox, browser: httpx.AsyncClient, fields: dict[str, str], status: int, said: str
) -> None:
    """With what was typed still in the form, and nothing given."""
    page = await _sign_in(inbox, browser, "ada")
    tomorrow = (datetime.now(UTC) + DAY).date().isoformat()
    sent = {name: tomorrow if text == "TOMORROW" else text for name, text in fields.items()}
    refused = await browser.post(PAGE, data=_form(page, **sent))
    assert refused.status_code == status
    assert said in refused.text
    if status == 422 and sent:
        assert _hidden(refused.text, "sending")
        assert f'value="{sent["taker"]}"' in refused.text
    assert await inbox.delegations.seen_by(PEOPLE["ada"]) == []


async def test_others_end_nothing_and_callers_give_nothing(
    inbox: Inbox, browser: httpx.AsyncClient
) -> None:
    """The page of whoever stands in has no button; one that is asked about nothing has no form."""
    await inbox.delegations.give(PEOPLE["ada"], "cal", datetime.now(UTC) + DAY)
    (given,) = await inbox.delegations.seen_by(PEOPLE["ada"])
    page = await _sign_in(inbox, browser, "cal")
    assert given.id in page
    assert "End now" not in page
    assert "Last day" not in page
    token = {"form_token": _hidden(page, "form_token")}
    refused = await browser.post(f"{PAGE}/{given.id}/end", data=token)
    assert (refused.status_code, "given no delegation" in refused.text) == (422, True)
    more = {"taker": "bea", "until": (datetime.now(UTC) + DAY).date().isoformat()}
    refused = await browser.post(PAGE, data=token | more)
    assert (refused.status_code, "nothing to hand over" in refused.text) == (403, True)
    await inbox.delegations.end(PEOPLE["ada"], given.id)


async def test_an_address_sends_it_once(client: Client) -> None:
    """The API gives one for one `Idempotency-Key`."""
    ada = await client("ada")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wanted = {"taker": "bea", "until": until}
    for _ in range(2):
        given = await ada.post(
            "/api/v1/delegations", json=wanted, headers={"Idempotency-Key": "leave"}
        )
        assert given.status_code == 200, given.text
    (standing,) = given.json()
    await ada.post("/api/v1/delegations/end", params={"delegation": standing["id"]})
