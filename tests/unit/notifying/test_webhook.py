"""Signatures of webhooks, as a receiver verifies them with the library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from interlock.errors import ConfigError
from interlock.notifying.webhook import SigningSecret, Webhook
from tests.notices import SECRET, message
from tests.receivers import Posted, fake_receiver


def _same(at: datetime) -> datetime:
    return at


async def sent(*attempts: datetime) -> list[Posted]:
    """One message, sent at some times under one key."""
    secret, told = SigningSecret(SecretStr(SECRET)), message()
    with fake_receiver() as receiver:
        async with httpx.AsyncClient() as client:
            for at in attempts:
                hook = Webhook(
                    "ops", f"{receiver.url}/hook", secret, client, clock=partial(_same, at)
                )
                await hook.send(told, "msg_1")
        return receiver.taken("/hook")


async def test_a_receiver_verifies_what_was_sent() -> None:
    """With the secret, and the library that receivers use."""
    (posted,) = await sent(datetime.now(UTC))
    data = Receiver(f"whsec_{SECRET}").verify(posted.body, posted.headers)
    assert data["type"] == "approval.requested"
    assert data["data"]["request_id"] == "c1:9be2"
    assert data["data"]["missing"] == 2
    assert "arguments" not in data["data"]
    assert posted.headers["content-type"] == "application/json"


async def test_what_was_changed_on_its_way_is_refused() -> None:
    """Another body, another id, another time, another secret."""
    (posted,) = await sent(datetime.now(UTC))
    receiver, headers = Receiver(SECRET), posted.headers
    changed = posted.body.replace(b"high", b"low")
    assert changed != posted.body
    stamp = str(int(headers["webhook-timestamp"]) + 1)
    other = base64.b64encode(b"another secret of thirty-two byt").decode()
    for verifier, body, given in (
        (receiver, changed, headers),
        (receiver, posted.body, {**headers, "webhook-id": "msg_2"}),
        (receiver, posted.body, {**headers, "webhook-timestamp": stamp}),
        (Receiver(other), posted.body, headers),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, given)


async def test_an_old_message_cannot_be_sent_again() -> None:
    """Receivers refuse a time that is over for minutes."""
    (posted,) = await sent(datetime.now(UTC) - timedelta(minutes=10))
    with pytest.raises(WebhookVerificationError):
        Receiver(SECRET).verify(posted.body, posted.headers)


async def test_attempts_differ_in_their_time_only() -> None:
    """The id and the body are the same, and each is signed anew."""
    now = datetime.now(UTC)
    first, second = await sent(now, now + timedelta(seconds=2))
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert json.loads(first.body)["data"]["link"].startswith("https://inbox.example/requests/")


@pytest.mark.parametrize(
    "text", ["", "whsec_", "no base64 at all!!", base64.b64encode(b"short").decode()]
)
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    """Too short to be one, or no Base64; the message does not repeat it."""
    with pytest.raises(ConfigError, match="24 bytes or more") as caught:
        SigningSecret(SecretStr(text))
    assert not text or text not in caught.value.message
