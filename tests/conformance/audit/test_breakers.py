"""Breakers in the database: every change is whole, whoever else changes the same row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from interlock.audit.breakers import SqlBreakers
from interlock.audit.contract import BreakerRow, BreakerState
from interlock.audit.database import Database
from interlock.tools.breaker import counted, probed, probing
from interlock.tools.contract import Breaker

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
TERMS = Breaker(failure_rate=0.5, window_seconds=30, min_calls=10, open_seconds=20)


async def test_a_new_dependency_is_closed_and_kept(database):
    """The first change makes the row; what was put there is read by everyone."""
    store = SqlBreakers(database)
    assert await store.read() == []
    row = BreakerRow(
        dependency="payments",
        state=BreakerState.OPEN,
        token=3,
        until=NOW,
        changed_at=NOW,
        why="TimeoutError: \x00 no answer",
        counts=((SECOND, 4, 2),),
    )
    before, after = await store.change("payments", lambda found: row)
    assert before == BreakerRow(dependency="payments")
    assert after == row
    assert await store.read() == [row.model_copy(update={"why": "TimeoutError: \ufffd no answer"})]


async def test_an_error_changes_nothing(database):
    """What a change raises is raised, and the row is as it was."""
    store = SqlBreakers(database)
    with pytest.raises(ZeroDivisionError):
        await store.change("payments", lambda found: 1 / 0)
    assert await store.read() == []


async def test_of_many_workers_one_opens_and_one_probes(url):
    """Reports of several connections add up, one of them opens, and one gets the probe."""
    async with Database(url, busy_seconds=30) as one, Database(url, busy_seconds=30) as two:
        stores = (SqlBreakers(one), SqlBreakers(two))

        async def report(number: int) -> bool:
            before, after = await stores[number % 2].change(
                "payments", lambda row: counted(row, TERMS, {SECOND + number % 3: (1, 1)}, NOW)
            )
            return before.state is not after.state

        assert await asyncio.gather(*map(report, range(9))) == [False] * 9
        assert sum(await asyncio.gather(*map(report, range(20)))) == 1
        (row,) = await stores[0].read()
        assert (row.state, row.token) == (BreakerState.OPEN, 1)

        later = NOW + timedelta(seconds=20)

        async def probe(number: int) -> int:
            before, after = await stores[number % 2].change(
                "payments", lambda row: probing(row, later, 5)
            )
            return after.token if after.token != before.token else 0

        tokens = sorted(await asyncio.gather(*map(probe, range(20))))
        assert tokens == [0] * 19 + [2]
        _, closed = await stores[1].change(
            "payments", lambda row: probed(row, TERMS, 2, False, later)
        )
        assert await stores[0].read() == [closed]
        assert closed.state is BreakerState.CLOSED


async def test_a_database_of_an_older_version_has_none(database):
    """Whoever only looks can tell that breakers are not there yet."""
    store = SqlBreakers(database)
    assert await store.exist()

    await database.write(lambda connection: connection.execute(text("DROP TABLE breaker")))
    assert not await store.exist()
