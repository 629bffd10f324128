"""One database for the audit store and the ledger: SQLite for one machine, Postgres for several.

Transactions are short and of two kinds, reading and writing. A writer on SQLite takes the write
lock when it begins (`BEGIN IMMEDIATE`): a reader that turned into a writer would be refused at
once, whatever the timeout. Writers of one process queue in order, and those that wait share a
commit; writers of several processes wait for SQLite's own lock.

SQLite runs with `synchronous=FULL`, so that what was committed survives a power cut too: a lost claim
would let an effect be made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout
from pydantic_core import to_json
from sqlalchemy import Connection, Engine, NullPool, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from interlock.audit.failures import busy, explained
from interlock.audit.folders import unwritable
from interlock.audit.migrations import upgrade
from interlock.audit.transactions import InPool, InThread, Transactions, Work
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
        self._readers: Transactions
        self._writers: Transactions
        try:
            self._readers, self._writers = self._sqlite() if self._is_sqlite else self._postgres()
        except ImportError as error:
            raise ConfigError(
                f"{str(self.url)!r} needs a driver: {error}. Install 'interlock[postgres]'."
            ) from error

    def _sqlite(self) -> tuple[Transactions, Transactions]:
        reading, writing = (self._sqlite_engine() for _ in range(2))
        writing = writing.execution_options(**{_WRITES: True})
        return InThread(reading, "interlock-reads"), InThread(writing, "interlock-writes")

    def _sqlite_engine(self, **options: Any) -> Engine:
        url = self.url.set(drivername="sqlite")
        engine = create_engine(url, connect_args=self._connect_args(), **_OPTIONS, **options)
        _prepare_sqlite(engine)
        return engine

    def _postgres(self) -> tuple[Transactions, Transactions]:
        # A restarted server costs a ping, not a failed call.
        engine = create_async_engine(
            self.url, connect_args=self._connect_args(), pool_pre_ping=True, **_OPTIONS
        )
        pool = InPool(engine)
        return pool, pool

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
        for transactions in (self._readers, self._writers):
            await transactions.close()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state of the database and return its answer."""
        return await self._readers.run(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its answer: all of it is committed, or nothing.

        Raises:
            DatabaseBusy: another writer kept a lock for too long; nothing was changed.
        """
        return await self._writers.run(work)

    def insert_new(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Return an INSERT that leaves a row alone when its key is already there."""
        if self._is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()

    def _connect_args(self) -> dict[str, Any]:
        if self._is_sqlite:
            return {"timeout": self._busy_seconds}
        given = self.url.query.get("options", "")
        return {"options": f"{given} -c lock_timeout={round(self._busy_seconds * 1000)}".strip()}

    def _migrate(self) -> None:
        # In a thread and with a plain engine: Alembic is not asynchronous.
        with self._folder_lock() if self._is_sqlite else nullcontext():
            if self._is_sqlite:
                engine = self._sqlite_engine(poolclass=NullPool)
            else:
                engine = create_engine(
                    self.url, poolclass=NullPool, connect_args=self._connect_args()
                )
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


_OPTIONS: dict[str, Any] = {
    "json_serializer": _to_json,
    "hide_parameters": True,  # errors reach logs and histories; what rows hold must not
}


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
