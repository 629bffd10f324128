"""Bad input to a run: it is told to whoever can act, and tried again only where that may help."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from interlock.audit.contract import EventFilter
from interlock.errors import NotAConversation, RunFinished
from interlock.runs.client import Runs
from interlock.testing import WorkerEnv
from tests.integration.bad_input.deployment import CALLS, LIBRARY, UNMAPPED


async def test_an_unknown_agent(env: WorkerEnv, row, failure) -> None:
    """The run fails with the agents that there are."""
    error = await failure(await env.start("suport", "hi"))
    row("unknown agent").check(error.type, error.message)
    assert "worker" in error.message


async def test_a_request_of_another_shape(env: WorkerEnv, row, failure, account) -> None:
    """The run fails with the fields that are wrong."""
    handle = await env.client.start_workflow(
        "AgentWorkflow", {"agent": "asker", "colour": 1}, id=account, task_queue=env.task_queue
    )
    error = await failure(handle)
    row("wrong input shape").check(error.type, error.message)
    assert "input: Field required" in error.message
    assert "colour" in error.message


async def test_an_input_that_the_graph_does_not_take(env: WorkerEnv, row, failure) -> None:
    """The run fails with the names that the graph takes."""
    error = await failure(await env.start("worker", {"dou": "write"}))
    row("wrong graph input").check(error.type, error.message)
    assert "account" in error.message


async def test_an_argument_of_the_wrong_type(env: WorkerEnv, row) -> None:
    """The model reads what is wrong and goes on; the tool is not called."""
    handle = await env.start("chooser", "wrong type")
    assert (await env.result(handle)).reply == "Sorry."
    told = [m["data"] for m in await handle.query("transcript") if m["type"] == "tool"]
    assert [message["status"] for message in told] == ["error"]
    row("tool argument of the wrong type").check("BAD_ARGUMENTS", told[0]["content"])
    assert CALLS["a"] == 0


async def test_a_tool_that_does_not_exist(env: WorkerEnv, row, failure) -> None:
    """The model reads which tools there are; after so many times in a row the run fails."""
    handle = await env.start("chooser", "unknown tool")
    error = await failure(handle)
    row("unknown tool from the model").check(error.type, error.message)
    assert "'fly'" in error.message
    told = [m["data"]["content"] for m in await handle.query("transcript") if m["type"] == "tool"]
    assert len(told) == 2
    assert all("read" in content for content in told)


async def test_a_tool_call_that_is_no_json(env: WorkerEnv, row, failure) -> None:
    """The model reads where its arguments break off; after so many times in a row the run fails."""
    error = await failure(await env.start("chooser", "no JSON"))
    row("tool call that is no JSON").check(error.type, error.message)
    assert "'read' was not called: its arguments are no JSON" in error.message
    assert CALLS["j"] == 0


async def test_a_result_of_another_shape(env: WorkerEnv, row, failure, task, account) -> None:
    """The run fails with the node and the tool, and the call is not made again."""
    error = await failure(await env.start("worker", task("promise")))
    row("tool result of the wrong shape").check(error.type, error.message)
    assert error.details[0]["node"] == "node"
    assert CALLS[account] == 1


@pytest.mark.parametrize(
    ("role", "name", "named"),
    [
        (UNMAPPED, "role that is not configured", ("'unmapped'", "fast", "[models.unmapped]")),
        ("keyless", "model without its key", ("gpt-5-mini", "OPENAI_API_KEY")),
        ("libraryless", "model without its library", (LIBRARY, "interlock[mistralai]")),
        ("fileless", "model without its file", ("smollm2-135m",)),
        ("corrupt", "model file with a wrong hash", ("qwen2.5-coder-1.5b",)),
    ],
)
async def test_a_model_that_cannot_answer(env: WorkerEnv, row, failure, role, name, named) -> None:
    """The run fails after one attempt, with what is missing and what the operator has to do."""
    handle = await env.start(role, "hi")
    error = await failure(handle)
    row(name).check(error.type, error.message)
    assert [part for part in named if part not in error.message] == []
    attempts = [
        event.activity_task_started_event_attributes.attempt
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_started_event_attributes")
    ]
    assert attempts == [1]


async def test_a_message_to_a_finished_run(env: WorkerEnv, row, task) -> None:
    """A plain client hears NOT_FOUND; the command line says how to look at the end."""
    handle = await env.start("worker", task("nothing"))
    await env.result(handle)
    with pytest.raises(RPCError) as refused:
        await handle.signal("send_message", "still there?")
    assert refused.value.status is RPCStatusCode.NOT_FOUND
    with pytest.raises(RunFinished) as finished:
        await Runs(env.app.settings, env.client).send(handle.id, "still there?")
    row("message to a finished run").check(finished.value.code, finished.value.message)
    assert finished.value.details["workflow_id"] == handle.id


async def test_a_message_to_a_run_that_answers_once(env: WorkerEnv, row) -> None:
    """An update and the command line say why; a signal is recorded; the run waits as before."""
    handle = await env.start("asker", "hi")
    (question,) = await env.pending(handle)
    expected = row("message to a run that is no conversation")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("submit_message", "still there?")
    assert isinstance(refused.value.cause, ApplicationError)
    expected.check(refused.value.cause.type or "", refused.value.cause.message)
    with pytest.raises(NotAConversation) as told:
        await Runs(env.app.settings, env.client).send(handle.id, "still there?")
    expected.check(told.value.code, told.value.message)
    await handle.signal("send_message", "still there?")
    assert await env.open_requests(handle) == [question]
    await env.decide(handle, question, "respond", result="yes")
    assert (await env.result(handle)).reply == "yes"
    (refusal,) = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    expected.check(refusal.name, refusal.details["why"])
    await env.replay(handle)


async def test_messages_that_nobody_reads_are_refused(env: WorkerEnv, row) -> None:
    """Over the limit the update says so; what was taken before is all read."""
    handle = await env.start("asker", "hi", conversation=True)
    (question,) = await env.pending(handle)
    for number in range(10):
        assert (await handle.execute_update("submit_message", f"m{number}"))["accepted"]
    refused = await handle.execute_update("submit_message", "m10")
    assert not refused["accepted"]
    row("too many unread messages").check(refused["code"], refused["message"])
    await handle.signal("send_message", "m11")
    assert (await env.status(handle)).unread == 10
    await env.decide(handle, question, "respond", result="yes")
    (again,) = await env.pending(handle)
    assert again.id != question.id
    said = [m["data"]["content"] for m in await handle.query("transcript")]
    assert said == ["hi", "yes", *(f"m{number}" for number in range(10))]
    assert (await handle.execute_update("submit_message", "m12"))["accepted"]
    await env.replay(handle)
    await handle.signal("cancel_run")
    await env.result(handle)
