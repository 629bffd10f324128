"""Channels as the settings name them: what is missing or wrong is refused before anything runs."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from interlock.errors import ConfigError
from interlock.inbox import pages
from interlock.inbox.requests import named
from interlock.notifying.links import request_key, request_link
from interlock.notifying.opening import inbox_origin, open_notifier, routes_of
from interlock.notifying.posting import kept_out_of_logs, post
from interlock.settings import InboxSettings, Settings
from tests.notices import SECRET
from tests.receivers import fake_receiver

WEBHOOK = {
    "channel": "webhook",
    "name": "ops",
    "url": "https://ops.example/h",
    "secret_env": "HOOK",
}
SLACK = {"channel": "slack", "name": "desk", "url_env": "SLACK"}
EMAIL = {
    "channel": "email",
    "name": "office",
    "host": "mail.example",
    "username": "interlock",
    "password_env": "MAIL",
    "sender": "interlock@shop.example",
    "to": ["ann@shop.example", "ben@shop.example"],
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", f"whsec_{SECRET}\n")
    monkeypatch.setenv("SLACK", "https://hooks.example/services/very-secret")
    monkeypatch.setenv("MAIL", "correct horse")


async def opened(*channels: dict[str, Any]) -> list[str]:
    """Names of the channels that some settings open."""
    settings = Settings.model_validate({"notify": channels})
    async with open_notifier(settings), httpx.AsyncClient() as client:
        return [r.channel.name for given in settings.notify for r in routes_of(given, client)]


async def test_each_address_of_an_e_mail_is_told_for_itself() -> None:
    """One that is refused keeps no other from being told, and nobody sees who else is."""
    assert await opened(WEBHOOK, SLACK, EMAIL) == ["ops", "desk", "office 1", "office 2"]


@pytest.mark.parametrize(
    ("given", "variable"), [(WEBHOOK, "HOOK"), (SLACK, "SLACK"), (EMAIL, "MAIL")]
)
async def test_a_missing_secret_is_named(
    given: dict[str, Any], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does not start without it: the message has the channel and the variable."""
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigError, match=f"notify '{given['name']}': .* '{variable}' is empty"):
        await opened(given)


@pytest.mark.parametrize(
    "url", ["http://ops.example/h", "ops.example", "", "ftp://ops.example", "https://[", "https://"]
)
async def test_an_address_that_keeps_nothing_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only https, or http on this machine; a secret address is not repeated."""
    with pytest.raises(ConfigError, match="'ops': 'url' has to begin with https://"):
        await opened({**WEBHOOK, "url": url})
    monkeypatch.setenv("SLACK", "http://hooks.example/very-secret")
    with pytest.raises(ConfigError, match="'desk': the address in SLACK has to") as caught:
        await opened(SLACK)
    assert "very-secret" not in caught.value.message
    assert await opened({**WEBHOOK, "url": "http://localhost:1/h"}) == ["ops"]


async def test_two_channels_of_one_name_are_refused() -> None:
    """A name says which one was not told."""
    with pytest.raises(ConfigError, match="two channels of the name 'ops'"):
        await opened(WEBHOOK, {**SLACK, "name": "ops"})


async def test_a_secret_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """That a request was made is seen in the log of httpx, and not where it went."""
    caplog.set_level(logging.DEBUG)
    before = list(logging.getLogger("httpx").filters)
    with fake_receiver() as receiver:
        secret, plain = f"{receiver.url}/services/very-secret", f"{receiver.url}/plain"
        async with httpx.AsyncClient() as client:
            with kept_out_of_logs([secret]):
                await post(client, "desk", secret, b"{}")
                await post(client, "ops", plain, b"{}")
        assert [item.path for item in receiver.taken()] == ["/services/very-secret", "/plain"]
        assert f"POST {receiver.url}/*** " in caplog.text
        assert f"POST {plain} " in caplog.text
    assert "very-secret" not in caplog.text
    assert logging.getLogger("httpx").filters == before


@pytest.mark.parametrize(
    ("inbox", "origin"),
    [
        ({}, "http://127.0.0.1:8321"),
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
        ({"port": 0}, ""),
        ({"port": 0, "public_url": "https://inbox.example/"}, "https://inbox.example"),
    ],
)
def test_messages_lead_to_the_inbox(inbox: dict[str, Any], origin: str) -> None:
    """Under its public address, or where it listens; without a link where nobody knows the port."""
    found = inbox_origin(InboxSettings.model_validate(inbox))
    assert found == origin
    link = request_link(found, "run/1", "c1:9be2")
    assert link == (f"{origin}/requests/{request_key('run/1', 'c1:9be2')}" if origin else "")


def test_a_link_is_the_inboxs_own_page_of_the_request() -> None:
    """It has that address, and knows the request by the word that the message has."""
    word = request_key("run/1", "c1:9be2")
    page = pages.router.url_path_for("one", key=word)
    assert (
        request_link("https://inbox.example", "run/1", "c1:9be2") == f"https://inbox.example{page}"
    )
    assert named(word) == ("run/1", "c1:9be2")


def test_the_word_for_a_request_fits_into_an_address() -> None:
    """Whatever its ids are: no slash, no padding."""
    word = request_key("run/ü?#", "c1:9be2")
    assert word.replace("-", "").replace("_", "").isalnum()
