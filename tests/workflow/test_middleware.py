"""Every stock middleware of the locked langchain runs and replays, or is refused with a reason."""

from __future__ import annotations

import inspect
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import langchain.agents.middleware as stock
import pytest
import pytest_asyncio
from langchain.agents.middleware import AgentMiddleware, ProviderToolSearchMiddleware
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.approvals.contract import ApprovalRequest
from interlock.audit import EventFilter
from interlock.errors import UnsupportedInWorkflow
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID
from tests.integration.bad_input.table import cells
from tests.workflow.middleware import (
    ONE_LINERS,
    REFUSED,
    RUNS,
    Trace,
    hosting,
    message,
    script,
    unreliable_provider,
)

PAGE = Path(__file__).parents[2] / "docs" / "middleware.md"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with one agent for each middleware, and one that defers a tool."""
    folder = tmp_path_factory.mktemp("middleware")
    deferring = ProviderToolSearchMiddleware(searchable_tools=["price_of"])
    agents = [hosting(name, row.make(), row.role) for name, row in RUNS.items()]
    with unreliable_provider() as url:
        models = {role: _scripted(folder, role, said) for role, said in ONE_LINERS.items()}
        models |= {role: _candidate("scripted:script.json") for role in ("fast", "strong")}
        models |= {
            role: _candidate("openai:unreliable", base_url=f"{url}/{role}/v1")
            for role in ("retried", "replaced")
        }
        async with worker_env(
            server,
            folder,
            agents=[*agents, hosting("deferring", deferring)],
            script=script(),
            models=models,
        ) as running:
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runs(env: WorkerEnv) -> dict[str, Handle]:
    """A run of every agent, begun at once: some wait for the retries of a failing model."""
    return {
        name: await env.start(
            name, message(row.account), workflow_id=f"{name}-{uuid.uuid4().hex[:8]}"
        )
        for name, row in RUNS.items()
    }


def _scripted(folder: Path, role: str, said: Any) -> dict[str, Any]:
    conversation = {"pick": "match", "steps": [{"answer": said}]}
    text = json.dumps({"conversations": {"all": conversation}})
    (folder / f"{role}.json").write_text(text, encoding="utf-8")
    return _candidate(f"scripted:{role}.json")


def _candidate(name: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"model": name, **more}]}


async def trace(env: WorkerEnv, handle: Handle, action: ApprovalRequest) -> Trace:
    """Read what a finished run shows."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="model_call"))
    prompts: dict[str, list[str]] = {}
    for event in events:
        if event.outcome == "done":
            found = await env.app.transcripts.load(event.refs["prompt"])
            prompts.setdefault(event.name, []).append(json.dumps(found))
    left = [item["data"] for item in await handle.query("transcript")]
    return Trace(
        why=action.why,
        prompts=prompts,
        failed=Counter(event.name for event in events if event.outcome == "failed"),
        told={item["tool_call_id"]: item["content"] for item in left if item["type"] == "tool"},
        first=left[0]["content"],
    )


def test_no_stock_middleware_is_missing() -> None:
    """The table covers every middleware that the installed langchain exports."""
    exported = {
        name
        for name in stock.__all__
        if inspect.isclass(kind := getattr(stock, name)) and issubclass(kind, AgentMiddleware)
    }
    assert exported - {"AgentMiddleware"} == {*RUNS, *REFUSED}


def test_the_page_has_the_table() -> None:
    """docs/middleware.md says of each middleware what the tests of this file saw."""
    rows = {
        row[0].strip("`"): row[1:] for row in cells(PAGE.read_text(encoding="utf-8"), "## Table")
    }
    assert list(rows) == sorted([*RUNS, *REFUSED])
    assert {name for name, (how, _) in rows.items() if how == "runs"} == set(RUNS)
    assert {name for name, (how, _) in rows.items() if how == "refused"} == set(REFUSED)
    assert all(note.endswith(".") for _, note in rows.values())


@pytest.mark.parametrize("name", sorted(RUNS))
async def test_it_runs_and_replays(env: WorkerEnv, runs: dict[str, Handle], name: str) -> None:
    """It is seen at work, the agent ends after one payment, and the history replays."""
    row, handle = RUNS[name], runs[name]
    before = len(PAID[row.account])
    (action,) = await env.pending(handle)
    assert (action.tool, action.arguments) == ("pay", {"account": row.account, "amount": 4})
    assert (await env.decide(handle, action, "approve")).accepted
    assert (await env.result(handle)).reply == row.reply
    assert len(PAID[row.account]) == before + 1
    found = await trace(env, handle, action)
    assert row.seen(found), found
    await env.replay(handle)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_is_refused(name: str) -> None:
    """Registration says which tool would do I/O in the workflow and what to do, as the page does."""
    with pytest.raises(UnsupportedInWorkflow, match="Wrap it") as refused:
        hosting(name, REFUSED[name]())
    tool = refused.value.message.split("tool ")[1].split("'")[1]
    rows = cells(PAGE.read_text(encoding="utf-8"), "## Table")
    (note,) = [row[2] for row in rows if row[0] == f"`{name}`"]
    assert f"`{tool}`" in note


async def test_a_tool_cannot_be_deferred_to_a_provider_that_nobody_knows(env: WorkerEnv) -> None:
    """A role hides the provider: the run fails before anything happens, and says what is missing."""
    before = len(PAID["once"])
    handle = await env.start("deferring", message("once"))
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "GRAPH_FAILED"
    assert "a provider with server-side tool search" in failed.value.cause.message
    assert (await handle.query("usage"))["model_calls"] == 0
    assert len(PAID["once"]) == before
    await env.replay(handle)
