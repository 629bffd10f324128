"""The shared limiter in the database: turns under a rate, and leases of what may run at once.

A call has one row, so whatever is retried books one turn. Every change is one transaction that
holds the rows of its limits: first the tool's, where calls at once are counted, then the rate's.

A rate is metered twice. Turns are booked ahead, which spreads a crowd; and when a call starts it is
metered again, because a call may come long after its turn: else all whose turns passed while no
worker ran would start together. Times are seconds since 1970 by the workers' clocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    delete,
    func,
    insert,
    select,
    update,
)

from interlock.audit.database import Database
from interlock.audit.metering import Limit, Turn, book
from interlock.audit.tables import METERS, TURNS

SLACK_SECONDS = 0.1
"""How much too early a call may start after one that was late: less than a trip to the server."""

_KEPT_SECONDS = 3600.0
"""How long a row is kept after its turn, for a call that fails and is tried again."""

_LOOK_SECONDS = (0.25, 10.0)
"""How soon a call that waits for others to end asks again: at least, and at most."""
_LOOK_STEP = 0.05
"""How much later it asks for each call that waits for longer: the longest wait looks most often."""


class SqlLimits:
    """The `Limits` on SQLite or Postgres.

    Args:
        database: The audit database.
        clock: Seconds since 1970.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._new_meter = database.insert_new(METERS)

    async def book(self, limit: Limit, call: str) -> float:
        """Give a call its turn under the rate, and return how many seconds it is away.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        return await self._database.write(
            lambda connection: self._visit(connection, limit, call).book()
        )

    async def admit(self, limit: Limit, call: str) -> Turn:
        """Let a call go whose turn has come, while few enough run; else say when to ask again.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        return await self._database.write(
            lambda connection: self._visit(connection, limit, call).admit()
        )

    async def release(self, limit: Limit, call: str, *, over: bool) -> None:
        """Take note that a call does not run any more; `over`: nor will it be tried again.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        mine = TURNS.c.call == call
        changed = update(TURNS).where(mine).values(held_until=0.0)
        ended: Executable = delete(TURNS).where(mine) if over else changed

        def work(connection: Connection) -> None:
            self._lock(connection, limit.tool)
            connection.execute(ended)

        await self._database.write(work)

    def _visit(self, connection: Connection, limit: Limit, call: str) -> _Visit:
        if limit.concurrency is not None and limit.key != limit.tool:
            self._lock(connection, limit.tool)
        meter = self._lock(connection, limit.key)
        # After the locks: a transaction that waited for them has an older idea of the time.
        return _Visit(connection, limit, call, meter=meter, now=self._clock())

    def _lock(self, connection: Connection, key: str) -> dict[str, Any]:
        # FOR UPDATE holds the row on Postgres; on SQLite a writer holds the whole file already.
        query = select(METERS).where(METERS.c.key == key).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            connection.execute(self._new_meter, {"key": key, "booked": 0.0, "started": 0.0})
            row = connection.execute(query).one()
        return dict(row._mapping)


class _Visit:
    """A call before its limits, within one transaction that holds them."""

    def __init__(
        self,
        connection: Connection,
        limit: Limit,
        call: str,
        *,
        meter: dict[str, Any],
        now: float,
    ) -> None:
        self._connection = connection
        self._limit = limit
        self._meter = meter
        self._now = now
        outdated = (TURNS.c.key == limit.key) & (TURNS.c.expires_at < now)
        connection.execute(delete(TURNS).where(outdated))
        self._turn = self._find(call) or self._begin(call)

    def book(self) -> float:
        if self._turn["due_at"] is None:
            self._take_turn()
        return self._away()

    def admit(self) -> Turn:
        calls = self._turn["calls"] + 1
        if self._limit.concurrency is not None and self._running() >= self._limit.concurrency:
            return Turn(self._wait_for_others(), calls, busy=True)
        wait = self._wait_for_rate()
        if wait > 0:
            return Turn(wait, calls)
        self._save(
            calls=calls,
            due_at=None,
            moved=False,
            looks_until=0.0,
            held_until=self._now + self._limit.lease_seconds,
        )
        return Turn(0.0, calls)

    def _wait_for_rate(self) -> float:
        if self._limit.per_second is None:
            return 0.0
        if self._turn["due_at"] is None:
            self._take_turn()
        if self._away() == 0 and not self._turn["moved"]:
            self._save(due_at=self._meter_at("started", slack=SLACK_SECONDS), moved=True)
        return self._away()

    def _away(self) -> float:
        return max(0.0, float(self._turn["due_at"]) - self._now)

    def _take_turn(self) -> None:
        self._save(due_at=self._meter_at("booked"), moved=False)

    def _meter_at(self, meter: str, *, slack: float = 0.0) -> float:
        """Count the call, and return when it may go."""
        if self._limit.per_second is None:
            return self._now
        due, tat = book(
            self._meter[meter], self._now, self._limit.per_second, self._limit.burst, slack=slack
        )
        self._meter[meter] = tat
        changed = update(METERS).where(METERS.c.key == self._limit.key)
        self._connection.execute(changed.values({meter: tat}))
        return due

    def _running(self) -> int:
        return self._count(TURNS.c.held_until > self._now)

    def _wait_for_others(self) -> float:
        before = self._count(
            TURNS.c.held_until <= self._now,
            TURNS.c.looks_until > self._now,
            TURNS.c.asked_at < self._turn["asked_at"],
        )
        soonest, latest = _LOOK_SECONDS
        wait = min(latest, soonest + _LOOK_STEP * before)
        self._save(looks_until=self._now + 2 * wait + 1.0)
        return wait

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        others = (TURNS.c.tool == self._limit.tool, TURNS.c.call != self._turn["call"])
        query = select(func.count()).select_from(TURNS).where(*others, *conditions)
        return int(self._connection.execute(query).scalar_one())

    def _find(self, call: str) -> dict[str, Any] | None:
        row = self._connection.execute(select(TURNS).where(TURNS.c.call == call)).one_or_none()
        return None if row is None else dict(row._mapping)

    def _begin(self, call: str) -> dict[str, Any]:
        turn = {
            "call": call,
            "tool": self._limit.tool,
            "key": self._limit.key,
            "asked_at": self._now,
            "due_at": None,
            "moved": False,
            "calls": 0,
            "held_until": 0.0,
            "looks_until": 0.0,
            "expires_at": self._now + _KEPT_SECONDS,
        }
        self._connection.execute(insert(TURNS).values(turn))
        return turn

    def _save(self, **values: Any) -> None:
        self._turn |= values
        latest = max(self._turn["due_at"] or self._now, self._turn["held_until"], self._now)
        self._turn["expires_at"] = latest + _KEPT_SECONDS
        mine = update(TURNS).where(TURNS.c.call == self._turn["call"])
        self._connection.execute(mine.values(self._turn))
