"""The processes of a measurement: server, workers and third party, fresh each time."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.worker import HOSTS, READY
from interlock.server import Server, running_server

_ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 30


@asynccontextmanager
async def server_process(
    database: Path | None = None,
) -> AsyncIterator[tuple[Server, psutil.Process]]:
    """Run a Temporal server until the context ends; without a database it keeps all in memory."""
    async with running_server(database) as server:
        port = server.address.rpartition(":")[2]
        (process,) = (
            child for child in psutil.Process().children(recursive=True) if port in child.cmdline()
        )
        yield server, process


class WorkerProcess:
    """A worker that is up."""

    def __init__(self, process: Process | None) -> None:
        """Take a process, or None for this one."""
        self._process = process
        self.at = psutil.Process(process.pid if process else None)

    async def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def worker_process(
    name: str,
    address: str,
    folder: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    here: bool = False,
) -> AsyncIterator[WorkerProcess]:
    """Run a worker until the context ends.

    Args:
        name: What it hosts, of `bench.worker.HOSTS`.
        address: The Temporal server's.
        folder: Where its deployment is.
        settings: More settings of a deployment of Interlock.
        here: In this process: for a measurement that only shows that it works.

    Raises:
        RuntimeError: it did not start; says what it wrote.
    """
    if here:
        async with HOSTS[name](address, folder, dict(settings or {})):
            yield WorkerProcess(None)
        return
    log = folder / "worker.log"
    with log.open("ab") as errors:
        process = await _start(
            *("bench.worker", name, address, str(folder), json.dumps(settings or {})),
            stderr=errors,
        )
    try:
        if await _first_line(process) != READY:
            raise RuntimeError(f"the worker of {name!r} did not start:\n{log.read_text()[-4000:]}")
        yield WorkerProcess(process)
    finally:
        await _stop(process)


class ThirdParty:
    """The third party that is up, and the calls that came to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: dict[str, list[float]] = defaultdict(list)
        """Moments of the monotonic clock by key."""
        self._came = asyncio.Condition()

    def address(self, key: str) -> str:
        """Return where it takes the effect of a key."""
        return f"{self.url}/effects/{key}"

    async def call(self, key: str, *, after: float = 0.0) -> float:
        """Wait for the first call of a key after a moment, and return when it came."""
        async with self._came:
            while True:
                later = [moment for moment in self.calls[key] if moment > after]
                if later:
                    return later[0]
                await self._came.wait()

    async def listen(self, process: Process) -> None:
        """Take note of calls until the process ends."""
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            async with self._came:
                self.calls[said["key"]].append(said["at"])
                self._came.notify_all()


@asynccontextmanager
async def third_party_process() -> AsyncIterator[ThirdParty]:
    """Run a third party until the context ends.

    Raises:
        RuntimeError: it did not start.
    """
    process = await _start("bench.third_party")
    try:
        said, _, url = (await _first_line(process)).partition(" ")
        if said != READY:
            raise RuntimeError("the third party did not start: standard error says why.")
        third_party = ThirdParty(url)
        listening = asyncio.create_task(third_party.listen(process))
        yield third_party
        listening.cancel()
    finally:
        await _stop(process)


async def printed_by(module: str, *arguments: str) -> bytes:
    """Run a module of the benchmark to its end and return what it printed.

    Raises:
        RuntimeError: it failed.
    """
    process = await _start(module, *arguments)
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed with {process.returncode}.")
    return printed


async def _start(
    module: str,
    *arguments: str,
    stderr: Any = None,
) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=_ROOT,
        stdin=PIPE,
        stdout=PIPE,
        stderr=stderr,
    )


async def _first_line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def _stop(process: Process) -> None:
    """Let a process end by itself, since its standard input does; kill it when that takes long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
