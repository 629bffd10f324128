"""The database: its migrations, and what becomes of a transaction that cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.util import await_only

from interlock.audit.contract import EventFilter, LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.migrations import VERSION_TABLE, upgrade
from interlock.audit.store import SqlAuditStore
from interlock.audit.tables import EFFECTS, metadata
from interlock.errors import ConfigError, DatabaseBusy


async def run(database: Database, function, *args):
    """Call a function with the connection of a writing transaction."""
    return await database.write(lambda connection: function(connection, *args))


class Pause:
    """A point in a work at which it waits, whatever thread it runs in."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def __call__(self, connection: Connection) -> None:
        """Wait in the work until the test says to go on."""
        self.loop.call_soon_threadsafe(self.reached.set)
        if connection.dialect.is_async:
            await_only(self.go_on.wait())
        else:
            asyncio.run_coroutine_threadsafe(self.go_on.wait(), self.loop).result(10)


async def test_migrations_make_what_the_models_say(database):
    """After the migrations Alembic finds no difference between the database and the models."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        return compare_metadata(context, metadata)

    assert await run(database, differences) == []


async def test_migrations_name_things_as_the_models_do(database):
    """Primary keys and unique constraints, which Alembic does not compare, have the same names."""

    def names(connection: Connection) -> Iterator[tuple[str, object, object]]:
        found = inspect(connection)
        return [
            (
                table,
                found.get_pk_constraint(table),
                found.get_unique_constraints(table),
            )
            for table in sorted(metadata.tables)
        ]

    migrated = await run(database, names)
    await run(database, metadata.drop_all)
    await run(database, metadata.create_all)

    assert await run(database, names) == migrated


async def test_opening_again_keeps_everything(url, make_event):
    """A database that is opened anew has its events, and the migrations run no second time."""
    async with Database(url) as database:
        await SqlAuditStore(database).record([make_event("e1")])

    async with Database(url) as database:
        await database.open()
        assert await SqlAuditStore(database).count(EventFilter()) == 1


async def test_opened_twice_at_once(url):
    """Two openings in one process, at the same time, are no harm."""
    first, second = Database(url), Database(url)

    await asyncio.gather(first.open(), second.open())

    for database in (first, second):
        assert await SqlAuditStore(database).count(EventFilter()) == 0
        await database.close()


async def test_second_migration_waits_for_the_first(url, tmp_path):
    """A database that is being migrated is opened when that is done, and finds nothing to do."""
    (tmp_path / "data").mkdir()
    pause = Pause()
    first, second = Database(url), Database(url)

    def migrate(connection):
        upgrade(connection)
        pause(connection)

    migrating = asyncio.create_task(first.write(migrate))
    await pause.reached.wait()
    opening = asyncio.create_task(second.open())
    done, _ = await asyncio.wait([opening], timeout=0.5)
    pause.go_on.set()
    await asyncio.gather(migrating, opening)

    assert not done
    assert await SqlAuditStore(second).count(EventFilter()) == 0
    await first.close()
    await second.close()


async def test_newer_database_is_refused(url):
    """A database with a revision that this version does not know is left alone."""
    async with Database(url) as database:
        await run(
            database, lambda c: c.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        )

        with pytest.raises(ConfigError, match=r"written by a newer Interlock.*9999"):
            await database.open()


async def test_locked_database_is_busy(url, database, make_event):
    """A writer that gets no lock in time is told so, and may come again."""
    async with Database(url, busy_seconds=0.1) as impatient:
        store, pause = SqlAuditStore(impatient), Pause()

        def hold(connection):
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE audit_event IN EXCLUSIVE MODE"))
            pause(connection)

        holding = asyncio.create_task(database.write(hold))
        await pause.reached.wait()
        with pytest.raises(DatabaseBusy, match="did not give a lock in time") as busy:
            await store.record([make_event("e1")])
        pause.go_on.set()
        await holding

        assert busy.value.retryable
        assert await store.record([make_event("e1")]) == 1


async def test_writers_on_two_connections_wait_for_each_other(url, ledger, make_claim):
    """Attempts of two processes that first read and then write all get their turn."""
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        await ledger.claim(make_claim(key))

    async with Database(url) as other:
        ledgers = (ledger, SqlLedger(other))
        settled = await asyncio.gather(
            *(ledgers[n % 2].settle(key, 1, LedgerState.DONE) for n, key in enumerate(keys))
        )

    assert settled == [True] * len(keys)


async def test_reading_does_not_wait_for_a_writer(database, store, make_event):
    """A reader sees the last committed state while a writer is at work."""
    await store.record([make_event("e1")])
    pause = Pause()

    def write(connection):
        _add(connection, "k1")
        pause(connection)

    writing = asyncio.create_task(database.write(write))
    await pause.reached.wait()
    assert (await store.count(EventFilter()), await database.read(_effects)) == (1, [])
    pause.go_on.set()
    await writing
    assert await database.read(_effects) == ["k1"]


async def test_error_undoes_a_transaction(database):
    """What was written before an error is not there afterwards."""

    def fail(connection):
        _add(connection, "k1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fail)

    assert await database.read(_effects) == []


async def test_cancelled_transaction_is_whole(database):
    """A transaction whose caller is cancelled ends first, and is committed whole."""
    pause = Pause()

    def write(connection):
        _add(connection, "k1")
        pause(connection)
        _add(connection, "k2")

    caller = asyncio.create_task(database.write(write))
    await pause.reached.wait()
    caller.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not caller.done()
    pause.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await database.read(_effects) == ["k1", "k2"]


async def test_cancelled_writers_leave_no_lock(url, make_claim):
    """Attempts that are cancelled at any moment hold no lock and leave no half-written row."""
    attempts = []  # kept, as a worker may keep a failed activity's traceback
    async with Database(url, busy_seconds=0.5) as database:
        ledger = SqlLedger(database)
        for number in range(30):
            claim = make_claim(f"k{number}", request_id=f"r{number}")
            attempts.append(asyncio.create_task(ledger.claim(claim)))
            for _ in range(10 * number):
                await asyncio.sleep(0)
            attempts[-1].cancel()
            await asyncio.wait(attempts)

        for number in range(30):
            retried = await ledger.claim(make_claim(f"k{number}", request_id=f"r{number}"))
            assert retried.row.token == 1
        assert len(await ledger.rows(state=LedgerState.CLAIMED)) == 30


def _effects(connection):
    return list(connection.execute(select(EFFECTS.c.effect_key).order_by("effect_key")).scalars())


def _add(connection, key):
    row = dict.fromkeys(EFFECTS.c.keys(), "") | {
        "effect_key": key,
        "arguments": {},
        "token": 1,
        "deadline": datetime(2030, 1, 1, tzinfo=UTC),
        "claimed_at": datetime(2030, 1, 1, tzinfo=UTC),
        "settled_at": None,
    }
    connection.execute(EFFECTS.insert(), row)
