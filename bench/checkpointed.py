"""LangGraph by itself, with each of its own checkpointers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from bench.databases import running_postgres, stored_in_postgres, stored_in_sqlite
from bench.graph import (
    act,
    build,
    build_pausing,
    check,
    check_paused,
    think,
    wait,
)
from bench.hosted import Hosted
from bench.load import Pause, Release, Run


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Hosted]:
    """Checkpoint in memory: nothing survives the process."""
    saver = InMemorySaver()
    yield Hosted(_run(saver), _pause(saver))


@asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncIterator[Hosted]:
    """Checkpoint in a SQLite file."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with aiosqlite.connect(folder / "checkpoints.db") as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        yield Hosted(_run(saver), _pause(saver), lambda: stored_in_sqlite(connection))


@asynccontextmanager
async def on_postgres(_folder: Path) -> AsyncIterator[Hosted]:
    """Checkpoint in Postgres, over a pool of connections."""
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow, dict_row
    from psycopg_pool import AsyncConnectionPool

    # As the package's documentation opens it.
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    with running_postgres() as server:
        connections: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            server.url, max_size=_CONNECTIONS, kwargs=options, open=False
        )
        async with connections as pool:
            saver = AsyncPostgresSaver(pool)
            await saver.setup()
            yield Hosted(
                _run(saver), _pause(saver), lambda: stored_in_postgres(server.url), server.cpu
            )


_CONNECTIONS = 20
"""Of a pool: what DBOS has by default."""


def _run(saver: BaseCheckpointSaver[Any]) -> Run:
    graph = build(think, act).compile(checkpointer=saver)

    async def run(topic: str) -> None:
        state = await graph.ainvoke({"topic": topic, "notes": []}, _thread())
        check(state["notes"], topic)

    return run


def _pause(saver: BaseCheckpointSaver[Any]) -> Pause:
    graph = build_pausing(think, wait, act).compile(checkpointer=saver)

    async def pause(topic: str) -> Release:
        thread = _thread()
        state = await graph.ainvoke({"topic": topic, "notes": []}, thread)
        assert "__interrupt__" in state, state

        async def release() -> None:
            resumed = await graph.ainvoke(Command(resume=True), thread)
            check_paused(resumed["notes"], topic)

        return release

    return pause


def _thread() -> Any:
    return {"configurable": {"thread_id": uuid.uuid4().hex}}
