"""What a deployment needs and does not find: it says so at once, or waits and loses nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from interlock.app import App
from interlock.connection import connect, data_folder
from interlock.errors import ConfigError, StoreUnwritable, TemporalUnreachable
from interlock.settings import Settings, load_settings
from interlock.testing import WorkerEnv
from tests.integration.bad_input.deployment import CALLS


async def test_no_server_at_the_address(tmp_path: Path, row: Any) -> None:
    """A client is refused with the address and how to start a server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    settings = Settings(project_dir=tmp_path, temporal={"address": address})
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(settings)
    row("Temporal not reachable").check(refused.value.code, refused.value.message)
    assert refused.value.details["address"] == address
    assert refused.value.retryable


async def test_a_data_folder_that_cannot_be_written(tmp_path: Path, row: Any) -> None:
    """An application does not open on it."""
    (tmp_path / "file").write_text("no folder")
    settings = Settings(
        project_dir=tmp_path, data_dir=Path("file/data"), memory={"embedder": "hashing"}
    )
    with pytest.raises(StoreUnwritable) as refused:
        async with App(settings):
            pass
    row("folder not writable").check(refused.value.code, refused.value.message)


async def test_a_payload_folder_that_breaks_while_a_run_is_open(
    env: WorkerEnv, row: Any, task: Any, account: str
) -> None:
    """The run waits with the reason, goes on when it is mended, and repeats no effect."""
    payloads = data_folder(env.app.settings) / "payloads"
    assert not payloads.exists()
    payloads.write_text("no folder")
    handle = await env.start("worker", task("write", 200_000))
    async with asyncio.timeout(60):
        while not (failed := await pending_failure(handle)):  # noqa: ASYNC110  only the server knows
            await asyncio.sleep(0.05)
    row("payload folder not writable").check(failed.application_failure_info.type, failed.message)
    payloads.unlink()
    assert (await env.result(handle)).output["done"] == "200000"
    assert CALLS[account] == 1


async def pending_failure(handle: Any) -> Any:
    """Why the activity that a run waits for failed the last time."""
    found = (await handle.describe()).raw_description.pending_activities
    return found[0].last_failure if found and found[0].HasField("last_failure") else None


async def test_a_database_that_is_locked_for_a_while(
    env: WorkerEnv, row: Any, task: Any, account: str
) -> None:
    """While another process holds the write lock no effect is made; then it is made once."""
    path = data_folder(env.app.settings) / "audit.db"
    with closing(sqlite3.connect(path)) as holder, failed_attempts() as failures:
        holder.execute("BEGIN IMMEDIATE")
        handle = await env.start("worker", task("write", 1))
        async with asyncio.timeout(30):
            failed = await failures.get()
        row("database locked").check(failed.type or "", failed.message)
        assert str(path) in failed.message
        assert CALLS[account] == 0
        holder.rollback()
    assert (await env.result(handle)).status == "completed"
    assert CALLS[account] == 1


@contextmanager
def failed_attempts() -> Iterator[asyncio.Queue[ApplicationError]]:
    """Read the worker's log: the failures of attempts that will be made again.

    A local activity is one that Temporal's UI does not show before it succeeds.
    """
    failures: asyncio.Queue[ApplicationError] = asyncio.Queue()

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and isinstance(record.exc_info[1], ApplicationError):
                failures.put_nowait(record.exc_info[1])

    reader, log = Reader(), logging.getLogger("temporalio.activity")
    log.addHandler(reader)
    try:
        yield failures
    finally:
        log.removeHandler(reader)


async def test_a_second_worker_on_one_folder(
    env: WorkerEnv, tmp_path: Path, row: Any, task: Any, account: str
) -> None:
    """It does not start, says whose the folder is, and the first works on."""
    settings = env.app.settings
    (tmp_path / "interlock.toml").write_text(
        f'data_dir = "{data_folder(settings)}"\nmemory.embedder = "hashing"\n'
        f'temporal.address = "{settings.temporal.address}"\n'
    )
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "interlock", "worker", "--json"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await second.communicate()
    error = json.loads(said)["error"]
    row("a second process on one Chroma folder").check(error["code"], error["message"])
    assert (second.returncode, error["details"]["owner"]) == (1, os.getpid())
    handle = await env.start("worker", task("write", 1))
    assert (await env.result(handle)).status == "completed"
    assert CALLS[account] == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[limits]\nsignls = 5\n", "`interlock.toml` with an unknown key"),
        ("agents = [\n", "`interlock.toml` that is no TOML"),
    ],
)
def test_a_settings_file_that_is_wrong(tmp_path: Path, row: Any, text: str, name: str) -> None:
    """Nothing is loaded, and the place is named."""
    (tmp_path / "interlock.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_settings(tmp_path)
    row(name).check(refused.value.code, refused.value.message)
    assert "interlock.toml" in refused.value.message
