"""Every implementation of the long-term store, behind the types that a graph and a worker see."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from interlock.context import CallContext
from interlock.memory import MEMORY_PORT
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import Hashing
from interlock.memory.store import Store

CONTEXT = CallContext(agent="tester", lineage="namespace/workflow/run")

_CHROMA = [sys.executable, "-c", "from chromadb.cli.cli import app; app()", "run"]


class Clock:
    """A clock that moves a millisecond a look, and as far as it is told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the test's memory."""
    return Clock()


@contextmanager
def run_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Chroma server on a port of its own, and give its URL once it answers."""
    for attempt in range(3):
        place = folder / str(attempt)
        place.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["--path", str(place), "--host", "127.0.0.1", "--port", str(port)]
        with (place / "log").open("wb") as log:
            server = subprocess.Popen([*_CHROMA, *options], stdout=log, stderr=subprocess.STDOUT)
        try:
            if _answers(url := f"http://127.0.0.1:{port}"):
                yield url, server
                return
        finally:
            server.terminate()
            server.wait(timeout=30)
    pytest.fail(f"`chroma run` did not start; see the logs below {folder}")


def _answers(url: str) -> bool:
    # The transport tries to connect again after 0, 0.5, 1, 2, 4 ... seconds.
    with httpx.Client(transport=httpx.HTTPTransport(retries=7)) as client:
        try:
            return client.get(f"{url}/api/v2/heartbeat").is_success
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Chroma server for the session and give its URL."""
    with run_server(tmp_path_factory.mktemp("chroma-server")) as (url, _):
        yield url


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Chroma server that the test may end."""
    with run_server(tmp_path) as running:
        yield running


@pytest.fixture(params=["embedded", "server"])
async def memory(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[ChromaMemory]:
    """Give an open, empty memory: in a folder of its own, and in a collection on the server."""
    embedded = request.param == "embedded"
    where = tmp_path / "chroma" if embedded else request.getfixturevalue("chroma_url")
    name = f"t{uuid.uuid4().hex}"
    async with ChromaMemory(where, Hashing(), collection=name, clock=clock) as opened:
        yield opened


@pytest.fixture(params=["langgraph", "embedded", "server"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseStore]:
    """Give an empty store: LangGraph's own as the reference, and Interlock's on each Chroma."""
    if request.param == "langgraph":
        yield InMemoryStore(index={"dims": 384, "embed": Hashing().embed, "fields": ["$"]})
        return
    embedded = request.param == "embedded"
    where: Any = tmp_path / "chroma" if embedded else request.getfixturevalue("chroma_url")
    async with AsyncExitStack() as stack:
        memory = ChromaMemory(where, Hashing(), collection=f"t{uuid.uuid4().hex}")
        await stack.enter_async_context(memory)
        token = MEMORY_PORT.set(memory.bound(CONTEXT))
        stack.callback(MEMORY_PORT.reset, token)
        yield Store()
