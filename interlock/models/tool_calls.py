"""The tool calls of an answer: ids that tell them apart, and what is said of unreadable ones. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from langchain_core.messages import ToolMessage

from interlock.canonical import digest
from interlock.models.messages import to_json

Message = dict[str, Any]
"""A message in the form of `interlock.models.messages`."""

_PLACES = ("tool_calls", "invalid_tool_calls")


def made_id(answer: str, index: int) -> str:
    """Return a tool call id that no other call has.

    Args:
        answer: What tells the answer from all others, such as its message id.
        index: Place of the call in the answer, the readable ones first.
    """
    return f"call_{digest([answer, index])[:24]}"


def ids_in(message: Message) -> list[str]:
    """Return the ids of an answer's tool calls, of the readable ones first."""
    data = message.get("data", {})
    return [call["id"] for place in _PLACES for call in data.get(place, [])]


def with_own_ids(message: Message, taken: Collection[str]) -> Message:
    """Return an answer in which no tool call has an id that another call has already.

    Some servers count their ids anew in each answer. An id that is free stays as it is; new ones
    are made from the id of the message.

    Args:
        message: The answer.
        taken: Ids of earlier calls.
    """
    data, given = message.get("data", {}), ids_in(message)
    own = [
        made_id(data["id"], index) if call_id in taken or call_id in given[:index] else call_id
        for index, call_id in enumerate(given)
    ]
    return message if own == given else {**message, "data": _with_ids(data, given, own)}


def _with_ids(found: dict[str, Any], given: list[str], own: list[str]) -> dict[str, Any]:
    data = dict(found)
    left = iter(own)
    for place in _PLACES:
        if place in data:
            data[place] = [{**call, "id": next(left)} for call in data[place]]
    names = _by_given(given, own)
    # Providers' libraries repeat the calls, with their ids, in one of these.
    if isinstance(data.get("content"), list):
        data["content"] = _renamed(data["content"], names)
    more = data.get("additional_kwargs", {})
    if more.get("tool_calls"):
        data["additional_kwargs"] = {**more, "tool_calls": _renamed(more["tool_calls"], names)}
    return data


def mistakes(message: Message) -> list[str]:
    """Return what is wrong with each call of an answer that cannot be read."""
    return [_mistake(call) for call in message.get("data", {}).get("invalid_tool_calls", [])]


def corrections(message: Message) -> list[Message]:
    """Return what a model is told of an answer with unreadable calls: an error for each call.

    The readable calls are not made either, and it is told so: providers want a result of every
    call, and what it meant to do at once it may decide on anew.
    """
    data = message.get("data", {})
    broken = data.get("invalid_tool_calls", [])
    if not broken:
        return []
    readable = data.get("tool_calls", [])
    told = [*((call, _not_made(call)) for call in readable), *((c, _mistake(c)) for c in broken)]
    return [_error(call, text) for call, text in told]


def _mistake(call: dict[str, Any]) -> str:
    why = "its arguments are no JSON object"
    try:
        json.loads(call.get("args") or "")
    except ValueError as error:
        why = f"its arguments are no JSON: {error}"
    return f"{_name(call)} was not called: {why}. Call it again with one JSON object of arguments."


def _not_made(call: dict[str, Any]) -> str:
    return (
        f"{_name(call)} was not called: another call of the same answer was no JSON. Call it again "
        "if it is still wanted."
    )


def _name(call: dict[str, Any]) -> str:
    return repr(call["name"]) if call.get("name") else "a tool without a name"


def _error(call: dict[str, Any], text: str) -> Message:
    return to_json(
        ToolMessage(
            content=text,
            name=call.get("name"),
            tool_call_id=call["id"],
            status="error",
            id=f"{call['id']}:result",
        )
    )


def _by_given(given: list[str], own: list[str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for before, after in zip(given, own, strict=True):
        names.setdefault(before, []).append(after)
    return names


def _renamed(items: list[Any], names: dict[str, list[str]]) -> list[Any]:
    """Rename the calls in a list, where those of one id come in the order of the answer's calls."""
    left = {before: list(after) for before, after in names.items()}
    return [_with_id(item, left) if isinstance(item, dict) else item for item in items]


def _with_id(item: dict[str, Any], left: dict[str, list[str]]) -> dict[str, Any]:
    for key in ("call_id", "id"):
        if left.get(str(item.get(key))):
            return {**item, key: left[item[key]].pop(0)}
    return item
