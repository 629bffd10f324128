"""The shared limiter, on SQLite and on Postgres."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from interlock.audit.database import Database
from interlock.audit.limits import SqlLimits
from interlock.audit.metering import Limit

RATE = Limit(tool="crm", key="crm", per_second=2.0)
PAIR = Limit(tool="crm", key="crm", concurrency=2, lease_seconds=30)


class Clock:
    """A time that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands."""
    return Clock()


@pytest.fixture
def limits(database: Database, clock: Clock) -> SqlLimits:
    """Give a limiter on an empty database."""
    return SqlLimits(database, clock=clock)


async def test_each_call_has_a_turn_of_its_own(limits: SqlLimits) -> None:
    """Calls that ask at once are a step of the rate apart."""
    assert [await limits.book(RATE, f"c{number}") for number in range(4)] == pytest.approx(
        [0, 0.5, 1, 1.5]
    )


async def test_asking_again_books_nothing(limits: SqlLimits, clock: Clock) -> None:
    """A retried booking is answered with the same turn, and the next call comes right after it."""
    await limits.book(RATE, "first")
    assert await limits.book(RATE, "second") == pytest.approx(0.5)
    clock.now += 0.2
    assert await limits.book(RATE, "second") == pytest.approx(0.3)
    assert await limits.book(RATE, "third") == pytest.approx(0.8)


async def test_a_turn_is_used_once(limits: SqlLimits, clock: Clock) -> None:
    """A call goes when its turn has come; a retry of it takes another turn."""
    await limits.book(RATE, "first")
    await limits.book(RATE, "call")
    early = await limits.admit(RATE, "call")
    assert early.wait_seconds == pytest.approx(0.5)
    clock.now += 0.5
    assert await limits.admit(RATE, "call") == (0.0, 1, False)
    again = await limits.admit(RATE, "call")
    assert (again.wait_seconds, again.calls) == (pytest.approx(0.5), 2)
    clock.now += 0.5
    assert await limits.admit(RATE, "call") == (0.0, 2, False)


async def test_calls_that_were_kept_from_their_turns_do_not_start_together(
    limits: SqlLimits, clock: Clock
) -> None:
    """Calls whose turns passed while no worker ran are spread again, each once: then it goes."""
    calls = [f"c{number}" for number in range(6)]
    for call in calls:
        await limits.book(RATE, call)
    clock.now += 60
    turns = [await limits.admit(RATE, call) for call in calls]
    assert [turn.wait_seconds for turn in turns] == pytest.approx([0, 0.4, 0.9, 1.4, 1.9, 2.4])
    clock.now += 60
    assert (await limits.admit(RATE, calls[1])).wait_seconds == 0


async def test_keys_do_not_share_a_rate(limits: SqlLimits) -> None:
    """What one tenant books does not delay another."""
    other = RATE.model_copy(update={"key": "crm/other"})
    for number in range(5):
        await limits.book(RATE, f"c{number}")
    assert await limits.book(other, "theirs") == 0


async def test_a_rate_outlives_the_process(url: str, clock: Clock) -> None:
    """A database that is opened again knows what was booked."""
    for number, expected in enumerate([0, 0.5, 1.0]):
        async with Database(url) as database:
            limits = SqlLimits(database, clock=clock)
            assert await limits.book(RATE, f"c{number}") == pytest.approx(expected)


async def test_only_so_many_run_at_once(limits: SqlLimits) -> None:
    """The third of two waits, and goes when one has ended."""
    assert (await limits.admit(PAIR, "a")).wait_seconds == 0
    assert (await limits.admit(PAIR, "b")).wait_seconds == 0
    refused = await limits.admit(PAIR, "c")
    assert refused.busy
    assert refused.wait_seconds > 0
    await limits.release(PAIR, "a", over=False)
    assert (await limits.admit(PAIR, "c")).wait_seconds == 0
    await limits.release(PAIR, "b", over=True)
    assert (await limits.admit(PAIR, "a")).calls == 2
    await limits.release(PAIR, "c", over=True)
    assert (await limits.admit(PAIR, "b")).calls == 1


async def test_the_lease_of_a_dead_worker_ends(limits: SqlLimits, clock: Clock) -> None:
    """A place that nobody gives back is free when its lease is over; its own call has it at once."""
    for call in ("a", "b"):
        await limits.admit(PAIR, call)
    clock.now += 29
    assert (await limits.admit(PAIR, "c")).busy
    assert await limits.admit(PAIR, "a") == (0.0, 2, False)
    clock.now += 2
    assert (await limits.admit(PAIR, "c")).wait_seconds == 0
    assert (await limits.admit(PAIR, "d")).busy


async def test_who_waits_longest_looks_most_often(limits: SqlLimits, clock: Clock) -> None:
    """The place of a call among those that wait decides how soon it looks again."""
    for call in ("a", "b"):
        await limits.admit(PAIR, call)
    waits = []
    for number in range(10):
        clock.now += 0.001
        waits.append((await limits.admit(PAIR, f"w{number}")).wait_seconds)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


async def test_a_call_that_finds_no_place_uses_no_turn(limits: SqlLimits, clock: Clock) -> None:
    """Rate and concurrency together: waiting for others to end costs nothing of the rate."""
    both = RATE.model_copy(update={"concurrency": 1, "lease_seconds": 30.0, "key": "crm/t"})
    await limits.admit(both, "a")
    clock.now += 10
    for _ in range(5):
        assert (await limits.admit(both, "b")).busy
    await limits.release(both, "a", over=True)
    assert await limits.admit(both, "b") == (0.0, 1, False)


async def test_old_turns_are_forgotten(limits: SqlLimits, database: Database, clock: Clock) -> None:
    """Rows of calls that are long over go when the limit is used again."""
    for number in range(5):
        await limits.admit(RATE.model_copy(update={"per_second": 1000.0}), f"c{number}")
        clock.now += 1
    clock.now += 7200
    await limits.book(RATE, "new")
    assert await _turns(database, "call") == ["new"]


async def test_processes_share_one_rate(url: str) -> None:
    """Processes that book at once get turns a step apart, each of them once, under any order."""
    script = Path(__file__).with_name("booker.py")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-Werror",
            script,
            url,
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "two", "three")
    ]
    for process in processes:
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline()) == "ready"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * 3
    async with Database(url) as database:
        turns = [due for due in await _turns(database, "due_at") if due is not None]
    assert len(turns) == 60
    steps = [later - sooner for sooner, later in pairwise(sorted(turns))]
    assert min(steps) == pytest.approx(0.1, abs=1e-3)
    admitted = [name for out, _ in answers for name in json.loads(out)]
    assert len(admitted) == 4


async def _turns(database: Database, column: str) -> list[Any]:
    def work(connection: Connection) -> list[Any]:
        return list(connection.execute(text(f"SELECT {column} FROM limit_turn")).scalars())

    return await database.read(work)
