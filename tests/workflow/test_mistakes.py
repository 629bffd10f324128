"""What a model gets wrong goes back to it as a message, a bounded number of times, and asks nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.agents import Agent, agent, model
from interlock.audit.contract import EventFilter
from interlock.replay import read_steps
from interlock.replay.steps import Asked, ModelCalled
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, pay, pay_small, shopper

BROKEN = '{"account": "m-json", "amount":'
"""Arguments that a model began to write."""


async def chat(state: MessagesState) -> dict[str, Any]:
    """Answers with a model that may call a tool, and calls none itself."""
    return {"messages": [await model("fast").bind_tools([pay_small]).ainvoke(state["messages"])]}


def talker() -> Agent:
    """A hand-written agent of one node."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_edge(START, "chat")
    return agent("talker", graph, tools=[pay_small])


def reviewed(name: str, *allowed: str, mode: Any = "batched") -> Agent:
    """A shopper with a person who reviews payments, and a tool that it does not have."""
    config: Any = {"allowed_decisions": list(allowed)} if allowed else True
    review = HumanInTheLoopMiddleware({"pay": config, "fly": True}, interrupt_mode=mode)
    return shopper(review, name=name)


class Repair(AgentMiddleware):
    """Puts wrong arguments right, after they were reviewed."""

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        """Call with an amount of one."""
        args = {**request.tool_call["args"], "amount": 1}
        return await handler(request.override(tool_call={**request.tool_call, "args": args}))


def repairing() -> Agent:
    """A shopper whose small payments a person can only approve; the policy allows them."""
    review = HumanInTheLoopMiddleware({"pay_small": {"allowed_decisions": ["approve"]}})
    return shopper(review, Repair(), name="repairing")


async def propose(state: MessagesState) -> dict[str, Any]:
    """Asks a person about an action of the graph's own."""
    name = str(state["messages"][0].text)
    asked = {"name": name, "args": {"account": "m-own"}}
    config = {"action_name": name, "allowed_decisions": ["approve", "reject"]}
    answer = interrupt({"action_requests": [asked], "review_configs": [config]})
    return {"messages": [AIMessage(answer["decisions"][0]["type"])]}


def proposer() -> Agent:
    """A hand-written agent that asks in LangChain's form, without a model."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("propose", propose)
    graph.add_edge(START, "propose")
    return agent("proposer", graph, tools=[pay])


REVIEWED = [
    reviewed("reviewed"),
    reviewed("one_by_one", mode="per_call"),
    reviewed("one_by_one_approve_only", "approve", mode="per_call"),
    reviewed("approve_only", "approve"),
    reviewed("respond_only", "respond"),
]
"""Agents whose payments are reviewed in several ways."""


def _pay(call_id: str, account: str, amount: Any) -> dict[str, Any]:
    return {"name": "pay", "args": {"account": account, "amount": amount}, "id": call_id}


def _small(call_id: str, args: Any) -> dict[str, Any]:
    return {"name": "pay_small", "args": args, "id": call_id}


def _step(expect: dict[str, Any], *calls: dict[str, Any], text: str = "") -> dict[str, Any]:
    return {"expect": expect, "answer": {"tool_calls": list(calls), "text": text}}


HUMAN, TOOL = {"role": "human"}, {"role": "tool"}
DONE = _step({}, text="Done.")

SCRIPT = {
    "conversations": {
        name: {"when": name, "pick": "match", "steps": steps}
        for name, steps in {
            "one is wrong": [_step(HUMAN, _pay("w1", "m", "lots"), _pay("r1", "m-mixed", 2)), DONE],
            "only wrong": [_step(HUMAN, _pay("w1", "m", "lots")), DONE],
            "no such tool": [_step(HUMAN, {"name": "fly", "args": {}, "id": "f1"}), DONE],
            "right": [_step(HUMAN, _pay("r1", "m-right", 2)), DONE],
            "repaired": [_step(HUMAN, _small("w1", {"account": "m-rep", "amount": "lots"})), DONE],
            "always wrong": [_step({}, _pay("w1", "m", "lots"))],
            "broken once": [
                _step(
                    HUMAN, _small("s1", {"account": "m-json", "amount": 1}), _small("b1", BROKEN)
                ),
                _step(
                    {**TOOL, "text": "no JSON"}, _small("s2", {"account": "m-json", "amount": 2})
                ),
                DONE,
            ],
            "broken talk": [
                _step(HUMAN, _small("b1", BROKEN)),
                _step({**TOOL, "text": "no JSON"}, text="I cannot pay."),
            ],
            "always broken": [_step({}, _small("b1", BROKEN))],
        }.items()
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment whose models may make three mistakes in a row."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("mistakes"),
        agents=[shopper(), talker(), repairing(), proposer(), *REVIEWED],
        script=SCRIPT,
        limits={"model_mistakes": 3},
    ) as running:
        yield running


async def told(handle: Handle) -> list[tuple[str, str, str]]:
    """Call id, status and text of every tool message in the graph's state."""
    messages = [m["data"] for m in await handle.query("transcript") if m["type"] == "tool"]
    return [(m["tool_call_id"], m["status"], m["content"]) for m in messages]


async def asked(handle: Handle) -> int:
    """How often a run asked a person."""
    events = (await handle.fetch_history()).events
    return sum(isinstance(step, Asked) for step in read_steps(events))


async def failure(env: WorkerEnv, handle: Handle, code: str) -> str:
    """Why a run failed."""
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == code
    return failed.value.cause.message


async def test_a_person_is_asked_about_the_right_call_only(env: WorkerEnv) -> None:
    """Of two calls in one answer the wrong one is told to the model, the other one is reviewed."""
    PAID.pop("m-mixed", None)
    handle = await env.start("reviewed", "one is wrong")
    (action,) = await env.pending(handle)
    assert action.arguments == {"account": "m-mixed", "amount": 2}
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "Done."
    wrong, right = await told(handle)
    assert wrong[:2] == ("w1", "error")
    assert "'amount': Input should be a valid integer" in wrong[2]
    assert right == ("r1", "success", "paid 2")
    assert PAID["m-mixed"] == [2]
    await env.replay(handle)


@pytest.mark.parametrize("name", [item.name for item in REVIEWED])
async def test_wrong_arguments_are_told_however_they_are_reviewed(
    env: WorkerEnv, name: str
) -> None:
    """Nobody is asked, whatever a reviewer might answer; it is one mistake of the model."""
    handle = await env.start(name, "only wrong")
    result = await env.result(handle)
    assert (result.reply, result.usage.mistakes) == ("Done.", 1)
    ((call_id, status, text),) = await told(handle)
    assert call_id == "w1"
    assert status == ("success" if name == "respond_only" else "error"), (
        "langchain has one for both"
    )
    assert "'amount': Input should be a valid integer" in text
    assert await asked(handle) == 0
    await env.replay(handle)


@pytest.mark.parametrize("name", ["reviewed", "one_by_one"])
async def test_an_unknown_tool_is_told_and_not_reviewed(env: WorkerEnv, name: str) -> None:
    """Nobody is asked about a tool that the agent does not have; it is one mistake of the model."""
    handle = await env.start(name, "no such tool")
    result = await env.result(handle)
    assert (result.reply, result.usage.mistakes) == ("Done.", 1)
    ((call_id, status, text),) = await told(handle)
    assert (call_id, status) == ("f1", "error")
    assert "'fly' is not a tool" in text
    assert "pay_small" in text, "it says what there is"
    assert await asked(handle) == 0
    await env.replay(handle)


async def test_wrong_arguments_under_review_are_bounded(env: WorkerEnv) -> None:
    """A model that does not learn ends the run, and no request was ever open."""
    handle = await env.start("reviewed", "always wrong")
    message = await failure(env, handle, "LIMIT_REACHED")
    assert "4 mistakes in a row" in message
    assert "'amount'" in message
    assert await asked(handle) == 0
    await env.replay(handle)


async def test_a_call_that_nobody_was_asked_about_is_never_made(env: WorkerEnv) -> None:
    """Not even when something puts it right after the review."""
    handle = await env.start("repairing", "repaired")
    result = await env.result(handle)
    assert (result.reply, result.usage.mistakes) == ("Done.", 1)
    ((call_id, status, text),) = await told(handle)
    assert (call_id, status) == ("w1", "error")
    assert "nobody was" in text
    assert "m-rep" not in PAID
    await env.replay(handle)


@pytest.mark.parametrize("name", ["approve_only", "one_by_one_approve_only"])
async def test_a_reviewer_may_do_what_the_middleware_allows(env: WorkerEnv, name: str) -> None:
    """Another verb is refused, and does not end the run."""
    PAID.pop("m-right", None)
    handle = await env.start(name, "right")
    (action,) = await env.pending(handle)
    assert action.allowed == ("approve",)
    assert (await env.decide(handle, action, "reject")).code == "VERB_NOT_ALLOWED"
    assert (await env.decide(handle, action, "approve")).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID["m-right"] == [2]


async def test_an_action_of_the_graphs_own_is_no_mistake_of_a_model(env: WorkerEnv) -> None:
    """It is asked about, whatever its name; arguments that do not fit are the graph's error."""
    handle = await env.start("proposer", "publish")
    (action,) = await env.pending(handle)
    assert (action.tool, action.arguments) == ("publish", {"account": "m-own"})
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "approve"
    wrong = await failure(env, await env.start("proposer", "pay"), "BAD_ARGUMENTS")
    assert "'amount' is missing" in wrong


async def test_an_answer_with_a_broken_call_is_asked_for_again(env: WorkerEnv) -> None:
    """None of its calls is made; the model reads why, and what it answers then counts."""
    PAID.pop("m-json", None)
    handle = await env.start("shopper", "broken once")
    result = await env.result(handle)
    assert (result.reply, result.usage.model_calls) == ("Done.", 3)
    assert PAID["m-json"] == [2]
    assert await told(handle) == [("s2", "success", "paid 2")]
    steps = read_steps((await handle.fetch_history()).events)
    first, again, last = [step for step in steps if isinstance(step, ModelCalled)]
    assert first.answer is not None
    assert [call["id"] for call in first.answer.tool_calls] == ["s1"]
    not_made, broken = again.new_messages
    assert "'pay_small' was not called: another call" in not_made.text
    assert "'pay_small' was not called: its arguments are no JSON" in broken.text
    assert [said.role for said in last.new_messages] == ["assistant", "tool"], "history stays small"
    calls = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="model_call"))
    prompts = [await env.app.transcripts.load(event.refs["prompt"]) for event in calls]
    assert [len(prompt) for prompt in prompts] == [1, 4, 3]
    assert prompts[1][1]["data"]["invalid_tool_calls"][0]["args"] == BROKEN
    assert [m["data"]["tool_call_id"] for m in prompts[1][2:]] == ["s1", "b1"]
    await env.replay(handle)


async def test_a_hand_written_graph_gets_what_can_be_read(env: WorkerEnv) -> None:
    """Its node asks once and knows nothing of the broken call."""
    handle = await env.start("talker", "broken talk")
    result = await env.result(handle)
    assert (result.reply, result.usage.model_calls) == ("I cannot pay.", 2)
    assert len(await handle.query("transcript")) == 2
    await env.replay(handle)


@pytest.mark.parametrize("name", ["shopper", "talker"])
async def test_broken_calls_are_bounded(env: WorkerEnv, name: str) -> None:
    """A model that cannot write JSON ends the run after so many calls."""
    handle = await env.start(name, "always broken")
    assert "no JSON" in await failure(env, handle, "LIMIT_REACHED")
    assert (await handle.query("usage"))["model_calls"] == 4
    await env.replay(handle)
