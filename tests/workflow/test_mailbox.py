"""Messages and decisions that come early, late or in the middle of things: none is lost unsaid."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langgraph.graph import START, MessagesState, StateGraph
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
)
from temporalio.common import WorkflowIDConflictPolicy

from interlock.agents import agent, model
from interlock.audit.contract import EventFilter
from interlock.testing import WorkerEnv, worker_env


async def chat(state: MessagesState) -> dict[str, Any]:
    """Answers with the model."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


SCRIPT = {
    "conversations": {
        "talk": {"steps": [{"answer": {"text": f"answer {number}"}} for number in range(9)]}
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """An agent that answers."""
    graph: StateGraph[MessagesState, None, MessagesState, MessagesState] = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_edge(START, "chat")
    async with worker_env(
        server, tmp_path_factory.mktemp("mailbox"), agents=[agent("talker", graph)], script=SCRIPT
    ) as running:
        yield running


def starting(env: WorkerEnv, **request: Any) -> WithStartWorkflowOperation[Any, Any]:
    """A run that an update starts."""
    return WithStartWorkflowOperation(
        "AgentWorkflow",
        {"agent": "talker", "input": "one", **request},
        id=uuid.uuid4().hex,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        task_queue=env.task_queue,
    )


async def test_a_message_that_comes_with_the_start_is_read(env: WorkerEnv) -> None:
    """It waits until the run is open, and the agent answers it after the first."""
    operation = starting(env, conversation=True, idle_seconds=0.5)
    answer = await env.client.execute_update_with_start_workflow(
        "submit_message", "two", start_workflow_operation=operation
    )
    assert answer["accepted"] is True
    handle = await operation.workflow_handle()
    assert (await env.result(handle)).usage.model_calls == 2
    texts = [message["data"]["content"] for message in await handle.query("transcript")]
    assert texts == ["one", "answer 0", "two", "answer 1"]
    await env.replay(handle)


async def test_a_message_that_comes_with_the_start_of_a_plain_run_is_refused(
    env: WorkerEnv,
) -> None:
    """The answer says why, and the refusal is recorded: it is not accepted and then dropped."""
    operation = starting(env)
    answer = await env.client.execute_update_with_start_workflow(
        "submit_message", "two", start_workflow_operation=operation
    )
    assert (answer["accepted"], answer["code"]) == (False, "NOT_A_CONVERSATION")
    handle = await operation.workflow_handle()
    await env.result(handle)
    refusals = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    assert [event.name for event in refusals] == ["NOT_A_CONVERSATION"]
    await env.replay(handle)


async def test_a_decision_that_comes_with_the_start_is_refused_and_recorded(
    env: WorkerEnv,
) -> None:
    """No request can be open yet; whoever sends it hears so."""
    operation = starting(env)
    decision = {"request_id": "r", "verb": "approve", "digest": "d", "reviewer": "tester"}
    answer = await env.client.execute_update_with_start_workflow(
        "submit_decision", decision, start_workflow_operation=operation
    )
    assert (answer["accepted"], answer["code"]) == (False, "UNKNOWN_REQUEST")
    handle = await operation.workflow_handle()
    await env.result(handle)
    refusals = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    assert [event.name for event in refusals] == ["UNKNOWN_REQUEST"]


async def test_a_run_that_cannot_open_answers_all_the_same(env: WorkerEnv) -> None:
    """A message to a run of an unknown agent is refused; nothing is left hanging."""
    operation = starting(env, agent="nobody", conversation=True)
    answer = await env.client.execute_update_with_start_workflow(
        "submit_message", "two", start_workflow_operation=operation
    )
    assert (answer["accepted"], answer["code"]) == (False, "RUN_FINISHED")
    with pytest.raises(WorkflowFailureError):
        await env.result(await operation.workflow_handle())


async def test_the_last_event_of_a_run_says_what_it_took(env: WorkerEnv) -> None:
    """Times from start to end, tokens and cost, under the run's release."""
    handle = await env.start("talker", "one")
    result = await env.result(handle)
    started, ended = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="run"))
    assert ended.started_at == started.started_at < ended.ended_at
    assert ended.outcome == "completed"
    assert (ended.input_tokens, ended.output_tokens) == (
        result.usage.input_tokens,
        result.usage.output_tokens,
    )
    assert ended.output_tokens > 0
    assert ended.cost_usd == result.usage.cost_usd
    assert ended.context.release
