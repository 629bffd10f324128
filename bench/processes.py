"""The processes of a measurement: a Temporal server and a worker of their own, fresh each time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from bench.worker import READY
from interlock.server import Server, running_server

_ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 30


@asynccontextmanager
async def server_process() -> AsyncIterator[tuple[Server, psutil.Process]]:
    """Run an in-memory Temporal server until the context ends."""
    async with running_server() as server:
        port = server.address.rpartition(":")[2]
        (process,) = (
            child for child in psutil.Process().children(recursive=True) if port in child.cmdline()
        )
        yield server, process


@asynccontextmanager
async def worker_process(name: str, address: str, folder: Path) -> AsyncIterator[psutil.Process]:
    """Run a system's worker until the context ends.

    Raises:
        RuntimeError: it did not start; says what it wrote.
    """
    log = folder / "worker.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.worker", name, address, str(folder)),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout is not None
        if (await process.stdout.readline()).decode().strip() != READY:
            raise RuntimeError(f"the worker of {name!r} did not start:\n{log.read_text()[-4000:]}")
        yield psutil.Process(process.pid)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def printed_by(module: str, *arguments: str) -> bytes:
    """Run a module of the benchmark to its end and return what it printed.

    Raises:
        RuntimeError: it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), cwd=_ROOT, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed with {process.returncode}.")
    return printed


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)
