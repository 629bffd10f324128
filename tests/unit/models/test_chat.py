"""The chat model of agent code: what it sends through its port, and what it makes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from interlock.errors import BadInput, NoPort, NotSerializable, UnsupportedInWorkflow
from interlock.models.chat import ChatModel, model
from interlock.models.contract import MODEL_PORT, ModelAnswer
from interlock.models.messages import from_json, to_json


class Amount(BaseModel):
    """An amount of money."""

    cents: int = Field(ge=0)


class AmountDict(TypedDict):
    """An amount of money."""

    cents: int


AMOUNT_SCHEMA = {
    "title": "Amount",
    "type": "object",
    "properties": {"cents": {"type": "integer"}},
    "required": ["cents"],
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Port:
    """Answers in order and keeps what it was asked."""

    def __init__(self, *answers: AIMessage) -> None:
        self.answers = list(answers)
        self.asked = []

    async def call_model(self, role, messages, binding) -> ModelAnswer:
        """Give the next answer."""
        self.asked.append((role, [from_json(message) for message in messages], binding))
        answer = self.answers.pop(0)
        return ModelAnswer(message=to_json(answer), ref="r", model="test:model")


@pytest.fixture
def port() -> Iterator[Port]:
    """Set an empty port for one test."""
    made = Port()
    token = MODEL_PORT.set(made)
    yield made
    MODEL_PORT.reset(token)


async def test_messages_cross_unchanged(port) -> None:
    """The port gets the messages as they are, and the caller gets the port's answer as it is."""
    answer = AIMessage(
        "hello",
        id="msg_1",
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"finish_reason": "stop"},
    )
    port.answers = [answer]
    messages = [SystemMessage("Be kind.", id="s"), HumanMessage("hi", id="h")]
    assert await model(role="strong").ainvoke(messages) == answer
    role, asked, binding = port.asked[0]
    assert role == "strong"
    assert asked == messages
    assert binding.tools == ()
    assert binding.schema_ is None


async def test_binding_carries_tools_stop_and_options(port) -> None:
    """Tools travel in the OpenAI form, other arguments as options."""
    port.answers = [AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c"}])]
    bound = model().bind_tools([add], tool_choice="any", temperature=0.5)
    found = await bound.ainvoke("1 and 2", stop=["."])
    assert found.tool_calls[0]["name"] == "add"
    binding = port.asked[0][2]
    assert binding.tools[0]["function"]["name"] == "add"
    assert binding.tool_choice == "any"
    assert binding.stop == (".",)
    assert binding.options == {"temperature": 0.5}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [(Amount, Amount(cents=5)), (AmountDict, {"cents": 5}), (AMOUNT_SCHEMA, {"cents": 5})],
    ids=["pydantic", "typeddict", "json schema"],
)
@pytest.mark.parametrize(
    "answer",
    [
        AIMessage('{"cents": 5}'),
        AIMessage('```json\n{"cents": 5}\n```'),
        AIMessage("", tool_calls=[{"name": "Amount", "args": {"cents": 5}, "id": "c"}]),
    ],
    ids=["text", "fenced", "tool call"],
)
async def test_structured_output_is_parsed(port, schema, expected, answer) -> None:
    """Every kind of schema is sent as JSON schema and parsed from text or from a tool call."""
    port.answers = [answer]
    assert await model().with_structured_output(schema, method="json_schema").ainvoke("5 ct") == (
        expected
    )
    sent = port.asked[0][2].schema_
    assert sent["properties"]["cents"]["type"] == "integer"
    assert sent["title"].startswith("Amount")


@pytest.mark.parametrize("schema", [Amount, AmountDict, AMOUNT_SCHEMA])
@pytest.mark.parametrize(
    "answer", [AIMessage('{"cents": "five"}'), AIMessage("five"), AIMessage("")]
)
async def test_a_wrong_shape_raises(port, schema, answer) -> None:
    """An answer that does not fit is an OutputParserException, as in LangChain."""
    port.answers = [answer]
    with pytest.raises(OutputParserException):
        await model().with_structured_output(schema).ainvoke("5 ct")


async def test_a_wrong_shape_is_returned_with_the_raw_answer(port) -> None:
    """With `include_raw` nothing is raised."""
    port.answers = [AIMessage("five"), AIMessage('{"cents": 5}')]
    bound = model().with_structured_output(Amount, include_raw=True)
    bad = await bound.ainvoke("x")
    good = await bound.ainvoke("x")
    assert isinstance(bad["parsing_error"], OutputParserException)
    assert bad["raw"].text == "five"
    assert good["parsed"] == Amount(cents=5)
    assert good["parsing_error"] is None


def test_structured_output_refuses_what_it_does_not_know() -> None:
    """A misspelt argument is no silent no-op."""
    with pytest.raises(ValueError, match="include_rew"):
        model().with_structured_output(Amount, include_rew=True)


async def test_json_mode_is_refused(port) -> None:
    """A response format without a schema is named with what to write."""
    with pytest.raises(BadInput, match="with_structured_output"):
        await model().bind(response_format={"type": "json_object"}).ainvoke("x")


async def test_options_must_be_json(port) -> None:
    """An argument that cannot be recorded is refused before anything is sent."""
    with pytest.raises(NotSerializable):
        await model().bind(handler=object()).ainvoke("x")
    assert port.asked == []


async def test_without_a_port_the_error_says_what_to_do() -> None:
    """A model used outside any application says so."""
    with pytest.raises(NoPort, match="No application is open"):
        await model().ainvoke("x")


def test_it_can_be_called_synchronously_where_no_loop_runs(port) -> None:
    """Scripts may use `invoke`."""
    port.answers = [AIMessage("one"), AIMessage("two")]
    assert model().invoke("x").text == "one"
    assert model().invoke("x").text == "two"


async def test_a_synchronous_call_in_a_loop_is_refused(port) -> None:
    """Inside a workflow or a notebook `invoke` would block the loop: the error names `ainvoke`."""
    with pytest.raises(UnsupportedInWorkflow, match="ainvoke"):
        model().invoke("x")


async def test_streaming_gives_the_answer_in_one_chunk(port) -> None:
    """`astream` works, without token by token."""
    port.answers = [AIMessage("hello")]
    assert "".join([chunk.text async for chunk in model().astream("x")]) == "hello"


async def test_the_asynchronous_path_uses_no_thread(port, monkeypatch) -> None:
    """Calling, binding tools and parsing never leave the event loop."""

    def refuse(*args: object) -> None:
        raise AssertionError("a thread was used")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    port.answers = [AIMessage("hi"), AIMessage('{"cents": 5}'), AIMessage("x")]
    await model().bind_tools([add]).ainvoke("x")
    await model().with_structured_output(Amount).ainvoke("x")
    await model().with_structured_output(Amount, include_raw=True).ainvoke("x")


async def test_an_agent_uses_it_with_tools(port) -> None:
    """`create_agent` binds its tools and plays the loop."""
    port.answers = [
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}]),
        AIMessage("It is 3."),
    ]
    agent = create_agent(model(), tools=[add], system_prompt="Add.")
    found = await agent.ainvoke({"messages": [HumanMessage("1 + 2?")]})
    assert found["messages"][-1].text == "It is 3."
    second = port.asked[1][1]
    assert isinstance(second[-1], ToolMessage)
    assert second[-1].text == "3"


@pytest.mark.parametrize(
    ("strategy", "answer"),
    [
        (ProviderStrategy(Amount), AIMessage('{"cents": 5}')),
        (
            ToolStrategy(Amount),
            AIMessage("", tool_calls=[{"name": "Amount", "args": {"cents": 5}, "id": "c"}]),
        ),
    ],
    ids=["provider", "tool"],
)
async def test_an_agent_uses_it_with_a_response_format(port, strategy, answer) -> None:
    """Both strategies of `create_agent` for structured output work."""
    port.answers = [answer]
    agent = create_agent(model(), tools=[add], response_format=strategy)
    found = await agent.ainvoke({"messages": [HumanMessage("5 ct")]})
    assert found["structured_response"] == Amount(cents=5)
    binding = port.asked[0][2]
    assert (binding.schema_ is not None) == isinstance(strategy, ProviderStrategy)


def test_tokens_are_counted_without_a_tokenizer() -> None:
    """Trimming by tokens works with an estimate; nothing is downloaded for it."""
    few = ChatModel().get_num_tokens_from_messages([HumanMessage("hi")])
    many = ChatModel().get_num_tokens_from_messages([HumanMessage("hi " * 400)])
    assert 0 < few < many
    assert ChatModel().get_num_tokens("hi") > 0
