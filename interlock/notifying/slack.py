"""Incoming webhooks of Slack, and of what understands the same messages."""

from __future__ import annotations

import json
from typing import Any

import httpx
from pydantic import SecretStr

from interlock.notifying import words
from interlock.notifying.contract import Message
from interlock.notifying.posting import post

_TITLE = 150
_FIELD = 1900
_CODE = 2500
"""Characters that Slack takes, less what is put around them."""


class Slack:
    """Writes into one place of Slack.

    Args:
        name: Its name.
        url: The address of the incoming webhook: a secret.
        client: A client that follows no redirects.
    """

    def __init__(self, name: str, url: SecretStr, client: httpx.AsyncClient) -> None:
        self.name = name
        self._url = url
        self._client = client

    async def send(self, message: Message, key: str) -> None:
        """Carry one message: see `Channel`. Slack takes no key: an attempt that was lost may show."""
        body = json.dumps({"text": words.title(message), "blocks": _blocks(message)}).encode()
        await post(self._client, self.name, self._url.get_secret_value(), body)


def _blocks(message: Message) -> list[dict[str, Any]]:
    title = words.title(message)[:_TITLE]
    fields = [
        {"type": "mrkdwn", "text": f"*{label}*\n{_plain(value[:_FIELD])}"}
        for label, value in words.facts(message)
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "fields": fields},
    ]
    arguments = words.arguments(message, _CODE)
    if arguments:
        text = {"type": "mrkdwn", "text": f"```{_plain(arguments)[:_CODE]}```"}
        blocks.append({"type": "section", "text": text})
    if message.link:
        label = {"type": "plain_text", "text": "Open in the inbox"}
        button = {"type": "button", "text": label, "url": message.link}
        blocks.append({"type": "actions", "elements": [button]})
    return blocks


def _plain(text: str) -> str:
    """Return text in which Slack finds no links, mentions or marks of its own."""
    marked = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return marked.replace("`", "'")
