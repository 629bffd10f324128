"""A tool as graph code calls it: through the port, as LangChain's and LangGraph's parts do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel, Field

from interlock.errors import (
    ActionDenied,
    ApprovalExpired,
    ApprovalRejected,
    BadArguments,
    BadInput,
    BadResult,
    EffectAborted,
    InterlockError,
    LedgerConflict,
    NoPort,
    OutcomeUnknown,
    ResultTooLarge,
    ToolFailed,
    ToolRetry,
    ToolUnavailable,
    UnknownTool,
    UnsupportedInWorkflow,
)
from interlock.tools import Effect, Tool, ToolContract, tool
from interlock.tools.contract import TOOL_PORT


class Receipt(BaseModel):
    reference: str


@tool(effect=Effect.EXTERNAL)
async def pay(order_id: Annotated[str, Field(pattern="^A-")], amount: int) -> Receipt:
    """Pay an order."""
    raise AssertionError("graph code never reaches the implementation")


@tool(effect=Effect.READ)
def look(at: str) -> str:
    """Look."""
    raise AssertionError("graph code never reaches the implementation")


Answer = Callable[[dict[str, Any]], Any]


class Port:
    """A port that validates as a real one does, and answers from a function."""

    def __init__(self, tools: dict[str, Tool], answer: Answer) -> None:
        self.calls: list[tuple[str, dict[str, Any], str | None]] = []
        self._tools = tools
        self._answer = answer

    async def call_tool(
        self, tool: ToolContract, arguments: dict[str, Any], tool_call_id: str | None
    ) -> Any:
        self.calls.append((tool.name, arguments, tool_call_id))
        return self._answer(self._tools[tool.name].validate_arguments(arguments))


@contextmanager
def port(answer: Answer) -> Iterator[Port]:
    """Open a port for the tools of this module."""
    opened = Port({"pay": pay, "look": look}, answer)
    token = TOOL_PORT.set(opened)
    try:
        yield opened
    finally:
        TOOL_PORT.reset(token)


def call(name: str = "pay", call_id: str = "c1", **args: Any) -> dict[str, Any]:
    """Return a tool call as LangGraph's ToolNode passes it."""
    return {"type": "tool_call", "name": name, "id": call_id, "args": args}


def raising(error: Exception) -> Answer:
    """Return an answer that raises."""

    def answer(_: dict[str, Any]) -> Any:
        raise error

    return answer


async def test_a_tool_call_is_answered_with_a_message() -> None:
    """Content is the result as JSON text; the id is made from the call, not drawn."""
    with port(lambda arguments: {"reference": f"é{arguments['amount']}"}) as opened:
        message = await pay.ainvoke(call(order_id="A-1", amount="7"))
    assert message == ToolMessage(
        content='{"reference": "é7"}',
        name="pay",
        tool_call_id="c1",
        id="c1:result",
        status="success",
    )
    assert opened.calls == [("pay", {"order_id": "A-1", "amount": "7"}, "c1")]


async def test_text_is_given_as_it_is() -> None:
    """A result that is text is not quoted."""
    with port(lambda arguments: f"seen {arguments['at']}"):
        message = await look.ainvoke(call("look", at='"x"'))
    assert message.content == 'seen "x"'


async def test_plain_arguments_are_answered_with_the_typed_result() -> None:
    """A node that calls a tool directly gets the annotated type, and no call id is made up."""
    with port(lambda _: {"reference": "r"}) as opened:
        assert await pay.ainvoke({"order_id": "A-1", "amount": 7}) == Receipt(reference="r")
        assert await pay.arun({"order_id": "A-1", "amount": 7}) == Receipt(reference="r")
    assert [call_id for _, _, call_id in opened.calls] == [None, None]


async def test_a_result_of_another_type_is_told() -> None:
    """What came back through the port does not fit the annotation."""
    with port(lambda _: "done"), pytest.raises(BadResult, match="'pay'"):
        await pay.ainvoke({"order_id": "A-1", "amount": 7})


@pytest.mark.parametrize(
    "error",
    [
        ToolRetry("use euro"),
        BadArguments("wrong"),
        UnknownTool("which?"),
        ToolFailed("no money"),
        EffectAborted("nobody knows"),
        ApprovalRejected("a reviewer said no"),
        ApprovalExpired("too late"),
        ActionDenied("never"),
    ],
)
async def test_what_the_model_can_act_on_is_its_answer(error: InterlockError) -> None:
    """The message of the error becomes an error message of the tool; a direct call raises."""
    with port(raising(error)):
        message = await pay.ainvoke(call(order_id="A-1", amount=1))
        assert (message.status, message.content) == ("error", error.message)
        assert message.id == "c1:result"
        with pytest.raises(type(error)):
            await pay.ainvoke({"order_id": "A-1", "amount": 1})


@pytest.mark.parametrize(
    "error",
    [
        ToolUnavailable("down"),
        BadResult("odd"),
        ResultTooLarge("big"),
        OutcomeUnknown("who knows"),
        LedgerConflict("held"),
        ValueError("a bug"),
    ],
)
async def test_everything_else_is_raised(error: Exception) -> None:
    """Middleware and the graph see it; the model could do nothing about it."""
    with port(raising(error)), pytest.raises(type(error)):
        await pay.ainvoke(call(order_id="A-1", amount=1))


async def test_bad_arguments_are_told_to_the_model() -> None:
    """Validation is the port's, not LangChain's."""
    with port(lambda _: {"reference": "r"}):
        message = await pay.ainvoke(call(order_id="B", amount=1, colour="red"))
    assert message.status == "error"
    assert "'colour' is not an argument; allowed: order_id, amount" in message.content
    assert "'order_id': String should match pattern '^A-' (got 'B')" in message.content


async def test_without_a_port_the_error_says_how_to_get_one() -> None:
    """A tool outside a run and outside an application calls nothing."""
    with pytest.raises(NoPort, match="'pay' was called outside a run"):
        await pay.ainvoke({"order_id": "A-1", "amount": 7})


async def test_a_tool_call_needs_an_id() -> None:
    """Without one it would be no logical call that can be told from another."""
    with port(lambda _: None), pytest.raises(BadInput, match="has no id"):
        await pay.ainvoke({"type": "tool_call", "name": "pay", "id": None, "args": {}})


def test_sync_code_may_call_outside_a_loop() -> None:
    """`invoke` does the same where no event loop runs."""
    with port(lambda _: {"reference": "r"}):
        assert pay.invoke({"order_id": "A-1", "amount": 7}) == Receipt(reference="r")
        assert pay.run({"order_id": "A-1", "amount": 7}) == Receipt(reference="r")
        message = pay.run({"order_id": "A-1", "amount": 7}, tool_call_id="c1")
        assert message.tool_call_id == "c1"


async def test_sync_code_is_refused_in_a_loop() -> None:
    """In a workflow a sync call would block it; the error names the way."""
    with pytest.raises(UnsupportedInWorkflow, match=r"await tool\.ainvoke"):
        pay.invoke({"order_id": "A-1", "amount": 7})


def ai(*calls: dict[str, Any], content: str = "") -> AIMessage:
    """Return a model's message with tool calls."""
    return AIMessage(content, id="ai", tool_calls=list(calls))


def node_of(tool_node: ToolNode) -> Any:
    """Compile a graph that has only this node."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", tool_node)
    builder.add_edge(START, "tools")
    builder.add_edge("tools", END)
    return builder.compile()


async def test_langgraphs_tool_node_runs_parallel_calls() -> None:
    """ToolNode passes calls on by id and takes the messages as they are."""
    graph = node_of(ToolNode([pay, look]))
    message = ai(
        call("look", "c1", at="x"),
        call("pay", "c2", order_id="B", amount=1),
        call("pay", "c3", order_id="A-1", amount=1),
    )
    with port(lambda arguments: arguments) as opened:
        state = await graph.ainvoke({"messages": [message]})
    answers = state["messages"][1:]
    assert [(one.tool_call_id, one.status) for one in answers] == [
        ("c1", "success"),
        ("c2", "error"),
        ("c3", "success"),
    ]
    assert [one.id for one in answers] == ["c1:result", "c2:result", "c3:result"]
    assert len(opened.calls) == 3


async def test_langgraphs_tool_node_lets_errors_of_the_graph_through() -> None:
    """ToolNode does not hide an unknown outcome from the run."""
    graph = node_of(ToolNode([pay]))
    with port(raising(OutcomeUnknown("who knows"))), pytest.raises(OutcomeUnknown):
        await graph.ainvoke({"messages": [ai(call(order_id="A-1", amount=1))]})


class BoundModel(GenericFakeChatModel):
    """A fake chat model that remembers what tools it was given."""

    bound: list[str] = []  # noqa: RUF012  a pydantic field

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        self.bound.extend(one.name for one in tools)
        return self


async def test_create_agent_calls_the_tools() -> None:
    """LangChain's own agent works with these tools unchanged."""
    model = BoundModel(
        messages=iter([ai(call("look", "c1", at="x")), AIMessage("it is an x", id="end")])
    )
    agent = create_agent(model, tools=[pay, look])
    with port(lambda arguments: f"an {arguments['at']}") as opened:
        state = await agent.ainvoke({"messages": [("user", "what is there?")]})
    assert state["messages"][-1].content == "it is an x"
    assert state["messages"][-2].content == "an x"
    assert opened.calls == [("look", {"at": "x"}, "c1")]
    assert set(model.bound) == {"pay", "look"}


async def test_tool_retry_middleware_repeats_the_same_logical_call() -> None:
    """A retry of LangChain's middleware reaches the port with the same tool call id."""
    failures: Iterator[Exception | None] = iter([ToolUnavailable("down"), None])

    def answer(_: dict[str, Any]) -> Any:
        failure = next(failures)
        if failure is not None:
            raise failure
        return "seen"

    model = BoundModel(messages=iter([ai(call("look", "c1", at="x")), AIMessage("done", id="end")]))
    retry = ToolRetryMiddleware(max_retries=1, initial_delay=0)
    agent = create_agent(model, tools=[look], middleware=[retry])
    with port(answer) as opened:
        await agent.ainvoke({"messages": [("user", "look")]})
    assert [call_id for _, _, call_id in opened.calls] == ["c1", "c1"]


async def test_the_port_is_that_of_the_calling_context() -> None:
    """Two runs in one process do not see each other's port."""

    async def ask(name: str) -> Any:
        with port(lambda _: name):
            await asyncio.sleep(0)
            return await look.ainvoke({"at": "x"})

    waiting: list[Awaitable[Any]] = [ask("one"), ask("two")]
    assert await asyncio.gather(*waiting) == ["one", "two"]
