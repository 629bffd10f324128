"""Workers in processes of their own, for tests that kill them.

A fork server has everything imported already, so a new worker costs a fork and the opening of its
deployment. A worker ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Self

from interlock.app import App
from interlock.connection import data_folder
from interlock.registry import load
from interlock.settings import Settings
from interlock.testing.killing import Kill, Killer
from interlock.worker import run_process, running_workers

_CONTEXT = get_context("forkserver")


@dataclass(frozen=True)
class Hosting:
    """What a worker process hosts. It crosses to the process, so everything is named by reference."""

    settings: Settings
    """Agents and tools are those that `agents` and `tools` name as 'module:attribute'."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set in the process before anything is loaded: what tools read."""
    kill: Kill | None = None
    """Where the process kills itself or holds an attempt, once for its data folder."""
    setup: str | None = None
    """'module:attribute' of a function that the process calls before it opens anything."""


class WorkerProcess:
    """A running worker process. Make one with `start`."""

    def __init__(self, process: ForkServerProcess, ready: Connection) -> None:
        self._process = process
        self._channel = ready
        self._exit_code: int | None = None
        self._said = _readable(ready.fileno())
        self._ended = _readable(process.sentinel)
        self.pid = process.pid or 0
        """Process id."""

    @classmethod
    async def start(cls, hosting: Hosting) -> Self:
        """Start a process that hosts `hosting`; `ready` says when it polls."""
        named = [*hosting.settings.agents, *hosting.settings.tools]
        modules = sorted({reference.partition(":")[0] for reference in named})
        _CONTEXT.set_forkserver_preload([__name__, *modules])  # the first start decides
        mine, theirs = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_host, args=(hosting, theirs), daemon=True)
        await asyncio.to_thread(process.start)  # the fork server imports first: seconds, once
        theirs.close()
        return cls(process, mine)

    async def ready(self) -> None:
        """Wait until it polls for work.

        Raises:
            RuntimeError: it ended before; its log is `worker.log` in the data folder.
        """
        await asyncio.wait({self._said, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if self._exit_code is not None or not self._channel.poll():
            raise self._never_ready()
        try:
            self._channel.recv()
        except EOFError as error:
            raise self._never_ready() from error

    async def gone(self) -> int:
        """Wait until it has ended and return its exit code: -9 after SIGKILL."""
        await asyncio.wait({self._ended})
        if self._exit_code is None:
            self._process.join()
            self._exit_code = self._process.exitcode or 0
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            self._process.close()
        return self._exit_code

    async def kill(self) -> None:
        """Kill it with SIGKILL, unless it has ended, and wait until it is gone."""
        if not self._ended.done():
            os.kill(self.pid, signal.SIGKILL)
        await self.gone()

    def _never_ready(self) -> RuntimeError:
        return RuntimeError(
            f"worker process {self.pid} ended before it was ready. Its log says why: worker.log in "
            "the data folder."
        )


def _readable(descriptor: int) -> asyncio.Future[None]:
    """Return a future that is done when a descriptor can be read."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(descriptor)
        found.set_result(None)

    loop.add_reader(descriptor, readable)
    return found


def _host(hosting: Hosting, ready: Connection) -> None:
    """Be the worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = data_folder(hosting.settings)
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    logging.basicConfig(level=logging.WARNING)
    os.environ.update(hosting.environment)
    if hosting.setup is not None:
        load(hosting.setup)()
    run_process(_work(hosting, ready))


async def _work(hosting: Hosting, ready: Connection) -> None:
    killer = Killer(hosting.kill, data_folder(hosting.settings))
    app = App(hosting.settings, probe=killer.probe)
    app.runtime.observer = killer.observer
    async with app, running_workers(app, await app.connect()):
        ready.send("ready")
        await asyncio.Event().wait()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


__all__ = ["Hosting", "WorkerProcess"]
