"""Signed webhooks, in the way of Standard Webhooks (standardwebhooks.com).

The secret signs id, time and body with HMAC-SHA256. The id is the same in every attempt, so that a
receiver takes a message once; the time is that of the attempt, so that an old one cannot be sent again.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from interlock.errors import ConfigError
from interlock.notifying.contract import Message
from interlock.notifying.posting import post

_PREFIX = "whsec_"
_SHORTEST = 24
"""Bytes of a secret."""


def _now() -> datetime:
    return datetime.now(UTC)


class SigningSecret:
    """The secret that a sender and a receiver share.

    Args:
        text: Base64, with or without `whsec_` before it.

    Raises:
        ConfigError: it is no such text, or too short; the message does not repeat it.
    """

    def __init__(self, text: SecretStr) -> None:
        encoded = text.get_secret_value().strip().removeprefix(_PREFIX)
        try:
            self._key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            self._key = b""
        if len(self._key) < _SHORTEST:
            raise ConfigError(
                f"the secret of a webhook has to be {_SHORTEST} bytes or more in Base64. "
                "`openssl rand -base64 32` makes one."
            )

    def headers(self, key: str, body: bytes, at: datetime) -> dict[str, str]:
        """Return the headers that prove a body."""
        stamp = str(int(at.timestamp()))
        signed = f"{key}.{stamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        return {
            "webhook-id": key,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }


class Webhook:
    """Posts each message as JSON.

    Args:
        name: Its name.
        url: Where it is sent.
        secret: What it is signed with.
        client: A client that follows no redirects.
        clock: The time now, with its zone.
    """

    def __init__(
        self,
        name: str,
        url: str,
        secret: SigningSecret,
        client: httpx.AsyncClient,
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.name = name
        self._url = url
        self._secret = secret
        self._client = client
        self._clock = clock

    async def send(self, message: Message, key: str) -> None:
        """Carry one message: see `Channel`."""
        body = _body(message)
        headers = self._secret.headers(key, body, self._clock())
        await post(self._client, self.name, self._url, body, headers)


def _body(message: Message) -> bytes:
    """Return the JSON: the same in every attempt."""
    notice = message.notice.model_dump(mode="json", exclude={"kind"})
    data = {**notice, "link": message.link}
    if message.arguments is not None:
        data["arguments"] = message.arguments
    return json.dumps({"type": f"approval.{message.notice.kind}", "data": data}).encode()
