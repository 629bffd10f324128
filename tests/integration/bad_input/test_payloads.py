"""Large payloads: what goes through, what is refused, and that nothing is tried for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.update.v1 import Input, Meta, Request
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import DataConverter
from temporalio.exceptions import TerminatedError
from temporalio.service import RPCError

from interlock.testing import WorkerEnv
from tests.integration.bad_input.deployment import CALLS

KEPT_SMALL = 60_000
"""Bytes of history that a run with megabytes of payload stays under."""


async def size_of(handle: Any) -> int:
    """Bytes of a run's history."""
    return sum(event.ByteSize() for event in (await handle.fetch_history()).events)


def failed_tasks(history: Any) -> int:
    """How many workflow tasks failed and were tried again."""
    return sum(e.HasField("workflow_task_failed_event_attributes") for e in history.events)


async def test_a_result_over_the_limit(env: WorkerEnv, row, failure, task, account) -> None:
    """The run fails with size and limit, and the call is not made again."""
    handle = await env.start("worker", task("write", 6_000_001))
    error = await failure(handle)
    row("tool result too large").check(error.type, error.message)
    assert "6000003 bytes" in error.message
    assert CALLS[account] == 1
    await env.replay(handle)


async def test_a_result_of_5_mb_goes_through(env: WorkerEnv, task, account) -> None:
    """Under a raised limit it comes back whole, after one call, and leaves history small."""
    handle = await env.start("worker", task("write", 5_000_000))
    assert (await env.result(handle)).output["done"] == "5000000"
    assert CALLS[account] == 1
    assert await size_of(handle) < KEPT_SMALL
    await env.replay(handle)


async def test_a_models_answer_of_3_mb_goes_through(env: WorkerEnv) -> None:
    """It is the run's reply, read back whole."""
    handle = await env.start("big", "big")
    assert (await env.result(handle)).reply == "m" * 3_000_000
    assert await size_of(handle) < KEPT_SMALL
    await env.replay(handle)


async def test_a_state_of_3_mb_is_carried_on(env: WorkerEnv) -> None:
    """A conversation continues as new with its whole state, and each part has a small history."""
    handle = await env.start("talker", "b" * 3_000_000, conversation=True)
    first = handle.first_execution_run_id
    for number in range(20):
        assert (await handle.execute_update("submit_message", f"m{number}"))["accepted"]
        if (await handle.describe()).run_id != first:
            break
    assert (await handle.describe()).run_id != first
    await handle.signal("cancel_run")
    await env.result(handle)
    transcript = await handle.query("transcript")
    assert {m["data"]["content"] for m in transcript if m["type"] == "ai"} == {"still 3000000"}
    assert await size_of(env.client.get_workflow_handle(handle.id, run_id=first)) < KEPT_SMALL
    await env.replay(handle)


async def test_an_error_text_of_5_mb_is_cut(env: WorkerEnv, row, failure, task) -> None:
    """The run fails at once with its own code, although no failure over 2 MB could be reported."""
    handle = await env.start("worker", task("raise", 5_000_000))
    error = await failure(handle)
    row("error text too large").check(error.type, error.message)
    assert len(error.message) < 9_000
    assert "characters" in error.message
    assert failed_tasks(await handle.fetch_history()) == 0
    await env.replay(handle)


@pytest.mark.parametrize(("size", "code"), [(3_000_000, None), (5_000_000, "RESOURCE_EXHAUSTED")])
async def test_an_input_from_a_plain_client(
    env: WorkerEnv, server: Client, row, account, size: int, code: str | None
) -> None:
    """Temporal refuses it at once and nothing is started, nor is a signal taken."""
    request = {"agent": "talker", "input": "i" * size}
    with pytest.raises(RPCError) as refused:
        await server.start_workflow("AgentWorkflow", request, id=account, task_queue=env.task_queue)
    expected = row("input over 2 MB from a plain client")
    if code is None:
        expected.check(refused.value.status.name, refused.value.message)
    else:
        assert refused.value.status.name == code
        assert code in expected.how
    handle = await env.start("talker", "hi", conversation=True)
    with pytest.raises(RPCError):
        await server.get_workflow_handle(handle.id).signal("send_message", "i" * size)
    await handle.signal("cancel_run")
    assert (await env.result(handle)).status == "cancelled"


async def test_an_update_from_a_plain_client(env: WorkerEnv, server: Client, row) -> None:
    """The server refuses it, and the run does not hear of it and goes on."""
    handle = await env.start("talker", "hi", conversation=True)
    value = await DataConverter.default.encode(["u" * 3_000_000])
    request = UpdateWorkflowExecutionRequest(
        namespace=server.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.id),
        request=Request(
            meta=Meta(update_id="big"),
            input=Input(name="submit_message", args=Payloads(payloads=value)),
        ),
    )
    with pytest.raises(RPCError) as refused:
        # Not through the handle: the client would ask again for some seconds.
        await server.workflow_service.update_workflow_execution(request)
    row("update over 2 MB from a plain client").check(
        refused.value.status.name, refused.value.message
    )
    assert (await handle.execute_update("submit_message", "small"))["accepted"]
    await handle.signal("cancel_run")
    await env.result(handle)
    assert failed_tasks(await handle.fetch_history()) == 0


async def test_an_answer_to_a_plain_client(env: WorkerEnv, server: Client, row, task) -> None:
    """It is told that it lacks the store; a client of the deployment reads the same answer."""
    handle = await env.start("worker", task("fill", 200_000))
    with pytest.raises(RuntimeError) as unreadable:
        await server.get_workflow_handle(handle.id).result()
    code, _, message = str(unreadable.value).lstrip("[").partition("] ")
    row("answer over 128 KB read by a plain client").check(code, message)
    assert len((await env.result(handle)).output["text"]) == 200_000


async def test_over_4_mb_in_one_step(env: WorkerEnv, row, task, account) -> None:
    """Temporal ends the run; it is not tried again, and nothing was called."""
    handle = await env.start("worker", task("fan out", 100_000))
    with pytest.raises(WorkflowFailureError) as ended:
        async with asyncio.timeout(60):
            await handle.result()
    assert isinstance(ended.value.cause, TerminatedError)
    row("over 4 MB in one step").check(ended.value.cause.message, ended.value.cause.message)
    assert CALLS[account] == 0
