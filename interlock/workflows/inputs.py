"""Messages and inputs as callers write them, read with clear errors."""

from __future__ import annotations

import uuid
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from pydantic import ValidationError

from interlock.errors import BadInput, wrong_fields
from interlock.workflows.contract import RunRequest

_FORMS = 'text, or an object like {"role": "user", "content": "..."}'


def read_request(data: Any, *, goes_on: bool) -> RunRequest:
    """Return the request that started a run.

    Args:
        data: The request.
        goes_on: Whether a run before this one has written it. What is carried holds verdicts and
            decisions, so nobody else may give it.

    Raises:
        BadInput: it has another shape; the message names each wrong field.
    """
    try:
        request = RunRequest.model_validate(data)
    except ValidationError as error:
        raise BadInput(
            f"this is no run request: {wrong_fields(error, 'input')}. AgentWorkflow takes one object like "
            '{"agent": "support", "input": "My order arrived broken."}.'
        ) from error
    if request.carried and not goes_on:
        raise BadInput("'carried' is set by a run that continues as new only. Leave it out.")
    return request


def read_message(data: Any) -> BaseMessage:
    """Return a message with an id.

    Raises:
        BadInput: `data` is neither text nor a role/content object.
    """
    return read_messages([data])[0]


def read_messages(data: Any) -> list[BaseMessage]:
    """Return messages with ids, in order.

    Raises:
        BadInput: `data` is no list of texts and role/content objects.
    """
    if not isinstance(data, list):
        raise BadInput(f"'messages' is a {type(data).__name__}; it has to be a list of {_FORMS}.")
    if any(isinstance(item, str) and not item.strip() for item in data):
        raise BadInput(f"a message is empty. A message is {_FORMS}.")
    try:
        found = convert_to_messages(
            [HumanMessage(item) if isinstance(item, str) else item for item in data]
        )
    except (ValueError, TypeError, NotImplementedError, KeyError) as error:
        raise BadInput(f"{data!r} holds no message: {error}. A message is {_FORMS}.") from error
    for message in found:
        if message.id is None:
            message.id = str(uuid.uuid4())
    return found
