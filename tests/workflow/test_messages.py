"""Messages cross a run's real boundaries unchanged: model activity, activity node, continue-as-new."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import pytest
import pytest_asyncio
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel
from temporalio.client import Client
from typing_extensions import TypedDict

from interlock.agents import Agent, activity_node, agent, model
from interlock.app import App
from interlock.audit import EventFilter
from interlock.connection import PAYLOAD_THRESHOLD, payload_store
from interlock.models.contract import Candidate
from interlock.models.gateway import ModelGateway
from interlock.models.messages import from_json
from interlock.observing import AuditObserver
from interlock.payloads import is_stored, payloads_in
from interlock.replay import runs
from interlock.testing import WorkerEnv
from interlock.testing.env import Handle
from interlock.worker import replayer, running_workers
from tests.crash.deployments import scripted, settings_in


class Price(BaseModel):
    """What a tool hands on beside its text."""

    amount: Decimal


ROUNDS = 8
"""Activities that make a history long enough to continue as new."""

_USAGE: Any = {
    "input_tokens": 30,
    "output_tokens": 12,
    "total_tokens": 42,
    "input_token_details": {"cache_read": 20},
    "output_token_details": {"reasoning": 5},
}
_CALL: Any = {"name": "look", "args": {"at": ["a", 1, None]}, "id": "c1", "type": "tool_call"}
_BROKEN: Any = {
    "name": "look",
    "args": '{"at": ',
    "id": "c2",
    "error": "unfinished JSON",
    "type": "invalid_tool_call",
}
_REASONING = {"type": "reasoning", "reasoning": "The glaze has a crack.", "extras": {"sign": "x"}}

BROUGHT: list[BaseMessage] = [
    SystemMessage("You look at pictures.", id="s"),
    HumanMessage(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "base64": "A" * (PAYLOAD_THRESHOLD + 1), "mime_type": "image/png"},
            {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"},
            {"type": "file", "file_id": "f-1", "mime_type": "application/pdf"},
        ],
        id="h",
        name="ann",
        additional_kwargs={"channel": {"kind": "mail", "n": 1}},
    ),
    AIMessage(
        [_REASONING, {"type": "text", "text": "Let me look.", "annotations": []}],
        id="a",
        tool_calls=[_CALL],
        invalid_tool_calls=[_BROKEN],
        usage_metadata=_USAGE,
        response_metadata={"finish_reason": "tool_calls"},
    ),
    ToolMessage(
        "a vase",
        id="t1",
        tool_call_id="c1",
        name="look",
        artifact={"price": Price(amount=Decimal("1.50")), "size": (3, 4), "raw": b"\x00\xff"},
    ),
    ToolMessage("no JSON", id="t2", tool_call_id="c2", status="error"),
]
"""What an activity node brings into the state."""

SAID = AIMessage(
    [_REASONING, {"type": "text", "text": "A vase."}, {"type": "image", "url": "https://x/1"}],
    tool_calls=[{**_CALL, "id": "c3"}],
    usage_metadata=_USAGE,
    response_metadata={"finish_reason": "stop", "logprobs": [{"token": "A", "p": -0.5}]},
)
"""What the model answers. An unreadable tool call is not among it: a model is asked again for that."""

PROMPTS: list[list[BaseMessage]] = []
"""What the model was asked, call by call."""
COUNTED: list[list[BaseMessage]] = []
"""What the activity node was given, round by round."""


class Painter(BaseChatModel):
    """A provider's chat model: answers with everything that a message may hold."""

    @property
    def _llm_type(self) -> str:
        return "painter"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        PROMPTS.append([message.model_copy(deep=True) for message in messages])
        return ChatResult(generations=[ChatGeneration(message=SAID.model_copy(deep=True))])


class Painters:
    """The only provider of these tests."""

    async def chat_model(self, candidate: Candidate) -> BaseChatModel:
        """Return the painter, whatever was asked for."""
        return Painter()


class Looking(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    rounds: Annotated[int, operator.add]


@activity_node
async def bring(state: Looking) -> dict[str, Any]:
    """Brings messages in from an activity."""
    return {"messages": BROUGHT}


async def ask(state: Looking) -> dict[str, Any]:
    """Asks the model with everything."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


@activity_node
async def count_round(state: Looking) -> dict[str, Any]:
    """Carries the whole state into an activity and back."""
    COUNTED.append(list(state["messages"]))
    return {"rounds": 1}


def where_next(state: Looking) -> Literal["count_round", "ask_again"]:
    """So many rounds."""
    return "count_round" if state["rounds"] < ROUNDS else "ask_again"


def looker() -> Agent:
    """An agent that asks before and after its run continues as new."""
    graph: StateGraph[Looking, None, Looking, Looking] = StateGraph(Looking)
    for name, node in (("bring", bring), ("ask", ask), ("ask_again", ask)):
        graph.add_node(name, node)
    graph.add_node("count_round", count_round)
    graph.add_edge(START, "bring")
    graph.add_edge("bring", "ask")
    graph.add_edge("ask", "count_round")
    graph.add_conditional_edges("count_round", where_next)
    graph.add_edge("ask_again", END)
    return agent("looker", graph)


class Finished(NamedTuple):
    """A finished run in its deployment."""

    env: WorkerEnv
    handle: Handle
    chain: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Finished]:
    """A run that continued as new between two calls of the painter."""
    project = tmp_path_factory.mktemp("messages") / "project"
    scripted(project, {"conversations": {}})
    made = settings_in(project, server)
    temporal = made.temporal.model_copy(update={"history_events": 50})
    settings = made.model_copy(update={"temporal": temporal})
    async with App(settings, agents=[looker()]) as app:
        app.models = ModelGateway(
            roles=app.model_map(),
            providers=Painters(),
            transcripts=app.transcripts,
            payloads=payload_store(settings),
            observer=AuditObserver(app.audit),
        )
        client = await app.connect()
        async with running_workers(app, client):
            env = WorkerEnv(app, client, replayer(app))
            handle = await env.start("looker", {"messages": [], "rounds": 0})
            await env.result(handle)
            yield Finished(env, handle, await runs(client, handle.id))


def assert_same(found: Sequence[BaseMessage], expected: Sequence[BaseMessage]) -> None:
    """Expect equal classes, fields, blocks and Python types, ids and artifacts among them."""
    assert [type(message) for message in found] == [type(message) for message in expected]
    assert list(found) == list(expected)
    assert repr(found) == repr(expected)


def answer_of(messages: Sequence[BaseMessage]) -> AIMessage:
    """The painter's answer, with the id that the gateway gave it."""
    assert str(messages[-1].id).startswith("msg_")
    return SAID.model_copy(update={"id": messages[-1].id})


async def test_an_activity_node_gives_and_gets_them(run: Finished) -> None:
    """What one brought and the model answered is what the other is given, in each run of the chain."""
    assert len(run.chain) == 2
    assert len(COUNTED) == ROUNDS
    for given in COUNTED:
        assert_same(given, [*BROUGHT, answer_of(given)])


async def test_a_provider_gets_them(run: Finished) -> None:
    """Before and behind the boundary the prompt is what the graph sent, and so is what is kept."""
    first, second = PROMPTS
    assert_same(first, BROUGHT)
    assert_same(second, [*BROUGHT, answer_of(COUNTED[0])])
    where = EventFilter(workflow_id=run.handle.id, kind="model_call")
    events = await run.env.app.audit.events(where)
    for event, prompt in zip(events, PROMPTS, strict=True):
        kept = await run.env.app.transcripts.load(event.refs["prompt"])
        assert_same([from_json(message) for message in kept], prompt)
    usage = (await run.env.result(run.handle)).usage
    assert (usage.input_tokens, usage.output_tokens) == (60, 24)


async def test_each_run_replays_from_stored_payloads(run: Finished) -> None:
    """The picture is too large for the history: it went through the payload store each time."""
    for run_id in run.chain:
        part = run.env.client.get_workflow_handle(run.handle.id, run_id=run_id)
        events = (await part.fetch_history()).events
        assert any(is_stored(payload) for event in events for payload in payloads_in(event))
        await run.env.replay(part)
