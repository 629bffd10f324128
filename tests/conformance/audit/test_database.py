"""The database: its migrations, and what becomes of a transaction that cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlmodel import select

from interlock.audit.contract import EventFilter, LedgerState
from interlock.audit.database import Database
from interlock.audit.migrations import VERSION_TABLE
from interlock.audit.store import SqlAuditStore
from interlock.audit.tables import EffectRow, metadata
from interlock.errors import ConfigError, DatabaseBusy


async def run(database: Database, function, *args):
    """Call a function with the connection of a writing transaction."""
    async with database.writing() as session:
        return await (await session.connection()).run_sync(function, *args)


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
        store = SqlAuditStore(impatient)
        async with database.writing() as session:
            connection = await session.connection()
            if connection.dialect.name == "postgresql":
                await connection.execute(text("LOCK TABLE audit_event IN EXCLUSIVE MODE"))

            with pytest.raises(DatabaseBusy, match="did not give a lock in time") as busy:
                await store.record([make_event("e1")])

        assert busy.value.retryable
        assert await store.record([make_event("e1")]) == 1


async def test_reading_does_not_wait_for_a_writer(database, store, make_event):
    """A reader sees the last committed state while a writer is at work."""
    await store.record([make_event("e1")])
    async with database.writing() as session:
        session.add(_effect("k1"))
        await session.flush()

        assert await store.count(EventFilter()) == 1
        async with database.reading() as reader:
            assert (await reader.exec(select(EffectRow))).all() == []


async def test_error_undoes_a_transaction(database):
    """What was written before an error is not there afterwards."""

    async def fail() -> None:
        async with database.writing() as session:
            session.add(_effect("k1"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    async with database.reading() as session:
        assert await session.get(EffectRow, "k1") is None


async def test_cancelled_writers_leave_the_database_usable(database, ledger, make_claim):
    """Attempts that are cancelled anywhere hold no lock and leave no half-written row."""
    numbers = range(20)
    for number in numbers:
        claim = make_claim(f"k{number}", request_id=f"r{number}")
        attempt = asyncio.create_task(ledger.claim(claim))
        for _ in range(20 * number):
            await asyncio.sleep(0)
        attempt.cancel()
        await asyncio.wait([attempt])

    for number in numbers:
        retried = await ledger.claim(make_claim(f"k{number}", request_id=f"r{number}"))
        assert retried.row.token == 1
    assert len(await ledger.rows(state=LedgerState.CLAIMED)) == len(numbers)


def _effect(key: str) -> EffectRow:
    return EffectRow.model_validate(
        dict.fromkeys(EffectRow.model_fields, "")
        | {
            "effect_key": key,
            "arguments": {},
            "token": 1,
            "deadline": "2030-01-01T00:00:00Z",
            "claimed_at": "2030-01-01T00:00:00Z",
            "settled_at": None,
        }
    )
