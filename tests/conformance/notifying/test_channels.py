"""Every channel carries the same message, says when it did not, and keeps its secrets."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from interlock.errors import NotTold
from interlock.notifying import Channel
from interlock.notifying.mail import Email, Login, Server
from interlock.notifying.slack import Slack
from interlock.notifying.webhook import SigningSecret, Webhook
from tests.notices import LINK, SECRET, message
from tests.receivers import (
    HOST,
    PASSWORD,
    USERNAME,
    FakeMailServer,
    FakeReceiver,
    fake_mail_server,
    fake_receiver,
    free_port,
)

Kind = Literal["webhook", "slack", "email"]

SLACK_PATH = "/services/T000/B000/very-secret"


@dataclass
class Party:
    """A channel, and the fake third party at its other end."""

    channel: Channel
    texts: Callable[[], list[str]]
    """What people see of each message that was taken."""
    ids: Callable[[], list[str]]
    """By what the third party knows each of them again."""
    say_no: Callable[[], None]
    """The next message is not taken."""


@asynccontextmanager
async def posting(kind: Kind, receiver: FakeReceiver) -> AsyncIterator[Party]:
    """A channel that posts to a web service."""
    async with httpx.AsyncClient() as client:
        yield Party(
            channel=posted_to(kind, receiver.url, client),
            texts=lambda: [_seen(item.body) for item in receiver.taken()],
            ids=lambda: [item.headers.get("webhook-id", "") for item in receiver.taken()],
            say_no=lambda: receiver.answer("/hook" if kind == "webhook" else SLACK_PATH, 503),
        )


def posted_to(kind: Kind, url: str, client: httpx.AsyncClient) -> Channel:
    """A channel that posts to an address."""
    if kind == "webhook":
        secret = SigningSecret(SecretStr(f"whsec_{SECRET}"))
        return Webhook("ops", f"{url}/hook", secret, client)
    return Slack("ops", SecretStr(url + SLACK_PATH), client)


def _seen(body: bytes) -> str:
    """Every text in a JSON body, one in each line."""
    texts: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)
        else:
            texts.append(str(value))

    look(json.loads(body))
    return "\n".join(texts)


def mailing(server: FakeMailServer) -> Party:
    """A channel that mails."""
    return Party(
        channel=mailed_to(server.port, server),
        texts=lambda: [f"{item['Subject']}\n{item.get_content()}" for item in server.mail],
        ids=lambda: [str(item["Message-ID"]) for item in server.mail],
        say_no=lambda: server.replies.append("451 come back later"),
    )


def mailed_to(port: int, server: FakeMailServer, password: str = PASSWORD) -> Email:
    """A channel that mails over a port."""
    return Email(
        "ops",
        Server(HOST, port, "starttls", Login(USERNAME, SecretStr(password))),
        sender="interlock@shop.example",
        to="olga@shop.example",
        tls=server.trusted,
    )


@pytest_asyncio.fixture(params=get_args(Kind))
async def party(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Party]:
    """Each of the channels."""
    async with AsyncExitStack() as stack:
        if request.param == "email":
            yield mailing(await stack.enter_async_context(fake_mail_server(tmp_path)))
        else:
            receiver = stack.enter_context(fake_receiver())
            yield await stack.enter_async_context(posting(request.param, receiver))


@pytest_asyncio.fixture(params=get_args(Kind))
async def nobody(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Channel]:
    """Each of the channels, where nobody listens."""
    async with httpx.AsyncClient() as client, fake_mail_server(tmp_path) as server:
        if request.param == "email":
            yield mailed_to(free_port(), server)
        else:
            yield posted_to(request.param, f"http://{HOST}:{free_port()}", client)


@pytest.mark.parametrize("kind", ["requested", "reminder", "escalation"])
async def test_people_read_what_waits_for_whom(party: Party, kind: str) -> None:
    """The tool, the risk, who is asked until when, and where to look."""
    await party.channel.send(message(kind=kind), "msg_1")
    (text,) = party.texts()
    words = ["pay", "high", "shopper", "north", "desk", "support", "user:olga", "c1:9be2", "2"]
    assert [word for word in words if word not in text] == []
    assert f"{message().notice.tier.until:%Y-%m-%d}" in text


async def test_the_only_link_leads_to_the_page_of_the_request(party: Party) -> None:
    """Nothing is decided by following a link."""
    await party.channel.send(message(), "msg_1")
    (text,) = party.texts()
    assert re.findall(r"https?://[^\s\"<>|]+", text) == [LINK]
    assert "/requests/" in LINK


async def test_arguments_are_shown_where_they_may_be(party: Party) -> None:
    """Only those messages that have them."""
    await party.channel.send(message(), "msg_1")
    await party.channel.send(message(arguments={"iban": "DE02 1203"}), "msg_2")
    without, with_them = party.texts()
    assert "DE02 1203" not in without
    assert "DE02 1203" in with_them


async def test_words_of_others_stay_words(party: Party) -> None:
    """A tenant's name makes no line, no header, no mention and no link of its own."""
    name = "north\r\nBcc: all@shop.example <!channel> <https://evil.example|here>"
    await party.channel.send(message(tenant=name, subject="pay\r\nBcc: x@y.z"), "msg_1")
    (text,) = party.texts()
    if isinstance(party.channel, Slack):
        assert "<!channel>" not in text
        assert "&lt;!channel&gt;" in text
    if isinstance(party.channel, Email):
        assert "\nBcc:" not in text
        assert "To decide: pay Bcc: x@y.z (high risk)" in text


async def test_the_same_sending_has_the_same_id(party: Party) -> None:
    """Whoever got it knows it again; Slack has no such id."""
    for key in ("msg_1", "msg_1", "msg_2"):
        await party.channel.send(message(), key)
    first, again, other = party.ids()
    if isinstance(party.channel, Slack):
        assert first == ""
        return
    assert first == again != other
    assert "msg_1" in first


async def test_a_no_is_no_message(party: Party) -> None:
    """It is an error that names the channel and can be tried again; then it is taken."""
    party.say_no()
    with pytest.raises(NotTold, match=r"'ops'.*(503|451)") as caught:
        await party.channel.send(message(), "msg_1")
    assert caught.value.retryable
    assert_no_secret(caught.value)
    assert party.texts() == []
    await party.channel.send(message(), "msg_1")
    assert len(party.texts()) == 1


async def test_whom_nobody_reaches_was_not_told(nobody: Channel) -> None:
    """The error names the channel, and neither an address that is secret nor a password."""
    with pytest.raises(NotTold, match="'ops'") as caught:
        await nobody.send(message(), "msg_1")
    assert_no_secret(caught.value)


def assert_no_secret(error: NotTold) -> None:
    """Failures are in the history of the run, with their causes."""
    assert error.__cause__ is None
    for secret in (SECRET, SLACK_PATH, "very-secret", PASSWORD):
        assert secret not in error.message


async def test_a_wrong_password_is_not_repeated(tmp_path: Path) -> None:
    """The server says no to whoever logs in, and nothing is sent."""
    async with fake_mail_server(tmp_path) as server:
        with pytest.raises(NotTold, match="SMTPAuthenticationError 535") as caught:
            await mailed_to(server.port, server, "wrong battery").send(message(), "msg_1")
        assert "wrong battery" not in caught.value.message
        assert server.mail == []


async def test_mail_is_never_sent_in_the_clear_where_tls_is_asked_for(tmp_path: Path) -> None:
    """A server without STARTTLS gets neither the password nor the message."""
    async with fake_mail_server(tmp_path, tls=False) as server:
        with pytest.raises(NotTold, match="SMTPNotSupportedError"):
            await mailed_to(server.port, server).send(message(), "msg_1")
        assert server.mail == []


async def test_a_server_that_nobody_trusts_gets_nothing(tmp_path: Path) -> None:
    """A certificate that this machine does not know ends it before the login."""
    (tmp_path / "other").mkdir()
    async with (
        fake_mail_server(tmp_path) as server,
        fake_mail_server(tmp_path / "other") as other,
    ):
        with pytest.raises(NotTold, match="SSLCertVerificationError"):
            await mailed_to(server.port, other).send(message(), "msg_1")
        assert server.mail == []
