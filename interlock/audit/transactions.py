"""How transactions run: on SQLite in a thread that takes what waits together, on Postgres in a pool.

A commit waits for the disk, and works that come meanwhile wait for it. So the thread of SQLite's
writers makes all works that wait in one transaction: under load one commit serves many, and still
no work has its answer before it is on the disk.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from interlock.audit.failures import explained
from interlock.errors import DatabaseBusy, StoreUnwritable

T = TypeVar("T")
Work = Callable[[Connection], T]
"""What is done in a transaction. It may be done again when another one in it failed, so it changes
nothing but the database."""

_TOGETHER = 64
"""Works of one transaction at most: other processes wait for its lock."""


class Transactions(Protocol):
    """Runs works of one kind, reading or writing."""

    def run(self, work: Work[T]) -> Awaitable[T]:
        """Run `work` in a transaction, to its end, and return its answer.

        A cancellation is raised when the transaction is over.
        """
        ...

    def close(self) -> Awaitable[None]:
        """End what was begun; nothing may run any more."""
        ...


@dataclass(frozen=True)
class _Job:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


class InThread:
    """Works of one SQLite engine, one transaction after the other, in the order they come."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Begin with the first work; `name` is the thread's."""
        self._engine = engine
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    async def run(self, work: Work[T]) -> T:
        """Run `work`: see `Transactions`."""
        if self._thread.ident is None:
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, loop, answer))
        return await _to_its_end(answer)

    async def close(self) -> None:
        """End the thread and close its connection."""
        if self._thread.ident is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while (first := self._jobs.get()) is not None:
            self._make([first, *self._waiting()])
        self._engine.dispose()

    def _waiting(self) -> list[_Job]:
        found: list[_Job] = []
        while len(found) < _TOGETHER - 1:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)  # for `_serve`, when these are made
                break
            found.append(job)
        return found

    def _make(self, jobs: list[_Job]) -> None:
        try:
            with explained(self._engine.url), self._engine.begin() as connection:
                answers = [job.work(connection) for job in jobs]
        except BaseException as error:  # noqa: BLE001  it is raised to whoever waits
            if len(jobs) == 1 or isinstance(error, DatabaseBusy | StoreUnwritable):
                _answer([(job, None, error) for job in jobs])
            else:
                for job in jobs:  # one of them failed, and must not undo the others
                    self._make([job])
        else:
            _answer([(job, answer, None) for job, answer in zip(jobs, answers, strict=True)])


class InPool:
    """Works of one engine of an asynchronous driver, side by side."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def run(self, work: Work[T]) -> T:
        """Run `work`: see `Transactions`."""
        return await _to_its_end(asyncio.ensure_future(self._run(work)))

    async def _run(self, work: Work[T]) -> T:
        with explained(self._engine.url):
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def _to_its_end(running: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


_Answer = tuple[_Job, Any, BaseException | None]


def _answer(answers: list[_Answer]) -> None:
    """Answer from the thread, with one call for each loop that waits."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = defaultdict(list)
    for answer in answers:
        by_loop[answer[0].loop].append(answer)
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set, own)


def _set(answers: list[_Answer]) -> None:
    for job, value, error in answers:
        if job.answer.cancelled():
            continue
        if error is None:
            job.answer.set_result(value)
        else:
            job.answer.set_exception(error)
