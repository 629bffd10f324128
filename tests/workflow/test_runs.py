"""The life of a run: conversations, continue-as-new, cancellation, limits and failures."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from interlock.agents import agent, model
from interlock.audit.contract import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, tool
from tests.graphs import everything, shopper

STARTED: dict[str, asyncio.Event] = {}
STOPPED: list[str] = []


@tool(effect=Effect.READ, timeout_seconds=30)
async def slow(name: str) -> str:
    """Wait until it is cancelled."""
    STARTED.setdefault(name, asyncio.Event()).set()
    try:
        await asyncio.Event().wait()
    finally:
        STOPPED.append(name)
    return "never"


async def chat(state: MessagesState) -> dict[str, Any]:
    """Answers with the model."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


async def streams(state: MessagesState) -> dict[str, Any]:
    """Streams tokens of a graph inside its node."""
    async for _ in inner().astream(state, stream_mode=["values", "messages"]):
        pass
    return {}


async def listens(state: MessagesState) -> dict[str, Any]:
    """Listens to events of a graph inside its node."""
    async for _ in inner().astream_events(state, version="v2"):
        pass
    return {}


def inner() -> Any:
    """A graph of one node that talks."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_edge(START, "chat")
    return graph.compile()


async def waits(state: MessagesState) -> dict[str, Any]:
    """Calls a tool that never answers."""
    await slow.ainvoke({"name": str(state["messages"][0].text)})
    return {}


async def mistakes(state: MessagesState) -> dict[str, Any]:
    """Calls a tool with half of a character, which is no JSON."""
    await slow.ainvoke({"name": "\ud800"})
    return {}


async def loops(state: MessagesState) -> dict[str, Any]:
    """Goes on for ever."""
    return {"messages": [AIMessage("again")]}


async def asks(state: MessagesState) -> dict[str, Any]:
    """Asks for ever."""
    return {"messages": [AIMessage(str(interrupt("go on?")))]}


def one_node(name: str, node: Any, *, loop: bool = False) -> Any:
    """An agent of one node."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node(node.__name__, node)
    graph.add_edge(START, node.__name__)
    if loop:
        graph.add_edge(node.__name__, node.__name__)
    return agent(name, graph, tools=[slow])


SCRIPT = {
    "conversations": {
        "talk": {
            "when": "talk",
            "steps": [{"answer": {"text": f"answer {number}"}} for number in range(40)],
        },
        "mistakes": {
            "when": "mistake",
            "pick": "match",
            "steps": [
                {
                    "answer": {
                        "tool_calls": [
                            {"name": "pay_small", "args": {"account": "m", "amount": "lots"}}
                        ]
                    }
                }
            ],
        },
        "unknown": {
            "when": "unknown tool",
            "steps": [
                {"answer": {"tool_calls": [{"name": "fly", "args": {}, "id": "f1"}]}},
                {"expect": {"role": "tool", "text": "not a valid tool"}, "answer": {"text": "ok"}},
            ],
        },
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """Agents that talk, break, wait and loop; runs continue as new after 50 events."""
    agents = [
        one_node("talker", chat),
        one_node("waiter", waits),
        one_node("mistaken", mistakes),
        one_node("looper", loops, loop=True),
        one_node("asker", asks, loop=True),
        one_node("streamer", streams),
        one_node("listener", listens),
        shopper(),
        everything(),
    ]
    async with worker_env(
        server,
        tmp_path_factory.mktemp("runs"),
        agents=agents,
        script=SCRIPT,
        temporal={"history_events": 50},
        limits={"steps": 12, "model_mistakes": 3},
    ) as running:
        yield running


async def failure(env: WorkerEnv, handle: Any) -> ApplicationError:
    """The error that failed a run."""
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def said(handle: Any, text: str) -> None:
    """Wait until the transcript ends with a text."""
    async with asyncio.timeout(20):
        while True:
            transcript = await handle.query("transcript")
            if transcript and transcript[-1]["data"]["content"] == text:
                return
            await asyncio.sleep(0.05)


async def test_a_conversation_continues_as_new_and_forgets_nothing(env: WorkerEnv) -> None:
    """Over several runs of one chain each message is answered once, in order."""
    handle = await env.start("talker", "talk 0", conversation=True)
    first = handle.first_execution_run_id
    await said(handle, "answer 0")
    for number in range(1, 16):
        answer = await handle.execute_update("submit_message", f"talk {number}")
        assert answer["accepted"], answer
        await said(handle, f"answer {number}")
    described = await handle.describe()
    assert described.run_id != first, "the conversation did not continue as new"
    usage = await handle.query("usage")
    assert usage["model_calls"] == 16
    transcript = await handle.query("transcript")
    texts = [message["data"]["content"] for message in transcript]
    assert texts == [t for n in range(16) for t in (f"talk {n}", f"answer {n}")]
    calls = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="model_call"))
    prompts = [len(await env.app.transcripts.load(event.refs["prompt"])) for event in calls]
    assert prompts == [2 * n + 1 for n in range(16)]
    await env.replay(handle)
    await handle.signal("cancel_run", "enough")
    assert (await env.result(handle)).reason == "enough"


async def test_an_idle_conversation_completes(env: WorkerEnv) -> None:
    """After the idle time the run ends with its last answer."""
    handle = await env.start("talker", "talk", conversation=True, idle_seconds=0.2)
    result = await env.result(handle)
    assert (result.status, result.reply) == ("completed", "answer 0")


async def test_messages_sent_at_once_are_all_seen(env: WorkerEnv) -> None:
    """Messages that arrive while the agent works wait for the next turn, by signal too."""
    handle = await env.start("talker", "talk", conversation=True)
    await handle.signal("send_message", "one")
    await handle.signal("send_message", {"role": "user", "content": "two"})
    async with asyncio.timeout(20):
        while "two" not in [m["data"]["content"] for m in await handle.query("transcript")]:  # noqa: ASYNC110  another process knows
            await asyncio.sleep(0.05)
    await handle.signal("cancel_run")
    assert (await env.result(handle)).status == "cancelled"


async def test_a_mistake_that_a_node_lets_be_is_placed(env: WorkerEnv) -> None:
    """Nobody corrects it, so it fails the run, with node, door and tool, whatever the arguments are."""
    error = await failure(env, await env.start("mistaken", "hi"))
    assert error.type == "BAD_ARGUMENTS"
    place = {"node": "mistakes", "door": "tool", "tool": "slow", "arguments": ""}
    assert error.details[0].items() >= place.items()


async def test_a_graph_that_never_ends_is_stopped(env: WorkerEnv) -> None:
    """More supersteps than allowed fail the run with what to look for."""
    error = await failure(env, await env.start("looper", "hi"))
    assert error.type == "LIMIT_REACHED"
    assert "more than 12 steps" in error.message


async def test_answers_do_not_make_a_turn_longer(env: WorkerEnv) -> None:
    """Steps before a question count when the graph goes on behind it."""
    handle = await env.start("asker", "hi")
    for _ in range(12):
        (question,) = await env.pending(handle)
        assert (await env.decide(handle, question, "approve")).accepted
    assert (await failure(env, handle)).type == "LIMIT_REACHED"


@pytest.mark.parametrize("name", ["streamer", "listener"])
async def test_streams_that_cannot_work_are_refused(env: WorkerEnv, name: str) -> None:
    """They fail the run with what to use, instead of yielding nothing or hanging."""
    error = await failure(env, await env.start(name, "talk"))
    assert error.type == "UNSUPPORTED_IN_WORKFLOW"
    assert "'values' or 'updates'" in error.message


async def test_tracing_stays_out_of_the_workflow(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With LangSmith tracing on, the graph does no network call of its own and replays."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "none")
    handle = await env.start("shopper", "unknown tool")
    assert (await env.result(handle)).reply == "ok"
    await env.replay(handle)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"agent": "talker"}, "input: Field required"),
        ({"agent": "talker", "input": "x", "colour": 1}, "colour: Extra inputs"),
        ("hello", "no run request"),
        ({"agent": "everything", "input": {"artikles": []}}, "does not take 'artikles'"),
        ({"agent": "everything", "input": {"articles": "lamp"}}, "articles"),
        ({"agent": "talker", "input": " "}, "a message is empty"),
    ],
)
async def test_wrong_input_fails_at_once(env: WorkerEnv, request_: Any, says: str) -> None:
    """A request of another shape fails the run with the field, and is not tried for ever."""
    handle = await env.client.start_workflow(
        "AgentWorkflow", request_, id=uuid.uuid4().hex, task_queue=env.task_queue
    )
    error = await failure(env, handle)
    assert error.type == "BAD_INPUT"
    assert says in error.message


async def test_mistakes_of_the_model_are_bounded(env: WorkerEnv) -> None:
    """The model hears what is wrong with its arguments, so many times in a row."""
    handle = await env.start("shopper", "make a mistake")
    error = await failure(env, handle)
    assert error.type == "LIMIT_REACHED"
    assert "4 mistakes in a row" in error.message
    assert "amount" in error.message
    transcript = await handle.query("transcript")
    told = [m["data"] for m in transcript if m["type"] == "tool"]
    assert all(item["status"] == "error" and "amount" in item["content"] for item in told)
    assert told


async def test_an_unknown_tool_is_told_to_the_model(env: WorkerEnv) -> None:
    """The model reads which tools there are and goes on."""
    assert (await env.result(await env.start("shopper", "unknown tool"))).reply == "ok"


async def test_messages_to_a_plain_run_are_refused(env: WorkerEnv) -> None:
    """A run that is no conversation says so through the update."""
    name = uuid.uuid4().hex
    STARTED[name] = asyncio.Event()
    handle = await env.start("waiter", name)
    await STARTED[name].wait()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("submit_message", "hello?")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "NOT_A_CONVERSATION"
    await handle.signal("cancel_run")
    await env.result(handle)
    with pytest.raises(RPCError) as finished:
        await handle.signal("send_message", "still there?")
    assert finished.value.status is RPCStatusCode.NOT_FOUND


async def test_queries_answer_while_it_waits_and_after_it_ended(env: WorkerEnv) -> None:
    """Status, graph and usage are there at every moment of a run."""
    handle = await env.start(
        "everything",
        {"messages": ["talk"], "account": "q", "articles": ["lamp", "rug", "vase"]},
    )
    await env.pending(handle)
    status = await env.status(handle)
    assert (status.state, status.nodes, status.pending) == ("waiting", ("ask",), 1)
    assert "class ask current" in await handle.query("graph")
    await handle.signal("cancel_run")
    await env.result(handle)
    assert (await env.status(handle)).state == "cancelled"
    assert (await handle.query("usage"))["model_calls"] == 1
