"""The open requests of all runs, kept at hand: a page that lists 10,000 of them asks no run.

Temporal's visibility store says which runs wait and, in their memos, for which requests; a run is
asked only when that has changed. What is asked never changes under an id, so what is kept stays true.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from interlock.errors import (
    InterlockError,
    NoWorker,
    OperatorError,
    RunFinished,
    RunNotFound,
)
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest, WaitingRun

_AT_ONCE = 10
"""Runs that are asked at the same time."""

_PART = 100
"""Runs that are asked before the list is told of them: of thousands, nobody waits for the last."""

_VOTES_SECONDS = 10.0
"""How old the votes of a request may be that several people have to approve."""

_NOBODY = NoWorker("no worker answers. See to it with `interlock doctor`.")
"""Everybody who reads the queue is told: it names no run, which may be another tenant's."""

Order = tuple[str, str, str]
"""A request's place in the list: what expires first comes first, and no two are the same."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    run: WaitingRun
    requests: tuple[OpenRequest, ...]
    at: float
    """When it was asked."""

    @property
    def may_have_votes(self) -> bool:
        """Whether some may have approved since: that shows in no memo."""
        several = any(tier.quorum > 1 for item in self.requests for tier in item.request.tiers)
        return several and time.monotonic() - self.at > _VOTES_SECONDS


class Board:
    """Follows the open requests of a deployment.

    Args:
        runs: The deployment's runs.
        refresh_seconds: How long to rest before looking again.
    """

    def __init__(self, runs: Runs, *, refresh_seconds: float) -> None:
        self._runs = runs
        self._rest = refresh_seconds
        self._kept: dict[str, _Kept] = {}
        self._places: list[tuple[Order, OpenRequest]] = []
        self._items: tuple[OpenRequest, ...] = ()
        self._version = 0
        self._turned = asyncio.Condition()
        self._looking = asyncio.Lock()
        self._looked = False
        self.is_closed = False
        self.trouble: InterlockError | None = None
        """Why the list may be old; None when it is not."""

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    async def items(self) -> tuple[OpenRequest, ...]:
        """Return the open requests, the one that expires first first.

        Raises:
            TemporalUnreachable: nothing was ever read.
        """
        while not self._looked:
            if self._looking.locked():
                await self._first_part()
            else:
                await self.refresh()
        return self._items

    async def _first_part(self) -> None:
        """Wait until somebody else's look has brought something, or is over."""
        async with self._turned:
            await self._turned.wait_for(lambda: self._looked or not self._looking.locked())

    def find(self, workflow_id: str, request_id: str) -> OpenRequest | None:
        """Return an open request as it was when its run was last asked."""
        kept = self._kept.get(workflow_id)
        items = kept.requests if kept else ()
        return next((item for item in items if item.request.id == request_id), None)

    async def follow(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.refresh()
            except InterlockError as error:
                self.trouble = error
                _log.warning("the queue was not read: %s", error.message)
            await asyncio.sleep(self._rest)

    async def refresh(self) -> None:
        """Look once, and ask the runs whose open requests have changed.

        Where those are many, the list has what is known so far, and says that it is not whole.

        Raises:
            InterlockError: Temporal does not answer.
        """
        try:
            async with self._looking:
                await self._look()
        finally:
            async with self._turned:  # whoever waits for the first look may look themselves
                self._turned.notify_all()

    async def _look(self) -> None:
        waiting = await self._runs.waiting()
        self.trouble = None
        for workflow_id in self._kept.keys() - {run.workflow_id for run in waiting}:
            self._forget(workflow_id)
        news, silent = [run for run in waiting if self._is_news(run)], 0
        for done in range(0, max(len(news), 1), _PART):
            part = news[done : done + _PART]
            silent += await self._ask(part)
            self._looked = True
            if self.trouble is not _NOBODY:
                self.trouble = _missing(len(news) - done - len(part), silent)
            await self._turn()

    async def look_at(self, workflow_id: str) -> None:
        """Ask one run now: somebody has just been heard there, and others have to be."""
        known = self._kept.get(workflow_id)
        if known is None:
            return
        at = time.monotonic()
        try:
            requests = await self._requests(workflow_id)
        except (RunFinished, RunNotFound):
            requests = ()
        except InterlockError:
            return  # the next look will tell
        self._keep(_Kept(known.run, requests, at))
        await self._turn()

    async def take_off(self, workflow_id: str, request_id: str) -> None:
        """List a request no more: it was just decided. What its run asks next, the next look tells."""
        known = self._kept.get(workflow_id)
        if known is not None:
            rest = tuple(item for item in known.requests if item.request.id != request_id)
            self._keep(replace(known, requests=rest, at=time.monotonic()))
            await self._turn()

    def _keep(self, kept: _Kept) -> None:
        """Keep what a run said, unless it said something later: two may ask at the same time."""
        known = self._kept.get(kept.run.workflow_id)
        if known is None or known.at <= kept.at:
            self._forget(kept.run.workflow_id)
            self._kept[kept.run.workflow_id] = kept
            for item in kept.requests:
                self._places.insert(self._place(item), (in_order(item), item))

    def _forget(self, workflow_id: str) -> None:
        """Forget what a run said, if it ever said something."""
        known = self._kept.pop(workflow_id, None)
        for item in known.requests if known else ():
            del self._places[self._place(item)]

    def _place(self, item: OpenRequest) -> int:
        """Return where a request is in the list, or has to be: thousands are not sorted for one."""
        return bisect_left(self._places, in_order(item), key=itemgetter(0))

    async def changed(self, since: int) -> int:
        """Wait until the board has changed since a version or closes; return the version now."""
        async with self._turned:
            await self._turned.wait_for(lambda: self._version != since or self.is_closed)
            return self._version

    async def close(self) -> None:
        """Let nobody wait for changes any more: the inbox stops."""
        async with self._turned:
            self.is_closed = True
            self._turned.notify_all()

    def _is_news(self, run: WaitingRun) -> bool:
        kept = self._kept.get(run.workflow_id)
        if kept is None or kept.may_have_votes:
            return True
        return kept.run is not run and kept.run != run

    async def _ask(self, waiting: Sequence[WaitingRun]) -> int:
        """Ask some runs, keep their answers, and return how many do not say what they ask."""
        gate = asyncio.Semaphore(_AT_ONCE)
        silent: list[str] = []

        async def ask(run: WaitingRun) -> None:
            async with gate:
                if self.trouble is _NOBODY:  # no worker answers: the others would wait as long
                    return
                at = time.monotonic()
                try:
                    self._keep(_Kept(run, await self._requests(run.workflow_id), at))
                except NoWorker:
                    self.trouble = _NOBODY
                except (RunNotFound, RunFinished):
                    pass  # it ended since it was listed
                except InterlockError as error:
                    silent.append(run.workflow_id)
                    _log.warning("run %r does not say what it asks: %s", run.workflow_id, error)

        await asyncio.gather(*map(ask, waiting))
        return len(silent)

    async def _requests(self, workflow_id: str) -> tuple[OpenRequest, ...]:
        found = await self._runs.pending(workflow_id)
        return tuple(OpenRequest(workflow_id=workflow_id, request=request) for request in found)

    async def _turn(self) -> None:
        found = tuple(item for _, item in self._places)
        async with self._turned:
            if found != self._items:
                self._items, self._version = found, self._version + 1
            self._turned.notify_all()


def _missing(unread: int, silent: int) -> OperatorError | None:
    """Return what everybody is told who reads a queue that is not whole; it names no run."""
    if unread:
        return OperatorError(f"{unread} of the runs that wait are not read yet. The list grows.")
    if not silent:
        return None
    return OperatorError(
        f"{silent} of the runs that wait {'does' if silent == 1 else 'do'} not say for what, so the "
        "list is not whole. The inbox's log names them; `interlock doctor` may tell why."
    )


def in_order(item: OpenRequest) -> Order:
    """Return a request's place in the list."""
    expires_at = item.request.expires_at
    return (f"{expires_at.timestamp():020.6f}", item.workflow_id, item.request.id)
