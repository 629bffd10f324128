"""A worker in a process of its own: `python -m bench.worker NAME ADDRESS FOLDER SETTINGS`.

SETTINGS is a JSON object with more settings of a deployment of Interlock. The worker says `ready` on
standard output and stops when its standard input ends. Each system runs on the event loop that it has
by default, and imports only what it needs: a larger heap makes Python's garbage collector slower.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

READY = "ready"
QUEUE = "bench"
"""Task queue of the systems that have no name of their own for it."""

Settings = dict[str, Any]
"""More settings of a deployment of Interlock."""


@asynccontextmanager
async def raw(address: str, _folder: Path, _settings: Settings) -> AsyncIterator[None]:
    """Host the raw workflows and their activities."""
    from temporalio.client import Client
    from temporalio.worker import Worker

    from bench.activities import act, think
    from bench.raw import Raw, RawCalls, RawPausing

    client = await Client.connect(address)
    hosted = [Raw, RawPausing, RawCalls]
    async with Worker(client, task_queue=QUEUE, workflows=hosted, activities=[think, act]):
        yield


@asynccontextmanager
async def plugin(address: str, _folder: Path, _settings: Settings) -> AsyncIterator[None]:
    """Host the graph under temporalio-langgraph."""
    from temporalio.client import Client
    from temporalio.worker import Worker

    from bench import plugin as hosted

    client = await Client.connect(address)
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[hosted.Plugin, hosted.PluginPausing],
        plugins=[hosted.plugin()],
    ):
        yield


@asynccontextmanager
async def interlock(address: str, folder: Path, more: Settings) -> AsyncIterator[None]:
    """Host the agents in a whole deployment: SQLite ledger and audit, payload files, Chroma."""
    from bench.graph import SCRIPT
    from interlock import settings
    from interlock.app import App
    from interlock.worker import running_workers

    (folder / "script.json").write_text(json.dumps(SCRIPT), encoding="utf-8")
    deployment = settings.Settings.model_validate(
        {
            "project_dir": folder,
            "agents": ["bench.deployment:AGENTS"],
            "models": {"fast": {"candidates": [{"model": "scripted:script.json"}]}},
            "memory": {"embedder": "hashing"},
            "temporal": {"address": address},
            **more,
        }
    )
    async with App(deployment) as app, running_workers(app, await app.connect()):
        yield


Host = Callable[[str, Path, Settings], AbstractAsyncContextManager[None]]

HOSTS: dict[str, Host] = {"raw": raw, "plugin": plugin, "interlock": interlock}
"""Workers by name."""


async def main(name: str, address: str, folder: str, settings: str) -> None:
    """Host a system until standard input ends."""
    async with HOSTS[name](address, Path(folder), json.loads(settings)):
        if name == "interlock":  # as `interlock worker` does
            from interlock.worker import keep_what_is_loaded

            keep_what_is_loaded()
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    hosting = main(*sys.argv[1:])
    if sys.argv[1] == "interlock":
        from interlock.worker import run_process

        run_process(hosting)
    else:
        asyncio.run(hosting)
