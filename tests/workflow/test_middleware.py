"""Every stock middleware of the locked langchain runs and replays, or is refused with a reason."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import langchain.agents.middleware as stock
import pytest
import pytest_asyncio
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    FilesystemFileSearchMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ProviderToolSearchMiddleware,
    ShellToolMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
    ToolRetryMiddleware,
)
from temporalio.client import Client

from interlock.agents import model
from interlock.errors import InterlockError, UnsupportedInWorkflow
from interlock.testing import WorkerEnv, worker_env
from tests.graphs import PAID, shopper

RUNS: dict[str, Any] = {
    "ContextEditingMiddleware": lambda: ContextEditingMiddleware(
        edits=[ClearToolUsesEdit(trigger=1, keep=0)]
    ),
    "HumanInTheLoopMiddleware": lambda: HumanInTheLoopMiddleware(interrupt_on={"pay": True}),
    "LLMToolEmulator": lambda: LLMToolEmulator(tools=["price_of"], model=model("emulator")),
    "LLMToolSelectorMiddleware": lambda: LLMToolSelectorMiddleware(model=model("selector")),
    "ModelCallLimitMiddleware": lambda: ModelCallLimitMiddleware(run_limit=5),
    "ModelFallbackMiddleware": lambda: ModelFallbackMiddleware(model("strong")),
    "ModelRetryMiddleware": lambda: ModelRetryMiddleware(max_retries=1),
    "PIIMiddleware": lambda: PIIMiddleware("email", strategy="redact"),
    "SummarizationMiddleware": lambda: SummarizationMiddleware(
        model=model("summariser"), trigger=("messages", 3), keep=("messages", 2)
    ),
    "TodoListMiddleware": TodoListMiddleware,
    "ToolCallLimitMiddleware": lambda: ToolCallLimitMiddleware(run_limit=5),
    "ToolErrorMiddleware": lambda: ToolErrorMiddleware(
        lambda error, request: str(error) if isinstance(error, InterlockError) else None
    ),
    "ToolRetryMiddleware": lambda: ToolRetryMiddleware(max_retries=1),
}
"""Middleware that runs and replays, with a way to make it."""

REFUSED: dict[str, Any] = {
    "FilesystemFileSearchMiddleware": lambda: FilesystemFileSearchMiddleware(root_path="."),
    "ShellToolMiddleware": ShellToolMiddleware,
}
"""Middleware whose tools would do I/O inside the workflow."""

WITHOUT_EFFECT = {
    "ProviderToolSearchMiddleware": ProviderToolSearchMiddleware,
}
"""Middleware that needs to know the provider, which a role hides."""


def script(account: str) -> dict[str, Any]:
    """A call of two tools, then an answer."""
    calls = [
        {"name": "price_of", "args": {"article": "lamp"}, "id": "c0"},
        {"name": "pay", "args": {"account": account, "amount": 4}, "id": "c1"},
    ]
    steps = [
        {"expect": {"role": "human"}, "answer": {"tool_calls": calls}},
        {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
    ]
    return {"conversations": {account: {"pick": "match", "steps": steps}}}


ONE_LINERS = {
    "selector": {"json": {"tools": ["pay", "price_of"]}},
    "summariser": {"text": "They asked to pay."},
    "emulator": {"text": "4"},
}
"""What the helpers' models answer, whatever they are asked."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with one agent for each middleware."""
    folder = tmp_path_factory.mktemp("middleware")
    roles = {role: _scripted(folder, role, [{"answer": said}]) for role, said in ONE_LINERS.items()}
    roles |= {
        role: {"candidates": [{"model": "scripted:script.json"}]} for role in ("fast", "strong")
    }
    agents = [shopper(make(), name=name) for name, make in {**RUNS, **WITHOUT_EFFECT}.items()]
    async with worker_env(
        server, folder, agents=agents, script=script("once"), models=roles
    ) as env:
        yield env


def _scripted(folder: Path, role: str, steps: list[Any]) -> dict[str, Any]:
    conversation = {"conversations": {"all": {"pick": "match", "steps": steps}}}
    (folder / f"{role}.json").write_text(json.dumps(conversation), encoding="utf-8")
    return {"candidates": [{"model": f"scripted:{role}.json"}]}


def test_no_stock_middleware_is_missing() -> None:
    """The tables cover what langchain exports."""
    exported = {name for name in stock.__all__ if name.endswith("Middleware")} - {"AgentMiddleware"}
    assert exported | {"LLMToolEmulator"} == {*RUNS, *REFUSED, *WITHOUT_EFFECT}


@pytest.mark.parametrize("name", sorted(RUNS))
async def test_it_runs_and_replays(env: WorkerEnv, name: str) -> None:
    """The agent ends with its answer after one payment, and the history replays."""
    before = len(PAID["once"])
    handle = await env.start(name, "pay once", workflow_id=f"{name}-{uuid.uuid4().hex[:8]}")
    (action,) = await env.pending(handle)
    assert (action.tool, action.arguments) == ("pay", {"account": "once", "amount": 4})
    assert (await env.decide(handle, action, "approve")).accepted
    result = await env.result(handle)
    assert result.reply == "Done."
    assert len(PAID["once"]) == before + 1
    await env.replay(handle)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_is_refused(name: str) -> None:
    """Registration says which tool would do I/O in the workflow, and what to do."""
    with pytest.raises(UnsupportedInWorkflow, match="Wrap it"):
        shopper(REFUSED[name]())
