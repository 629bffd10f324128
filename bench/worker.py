"""The worker of one system, in a process of its own: `python -m bench.worker NAME ADDRESS FOLDER`.

It says `ready` on standard output and stops when its standard input ends. Each system imports only
what it needs: a larger heap makes Python's garbage collector slower.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

READY = "ready"
QUEUE = "bench"
"""Task queue of the systems that have no name of their own for it."""


@asynccontextmanager
async def raw(address: str, _folder: Path) -> AsyncIterator[None]:
    """Host the raw workflow and its activities."""
    from temporalio.client import Client
    from temporalio.worker import Worker

    from bench.activities import act, think
    from bench.raw import Raw

    client = await Client.connect(address)
    async with Worker(client, task_queue=QUEUE, workflows=[Raw], activities=[think, act]):
        yield


@asynccontextmanager
async def plugin(address: str, _folder: Path) -> AsyncIterator[None]:
    """Host the graph under temporalio-langgraph."""
    from temporalio.client import Client
    from temporalio.worker import Worker

    from bench import plugin as hosted

    client = await Client.connect(address)
    async with Worker(
        client, task_queue=QUEUE, workflows=[hosted.Plugin], plugins=[hosted.plugin()]
    ):
        yield


@asynccontextmanager
async def interlock(address: str, folder: Path) -> AsyncIterator[None]:
    """Host the agents in a whole deployment: SQLite ledger and audit, payload files, Chroma."""
    from bench.graph import SCRIPT
    from interlock.app import App
    from interlock.settings import Settings
    from interlock.worker import running_workers, settle_heap

    (folder / "script.json").write_text(json.dumps(SCRIPT), encoding="utf-8")
    settings = Settings.model_validate(
        {
            "project_dir": folder,
            "agents": ["bench.deployment:AGENTS"],
            "models": {"fast": {"candidates": [{"model": "scripted:script.json"}]}},
            "memory": {"embedder": "hashing"},
            "temporal": {"address": address},
        }
    )
    async with App(settings) as app, running_workers(app, await app.connect()):
        settle_heap()
        yield


Host = Callable[[str, Path], AbstractAsyncContextManager[None]]

HOSTS: dict[str, Host] = {"raw": raw, "plugin": plugin, "interlock": interlock}
"""Workers by name."""


async def main(name: str, address: str, folder: str) -> None:
    """Host a system until standard input ends."""
    async with HOSTS[name](address, Path(folder)):
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
