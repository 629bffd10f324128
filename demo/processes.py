"""The demo's own processes: each says when it is ready, and none outlives the demo."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

_READY_SECONDS = 120.0
_GOODBYE_SECONDS = 15.0


class NotReady(Exception):
    """A process ended, or took too long, before it said that it was ready."""


async def start(*arguments: str, environment: Mapping[str, str], log: Path) -> tuple[Process, str]:
    """Start a Python process and wait for its line that begins with 'ready'.

    Args:
        arguments: What follows `python`.
        environment: Variables beside those of this process.
        log: File that gets its standard error.

    Raises:
        NotReady: it did not get there; the message has the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=errors,
        )
    try:
        async with asyncio.timeout(_READY_SECONDS):
            return process, await _ready_line(process)
    except (TimeoutError, EOFError) as error:
        await stop(process)
        end = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
        raise NotReady(
            f"{' '.join(arguments)} did not start. Its log {log} ends:\n{end[-2000:]}"
        ) from error


async def _ready_line(process: Process) -> str:
    if process.stdout is None:
        raise EOFError
    while line := await process.stdout.readline():
        text = line.decode(errors="replace").strip()
        if text.startswith("ready"):
            return text
    raise EOFError


async def stop(process: Process) -> None:
    """End a process politely, then firmly."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _GOODBYE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def payment_service(folder: Path) -> AsyncIterator[str]:
    """Run the payment service with its own database and give its address."""
    process, line = await start(
        "-m",
        "tools.payment_service",
        "--database",
        str(folder / "payments.db"),
        environment={},
        log=folder / "payments.log",
    )
    try:
        yield line.removeprefix("ready").strip()
    finally:
        await stop(process)


class Worker:
    """One worker process at a time: the demo kills it and starts the next."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Process id of the worker that runs now."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start a worker and wait until it polls.

        Raises:
            NotReady: it did not start.
        """
        self._process, _ = await start("worker.py", environment=self._environment, log=self._log)

    async def kill(self) -> None:
        """Kill the worker with SIGKILL: it gets no chance to finish anything."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End the worker cleanly."""
        if self._process is not None:
            await stop(self._process)
