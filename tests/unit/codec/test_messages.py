"""LangChain's messages cross a boundary unchanged, in a short form."""

from __future__ import annotations

import subprocess
import sys

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

from interlock.codec import MESSAGE_TYPES, decode, encode
from interlock.errors import NotSerializable
from interlock.models.messages import from_json, to_json
from tests.unit.codec.kinds import anatomy, through_temporal
from tests.unit.codec.test_values import json_values, values

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
        artifact=values,
        status=st.sampled_from(["success", "error"]),
    ),
    st.text(min_size=1).map(lambda key: RemoveMessage(id=key)),
)


@given(messages)
def test_every_message_round_trips_unchanged(message: BaseMessage) -> None:
    """Class, fields, tool calls, blocks, usage and artifact are what they were."""
    for back in (through_temporal(message), from_json(to_json(message))):
        assert type(back) is type(message)
        assert anatomy(dict(back)) == anatomy(dict(message))


def test_defaults_are_not_written() -> None:
    """A message costs what it holds, and each gets lists of its own back."""
    written = encode([AIMessage("hi", id="1"), AIMessage("ho", id="2")])
    assert written[0] == {"$message": "AIMessage", "data": {"content": "hi", "id": "1"}}
    first, second = decode(written)
    assert (first.tool_calls, first.additional_kwargs) == ([], {})
    assert first.tool_calls is not second.tool_calls


def test_fields_that_a_class_does_not_declare_are_kept() -> None:
    """LangChain's messages take any field."""
    message = HumanMessage("hi", id="1", mood="good")
    assert through_temporal(message).mood == "good"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"$message": "Postcard", "data": {}}, "'Postcard' is no message class. Known: AIMessage"),
        ({"$message": "ToolMessage", "data": {"content": ""}}, "needs 'tool_call_id'"),
        ({"$message": "AIMessage"}, r"'\$message' holds what the codec does not write"),
    ],
)
def test_what_is_no_message_is_refused(data: object, says: str) -> None:
    """Data that `encode` does not make is an error and no half message."""
    with pytest.raises(NotSerializable, match=says):
        decode(data)


def test_every_message_class_is_known_from_the_start() -> None:
    """LangChain loads its classes lazily; the codec knows all of them in a fresh process."""
    code = "from interlock.codec import MESSAGE_TYPES as m; print(*sorted(m))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert set(printed.stdout.split()) == set(MESSAGE_TYPES)
    assert set(MESSAGE_TYPES) >= {
        "AIMessage",
        "AIMessageChunk",
        "ChatMessage",
        "HumanMessage",
        "RemoveMessage",
        "SystemMessage",
        "ToolMessage",
    }
