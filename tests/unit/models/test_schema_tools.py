"""Schema tool calling: tools in words out, tool calls back in."""

from __future__ import annotations

from decimal import Decimal

import jsonschema
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

from interlock.models.contract import Binding
from interlock.models.schema_tools import bounded, prompt_of, schema_of, translate


class Line(BaseModel):
    """A line of an order."""

    sku: str


class Refund(BaseModel):
    """Refund money. Only for delivered orders."""

    order_id: str = Field(pattern="^A-[0-9]+$", examples=["A-1001"])
    amount: Decimal = Field(examples=["12.50"])


class Search(BaseModel):
    """Search the help center."""

    query: str
    lines: list[Line] = []


TOOLS = tuple(convert_to_openai_tool(kind) for kind in (Refund, Search))


def fits(binding: Binding, call: dict) -> bool:
    """Whether an answer fits the schema of a binding."""
    try:
        jsonschema.validate({"call": call}, schema_of(binding))
    except jsonschema.ValidationError:
        return False
    return True


REFUND = {"tool": "Refund", "args": {"order_id": "A-1", "amount": "5.00"}}
SEARCH = {"tool": "Search", "args": {"query": "returns"}}
REPLY = {"tool": "reply", "args": {"text": "Hello."}}


@pytest.mark.parametrize(
    ("choice", "allowed"),
    [
        (None, [REFUND, SEARCH, REPLY]),
        ("auto", [REFUND, SEARCH, REPLY]),
        ("any", [REFUND, SEARCH]),
        ("required", [REFUND, SEARCH]),
        (True, [REFUND, SEARCH]),
        ("Search", [SEARCH]),
        ({"type": "function", "function": {"name": "Refund"}}, [REFUND]),
        ({"type": "tool", "name": "Refund"}, [REFUND]),
    ],
)
def test_tool_choice_decides_the_branches(choice, allowed) -> None:
    """Exactly the allowed tools, and a reply only when it may reply, fit the schema."""
    binding = Binding(tools=TOOLS, tool_choice=choice)
    assert [call for call in (REFUND, SEARCH, REPLY) if fits(binding, call)] == allowed


def test_arguments_are_held_to_the_tools_schema() -> None:
    """A tool's arguments cannot be invented."""
    binding = Binding(tools=TOOLS)
    assert not fits(binding, {"tool": "Refund", "args": {"order_id": "1", "amount": 5}})
    assert not fits(binding, {"tool": "Search", "args": {"query": "x", "more": 1}})
    assert not fits(binding, {"tool": "Search", "args": {"query": "x" * 1000}})
    assert not fits(binding, {"tool": "Delete", "args": {}})


def test_a_reply_is_held_to_the_schema_of_the_binding() -> None:
    """With tools and a schema the reply branch is the schema, and the text its JSON."""
    schema = {
        "title": "Amount",
        "type": "object",
        "properties": {"cents": {"type": "integer"}},
        "required": ["cents"],
    }
    binding = Binding(tools=TOOLS, schema=schema)
    assert fits(binding, {"tool": "reply", "args": {"cents": 5}})
    assert not fits(binding, REPLY)
    answer = AIMessage('{"call": {"tool": "reply", "args": {"cents": 5}}}')
    assert translate(answer, "m1").text == '{"cents": 5}'


def test_every_string_and_list_has_an_end() -> None:
    """References are resolved, and nothing can be filled without end."""
    found = bounded(Search.model_json_schema())
    assert "$defs" not in found
    assert found["properties"]["query"]["maxLength"] > 0
    assert found["properties"]["lines"]["maxItems"] > 0
    assert found["properties"]["lines"]["items"]["properties"]["sku"]["maxLength"] > 0


def test_patterns_that_no_grammar_knows_are_left_out() -> None:
    """Pydantic writes decimals with a lookahead, which would be refused; plain patterns stay."""
    found = bounded(Refund.model_json_schema())
    assert "(?" not in str(found)
    assert found["properties"]["order_id"]["pattern"] == "^A-[0-9]+$"


def test_the_prompt_says_everything_in_words() -> None:
    """Tools, calls and results become text, the system messages one."""
    messages = [
        SystemMessage("Be kind."),
        HumanMessage("Money back!"),
        AIMessage("", tool_calls=[{"name": "Search", "args": {"query": "refunds"}, "id": "c1"}]),
        ToolMessage("30 days", tool_call_id="c1", name="Search"),
        AIMessage("When did it arrive?"),
        HumanMessage("Yesterday."),
    ]
    system, *turns = prompt_of(messages, Binding(tools=TOOLS))
    assert system.text.startswith("Be kind.")
    assert "- Refund(order_id: string, amount: number or string): Refund money." in system.text
    assert "- reply(text: string)" in system.text
    assert [turn.text for turn in turns[-5:]] == [
        "Money back!",
        '{"call": {"tool": "Search", "args": {"query": "refunds"}}}',
        "Result of Search: 30 days",
        '{"call": {"tool": "reply", "args": {"text": "When did it arrive?"}}}',
        "Yesterday.",
    ]


def test_examples_come_from_the_tools_own_schema() -> None:
    """A tool whose schema has examples is shown by example, another is not."""
    _, asked, answered, *rest = prompt_of([HumanMessage("hi")], Binding(tools=TOOLS))
    assert asked.text == "Refund money: order_id A-1001, amount 12.50"
    assert answered.text == (
        '{"call": {"tool": "Refund", "args": {"order_id": "A-1001", "amount": "12.50"}}}'
    )
    assert [turn.text for turn in rest] == ["hi"]


def test_without_tools_the_prompt_is_plain() -> None:
    """A model that may call nothing is told of no tools, and its own words stay as they are."""
    messages = [HumanMessage("hi"), AIMessage("hello"), HumanMessage("bye")]
    for binding in (Binding(), Binding(tools=TOOLS, tool_choice="none")):
        assert [turn.text for turn in prompt_of(messages, binding)] == ["hi", "hello", "bye"]


def test_a_call_is_translated_with_an_id_of_the_call() -> None:
    """The id follows from the model call, so a retry gives the same."""
    answer = AIMessage('{"call": {"tool": "Search", "args": {"query": "x"}}}', id="m")
    one, two = translate(answer, "m1"), translate(answer, "m1")
    assert one.tool_calls == two.tool_calls
    assert one.tool_calls[0]["args"] == {"query": "x"}
    assert one.text == ""
    assert translate(answer, "m2").tool_calls[0]["id"] != one.tool_calls[0]["id"]


@pytest.mark.parametrize("text", ['{"call": {"tool": "Sea', "hello", "[]", '{"call": 1}'])
def test_what_is_no_call_is_an_error(text) -> None:
    """An answer that was cut off is not taken for a reply."""
    with pytest.raises(ValueError, match="cut off"):
        translate(AIMessage(text), "m1")
