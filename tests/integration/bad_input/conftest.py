"""One deployment for the bad-input tests, and a client that knows nothing of it."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.models.catalogue import find
from interlock.testing import WorkerEnv, worker_env
from tests.integration.bad_input.deployment import LIBRARY, ROLES, SCRIPT, SCRIPTED, agents
from tests.integration.bad_input.table import Row, read_rows


@pytest.fixture(scope="session")
def row() -> Callable[[str], Row]:
    """Find a row of the bad-input table."""
    return read_rows().__getitem__


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(
    server: Client, tmp_path_factory: pytest.TempPathFactory, monkeymodule: pytest.MonkeyPatch
) -> AsyncIterator[WorkerEnv]:
    """A deployment with small limits, without a key or a library, and with a broken model file."""
    monkeymodule.delenv("OPENAI_API_KEY", raising=False)
    monkeymodule.setitem(sys.modules, LIBRARY, None)
    folder = tmp_path_factory.mktemp("bad")
    models = folder / "models"
    models.mkdir()
    (models / find("qwen2.5-coder-1.5b").file_name).write_bytes(b"these are no weights")
    async with worker_env(
        server,
        folder,
        agents=agents(),
        script=SCRIPT,
        models={"fast": SCRIPTED, "big": SCRIPTED, **ROLES},
        models_dir=models,
        limits={"result_bytes": 6_000_000, "model_mistakes": 2, "signals": 10},
        temporal={"history_events": 50},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def monkeymodule() -> Any:
    """A monkeypatch for a whole module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def account() -> str:
    """A name of one's own in the outside world."""
    return uuid.uuid4().hex


@pytest.fixture
def task(account: str) -> Callable[..., dict[str, Any]]:
    """Make the input of the agent `worker`."""

    def made(do: str, size: int = 0) -> dict[str, Any]:
        return {"do": do, "account": account, "size": size, "text": "", "done": ""}

    return made


@pytest.fixture(scope="session")
def failure() -> Callable[..., Any]:
    """Wait for a run to fail and return its error."""

    async def wait(handle: Any) -> ApplicationError:
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ApplicationError)
        return failed.value.cause

    return wait
