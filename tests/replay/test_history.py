"""Histories from a server and from files of three kinds, and exports that need neither."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from interlock.errors import BadInput, ConfigError, PayloadMissing, RunNotFound
from interlock.payloads import is_stored, payloads_in
from interlock.replay import (
    History,
    dump,
    export,
    fetch,
    parse,
    read_file,
    read_steps,
    replay,
    runs,
)
from interlock.replay.steps import ModelCalled, Started
from interlock.server import find_temporal
from interlock.testing import WorkerEnv
from tests.replay.deployment import code


async def talked(env: WorkerEnv, text: str = "talk") -> Any:
    """A finished run of the talker."""
    handle = await env.start("talker", text)
    await env.result(handle)
    return handle


def stored(history: History) -> int:
    """Payloads of which the history keeps only a reference."""
    return sum(is_stored(item) for event in history.events for item in payloads_in(event))


async def test_a_run_is_fetched_by_its_id(env: WorkerEnv) -> None:
    """The history names its workflow, run, namespace and type, and replays."""
    handle = await talked(env)
    history = await fetch(env.client, handle.id)
    assert (history.workflow_id, history.namespace) == (handle.id, env.client.namespace)
    assert history.run_id == handle.first_execution_run_id
    assert history.workflow_type == "AgentWorkflow"
    assert (await replay(history, code())).divergence is None


async def test_a_run_that_is_not_there(env: WorkerEnv) -> None:
    """The error names the workflow, or the run of it."""
    with pytest.raises(RunNotFound, match=r"no run 'nobody'.*interlock list"):
        await fetch(env.client, "nobody")
    with pytest.raises(RunNotFound, match="'nobody'"):
        await runs(env.client, "nobody")
    handle = await talked(env)
    with pytest.raises(RunNotFound, match="run 'no-uuid' of workflow"):
        await fetch(env.client, handle.id, "no-uuid")


async def test_each_run_of_a_chain_can_be_fetched(env: WorkerEnv) -> None:
    """`runs` lists them oldest first; the newest is fetched unless one is named."""
    handle = await env.start("talker", "talk 0", conversation=True)
    number = 0
    while len(await runs(env.client, handle.id)) == 1:
        number += 1
        assert (await handle.execute_update("submit_message", f"talk {number}"))["accepted"]
    await handle.signal("cancel_run", "enough")
    await env.result(handle)
    chain = await runs(env.client, handle.id)
    assert chain[0] == handle.first_execution_run_id
    assert (await fetch(env.client, handle.id)).run_id == chain[-1]
    oldest = await fetch(env.client, handle.id, chain[0])
    assert oldest.run_id == chain[0]
    (started,) = [step for step in read_steps(oldest.events) if isinstance(step, Started)]
    assert not started.continued
    for run_id in chain:
        history = await fetch(env.client, handle.id, run_id)
        assert (await replay(history, code())).divergence is None


async def test_a_reset_run_is_fetched_and_replays(env: WorkerEnv) -> None:
    """It has its own id, though its events name the run that was reset."""
    handle = await talked(env)
    first = await fetch(env.client, handle.id)
    completed = [
        event.event_id
        for event in first.events
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    answer = await env.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=env.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=first.run_id),
            workflow_task_finish_event_id=completed[1],
            request_id=uuid.uuid4().hex,
        )
    )
    await env.client.get_workflow_handle(handle.id, run_id=answer.run_id).result()
    again = await fetch(env.client, handle.id)
    assert again.run_id == answer.run_id
    assert again.started.original_execution_run_id == first.run_id
    assert parse(dump(again)) == again
    assert (await replay(again, code())).divergence is None
    assert "stumbled" in [step.kind for step in read_steps(again.events)], "the reset is shown"


async def test_an_export_holds_stored_payloads(env: WorkerEnv, tmp_path: Path) -> None:
    """What went to the payload store is in the export, which replays without the store."""
    handle = await talked(env, "talk " + "x" * 200_000)
    raw = History("", "", "", tuple((await handle.fetch_history()).events))
    assert stored(raw) > 0, "nothing was stored: the test shows nothing"
    path = tmp_path / "run.json"
    path.write_text(await export(env.client, handle.id), encoding="utf-8")
    history = read_file(path)
    assert stored(history) == 0
    assert (history.workflow_id, history.namespace) == (handle.id, env.client.namespace)
    assert (await replay(history, code())).divergence is None
    (call,) = [step for step in read_steps(history.events) if isinstance(step, ModelCalled)]
    assert call.new_messages[0].text == "talk " + "x" * 200_000


async def test_stored_payloads_need_their_store(env: WorkerEnv, server: Client) -> None:
    """A client without the store, a store without the payload, and a raw file are told apart."""
    handle = await talked(env, "talk " + "y" * 200_000)
    bare = await Client.connect(
        server.service_client.config.target_host, data_converter=pydantic_data_converter
    )
    with pytest.raises(ConfigError, match=r"store 'interlock'.*interlock history"):
        await fetch(bare, handle.id)
    with pytest.raises(BadInput, match="stored elsewhere"):
        parse((await handle.fetch_history()).to_json(), "raw.json")
    for file in (env.app.settings.project_dir / ".interlock" / "payloads").rglob("*"):
        if file.is_file():
            file.unlink()
    with pytest.raises(PayloadMissing):
        await fetch(env.client, handle.id)


async def test_histories_of_temporals_own_tools_are_read(env: WorkerEnv, tmp_path: Path) -> None:
    """The SDK's JSON and the CLI's name no workflow; it is found in them, and they replay."""
    handle = await talked(env)
    texts = {"sdk": (await handle.fetch_history()).to_json(), "cli": await _shown(env, handle.id)}
    for name, text in texts.items():
        assert "workflowId" not in json.loads(text)
        path = tmp_path / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        history = read_file(path)
        assert (history.workflow_id, history.namespace) == (handle.id, env.client.namespace), name
        assert (await replay(history, code())).divergence is None, name


async def _shown(env: WorkerEnv, workflow_id: str) -> str:
    """What `temporal workflow show --output json` prints."""
    program = find_temporal()
    assert program is not None
    address = env.client.service_client.config.target_host
    done = await asyncio.create_subprocess_exec(
        *(program, "workflow", "show", "--workflow-id", workflow_id, "--output", "json"),
        *("--address", address),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await done.communicate()
    assert done.returncode == 0
    return out.decode()
