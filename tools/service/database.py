"""Sessions on the CRM's SQLite database, wherever `SHOP_CRM_URL` says it is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.errors import ToolUnavailable

DEFAULT_URL = "sqlite+aiosqlite:///.interlock/shop/crm.db"
"""The CRM of a project folder."""
_LOCK_SECONDS = 8.0


def crm_url() -> str:
    """Return where the CRM is."""
    return os.environ.get("SHOP_CRM_URL", DEFAULT_URL)


async def prepare() -> None:
    """Make the database file, in the mode in which readers and one writer do not wait."""
    async with _engine(crm_url()).connect() as connection:
        await connection.exec_driver_sql("PRAGMA journal_mode=WAL")


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncSession]:
    """Open a session that sees one state of the CRM and changes nothing.

    Raises:
        ToolUnavailable: the CRM cannot be opened.
    """
    async with AsyncSession(_engine(crm_url())) as session:
        await _begin(session, "BEGIN")
        yield session


@asynccontextmanager
async def writing(deadline: datetime | None = None) -> AsyncIterator[AsyncSession]:
    """Open a session that holds the write lock, so that what it checks still holds when it writes.

    Commits at the end, and rolls back when the block raises.

    Raises:
        ToolUnavailable: the CRM cannot be opened or stays locked, or the end came after `deadline`;
            nothing was written.
    """
    async with AsyncSession(_engine(crm_url())) as session:
        await _begin(session, "BEGIN IMMEDIATE")
        yield session
        if deadline is not None and datetime.now(UTC) > deadline:
            raise ToolUnavailable("the CRM was ready too late; nothing was written")
        await session.commit()


async def _begin(session: AsyncSession, statement: str) -> None:
    try:
        await (await session.connection()).exec_driver_sql(statement)
    except OperationalError as error:
        raise ToolUnavailable("the CRM does not answer; nothing was read or written") from error


@cache
def _engine(url: str) -> AsyncEngine:
    """Return the engine of a URL. It keeps no connections, so it fits every event loop."""
    database = make_url(url).database
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    return create_async_engine(
        url,
        poolclass=NullPool,
        # What a statement failed on may be a customer's data; models and histories get the message.
        hide_parameters=True,
        # No implicit transactions of the driver: the sessions above begin their own.
        connect_args={"timeout": _LOCK_SECONDS, "isolation_level": None},
    )
