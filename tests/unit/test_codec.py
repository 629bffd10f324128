"""Values cross a boundary unchanged, types and all."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from interlock.codec import decode, encode
from interlock.errors import NotSerializable
from interlock.models.messages import from_json, to_json


class Colour(StrEnum):
    RED = "red"


class Line(BaseModel):
    sku: str
    price: Decimal
    colour: Colour = Colour.RED


@dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rich_values = st.recursive(
    json_values
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.just(Colour.RED)
    | st.builds(Line, sku=st.text(), price=st.decimals(allow_nan=False, allow_infinity=False)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
blocks = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, st.text())
    | st.builds(lambda url: {"type": "image", "url": url, "extras": {"a": [1]}}, st.text()),
    min_size=1,
    max_size=3,
)
content = st.text() | blocks
ids = st.none() | st.text(min_size=1, max_size=8)
extra = st.dictionaries(st.text(max_size=5), json_values, max_size=2)
tool_calls = st.lists(
    st.builds(
        lambda name, args, call_id: {
            "name": name,
            "args": args,
            "id": call_id,
            "type": "tool_call",
        },
        st.text(min_size=1),
        st.dictionaries(st.text(), json_values, max_size=2),
        ids,
    ),
    max_size=2,
)
invalid_calls = st.lists(
    st.builds(
        lambda args: {
            "name": "x",
            "args": args,
            "id": "1",
            "error": "bad JSON",
            "type": "invalid_tool_call",
        },
        st.text(),
    ),
    max_size=2,
)
usage = st.none() | st.builds(
    lambda i, o: {
        "input_tokens": i,
        "output_tokens": o,
        "total_tokens": i + o,
        "input_token_details": {"cache_read": i},
    },
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
messages: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, content=content, id=ids, name=ids, additional_kwargs=extra),
    st.builds(SystemMessage, content=content, id=ids),
    st.builds(
        AIMessage,
        content=content,
        id=ids,
        tool_calls=tool_calls,
        invalid_tool_calls=invalid_calls,
        usage_metadata=usage,
        response_metadata=extra,
    ),
    st.builds(AIMessageChunk, content=content, id=ids, usage_metadata=usage),
    st.builds(
        ToolMessage,
        content=content,
        tool_call_id=st.text(),
        artifact=rich_values,
        status=st.sampled_from(["success", "error"]),
    ),
    st.text(min_size=1).map(lambda key: RemoveMessage(id=key)),
)


def through_json(value: object) -> object:
    """Encode, write, read and decode."""
    return decode(json.loads(json.dumps(encode(value))))


@given(messages)
def test_every_message_round_trips_unchanged(message: BaseMessage) -> None:
    """Class, fields, tool calls, blocks, usage and artifact are what they were."""
    back = through_json(message)
    assert type(back) is type(message)
    assert back == message
    assert from_json(to_json(message)) == message


@given(rich_values)
def test_every_value_round_trips_unchanged(value: object) -> None:
    """State values keep their Python types."""
    back = through_json(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        Send("node", {"message": HumanMessage("hi", id="1")}),
        Command(goto=[Send("a", 1), "b"], update={"messages": [AIMessage("x", id="2")]}),
        Command(resume={"id": [Decimal("1.50")]}),
        Interrupt(value={"q": 1}, id="abc"),
        Point(1, (2, 3)),
        {"$message": "not ours", 3: "three"},
        {frozenset({1, 2}): {3}},
        [date(2026, 1, 2), time(3, 4), timedelta(days=-1), datetime(2026, 1, 1, tzinfo=UTC)],
        UUID(int=7),
        [float("inf"), b"\x00\xff"],
    ],
    ids=str,
)
def test_graph_values_round_trip(value: object) -> None:
    """LangGraph's control values, dataclasses and odd dictionaries survive."""
    back = through_json(value)
    assert repr(back) == repr(value)
    if not isinstance(value, Send):
        assert back == value


def test_not_a_number_round_trips() -> None:
    """NaN is not JSON, and still comes back."""
    assert through_json(float("nan")) != through_json(float("nan"))


def test_unknown_type_is_refused_by_name() -> None:
    """The error names the type and what may be used."""
    with pytest.raises(NotSerializable, match="generator cannot cross a boundary"):
        encode(item for item in [1])


def test_decoding_imports_nothing() -> None:
    """A class of a module that is not imported is refused, not imported."""
    with pytest.raises(NotSerializable, match="'antigravity:Thing' is not imported"):
        decode({"$model": "antigravity:Thing", "data": {}})


def test_every_message_class_is_known_from_the_start() -> None:
    """LangChain loads its classes lazily; the codec knows all of them in a fresh process."""
    code = "from interlock.codec import MESSAGE_TYPES as m; print(*sorted(m))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert set(printed.stdout.split()) >= {
        "AIMessage",
        "AIMessageChunk",
        "ChatMessage",
        "HumanMessage",
        "RemoveMessage",
        "SystemMessage",
        "ToolMessage",
    }


def test_unknown_tag_is_refused() -> None:
    """A tag that the codec does not know is named with the known ones."""
    with pytest.raises(NotSerializable, match=r"'\$zip' is not a tag"):
        decode({"$zip": 1})
