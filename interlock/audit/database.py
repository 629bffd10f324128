"""One database for the audit store and the ledger: SQLite for one machine, Postgres for several.

Transactions are short and of two kinds, reading and writing. A writer on SQLite takes the write
lock when it begins (`BEGIN IMMEDIATE`): a reader that turned into a writer would be refused at
once, whatever the timeout. Writers of one process queue in order; writers of several processes
wait for SQLite's own lock.

SQLite runs with `synchronous=FULL`, so that what was committed survives a power cut too: a lost claim
would let an effect be made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout
from pydantic_core import to_json
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.audit.failures import busy, explained
from interlock.audit.folders import unwritable
from interlock.audit.migrations import upgrade
from interlock.errors import ConfigError

T = TypeVar("T")

_SQLITE = "sqlite+aiosqlite"
_POSTGRES = "postgresql+psycopg"
_ALLOWED = (
    "Write 'sqlite+aiosqlite:///FILE' for a file on this machine, or "
    "'postgresql+psycopg://USER:PASSWORD@HOST/NAME'."
)
_WRITES = "interlock_writes"


class Database:
    """The audit database: opened once in a process, shared by its stores.

    Args:
        url: `sqlite+aiosqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.
        busy_seconds: How long a transaction waits for another writer's lock.

    Raises:
        ConfigError: another kind of URL, or its driver is not installed.
    """

    def __init__(self, url: str, *, busy_seconds: float = 5.0) -> None:
        self.url = _checked(url)
        self._busy_seconds = busy_seconds
        self._is_sqlite = self.url.drivername == _SQLITE
        options: dict[str, Any] = {
            "connect_args": self._connect_args(),
            "json_serializer": _to_json,
            "hide_parameters": True,  # errors reach logs and histories; what rows hold must not
        }
        if not self._is_sqlite:
            options["pool_pre_ping"] = True  # a restarted server costs a ping, not a failed call
        try:
            self._engine = create_async_engine(self.url, **options)
        except ImportError as error:
            raise ConfigError(
                f"{str(self.url)!r} needs a driver: {error}. Install 'interlock[postgres]'."
            ) from error
        if self._is_sqlite:
            _prepare_sqlite(self._engine.sync_engine)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._turn: AbstractAsyncContextManager[None] = (
            asyncio.Lock() if self._is_sqlite else nullcontext()
        )

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Create what is missing and run the migrations; processes may do so at once.

        Raises:
            DatabaseBusy: another process kept the database locked for too long.
            DatabaseUnreachable: no server answers.
            StoreUnwritable: the file or its folder cannot be written.
            ConfigError: the database was written by a newer Interlock.
        """
        with explained(self.url):
            await asyncio.to_thread(self._migrate)

    async def close(self) -> None:
        """Close every connection; nothing may use the database any more."""
        await self._engine.dispose()

    async def read(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `work` on one consistent state of the database and return its answer."""
        return await self._transact(self._engine, work)

    async def write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `work` in a transaction and return its answer: all of it is committed, or nothing.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        async with self._turn:
            return await self._transact(self._writer, work)

    def insert_new(self, table: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT that leaves a row alone when its key is already there."""
        if self._is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()

    async def _transact(
        self, engine: AsyncEngine, work: Callable[[AsyncSession], Awaitable[T]]
    ) -> T:
        async def run() -> T:
            with explained(self.url):
                async with AsyncSession(engine) as session, session.begin():
                    return await work(session)

        # A transaction is never left halfway. Cancelled there, a SQLite connection is closed without
        # a rollback, and Python keeps the file's write lock until it collects the connection.
        task = asyncio.create_task(run())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _connect_args(self) -> dict[str, Any]:
        if self._is_sqlite:
            return {"timeout": self._busy_seconds}
        given = self.url.query.get("options", "")
        return {"options": f"{given} -c lock_timeout={round(self._busy_seconds * 1000)}".strip()}

    def _migrate(self) -> None:
        # In a thread and with a plain engine: Alembic is not asynchronous.
        url = self.url.set(drivername="sqlite") if self._is_sqlite else self.url
        with self._folder_lock() if self._is_sqlite else nullcontext():
            engine = create_engine(url, poolclass=NullPool, connect_args=self._connect_args())
            if self._is_sqlite:
                _prepare_sqlite(engine)
            with engine.execution_options(**{_WRITES: True}).begin() as connection:
                upgrade(connection)

    @contextmanager
    def _folder_lock(self) -> Iterator[None]:
        # SQLite does not wait for its own lock while a new file is switched to WAL.
        path = Path(str(self.url.database))
        lock = FileLock(f"{path}.lock", timeout=self._busy_seconds)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise busy(self.url, error) from error
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            yield
        finally:
            lock.release()


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"The audit URL is not a database URL: {error}. {_ALLOWED}") from error
    if parsed.drivername == _POSTGRES:
        return parsed
    if parsed.drivername == _SQLITE and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise ConfigError(f"{str(parsed)!r} cannot hold audit events. {_ALLOWED}")


def _to_json(value: object) -> str:
    # The standard library writes NaN as it is, and Postgres refuses it.
    return to_json(value, inf_nan_mode="strings").decode()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
