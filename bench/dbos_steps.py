"""The same steps under DBOS, on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbos import DBOS

from bench.databases import running_postgres, stored_in_postgres
from bench.graph import FAKE, book, check, check_paused, prompt
from bench.hosted import Hosted
from bench.load import Release

_WAITS = "waits"
_GO = "go"
_PATIENCE = 600.0


@DBOS.step()
async def think(topic: str, number: int) -> str:
    """Ask the fake model."""
    return (await FAKE.ainvoke(prompt(topic, number))).text


@DBOS.step()
async def act(topic: str, number: int) -> str:
    """Call the fake tool."""
    return book(topic, number)


@DBOS.workflow()
async def steps(topic: str) -> list[str]:
    """Model, tool, model, tool."""
    return [
        await think(topic, 0),
        await act(topic, 1),
        await think(topic, 2),
        await act(topic, 3),
    ]


@DBOS.workflow()
async def pausing(topic: str) -> list[str]:
    """Model, a message, tool."""
    thought = await think(topic, 0)
    await DBOS.set_event_async(_WAITS, True)
    await DBOS.recv_async(_GO, timeout_seconds=_PATIENCE)
    return [thought, await act(topic, 1)]


@asynccontextmanager
async def on_dbos(_folder: Path) -> AsyncIterator[Hosted]:
    """Run workflows of DBOS, with its system database on Postgres."""
    with running_postgres() as server:
        DBOS(config={"name": "bench", "system_database_url": server.url, "log_level": "ERROR"})
        DBOS.launch()
        try:
            yield Hosted(_run, _pause, lambda: stored_in_postgres(server.url), server.cpu)
        finally:
            DBOS.destroy()


async def _run(topic: str) -> None:
    check(await steps(topic), topic)


async def _pause(topic: str) -> Release:
    handle = await DBOS.start_workflow_async(pausing, topic)
    waits = await DBOS.get_event_async(handle.workflow_id, _WAITS, timeout_seconds=_PATIENCE)
    assert waits is True

    async def release() -> None:
        await DBOS.send_async(handle.workflow_id, True, _GO)
        check_paused(await handle.get_result(), topic)

    return release
