"""Messages as JSON objects: the form of transcripts, model calls and histories."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import BaseMessage

from interlock.codec import decode, encode
from interlock.errors import BadInput


def to_json(message: BaseMessage) -> dict[str, Any]:
    """Return `message` as a JSON object that `from_json` turns back unchanged."""
    data: dict[str, Any] = encode(message)
    return data


def from_json(data: dict[str, Any]) -> BaseMessage:
    """Return the message that `to_json` made `data` from.

    Raises:
        BadInput: `data` is no message in this form.
    """
    message = decode(data)
    if not isinstance(message, BaseMessage):
        raise BadInput(
            f"{type(message).__name__} is not a message. A message in JSON is "
            '{"$message": "HumanMessage", "data": {"content": "..."}}.'
        )
    return message
