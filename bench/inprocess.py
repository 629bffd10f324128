"""Systems that are a library and host runs in the caller's process: LangGraph by itself, and DBOS.

`python -m bench.inprocess NAME FOLDER PLAN` measures one of them in one round and prints one JSON
object. PLAN is a JSON object: `warm_up`, `paused` and `loads`, as in `bench.plan`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from bench.hosted import Hosted
from bench.load import Kept, Sample, hold, load
from bench.usage import memory_of

HOSTS = {
    "langgraph": "bench.checkpointed:in_memory",
    "langgraph_sqlite": "bench.checkpointed:on_sqlite",
    "langgraph_postgres": "bench.checkpointed:on_postgres",
    "dbos": "bench.dbos_steps:on_dbos",
}
"""Systems by name. A process imports only what its own needs."""


async def main(name: str, folder: str, plan: str) -> None:
    """Measure one system in one round, and print what came of it."""
    print(json.dumps(await measured(name, Path(folder), json.loads(plan))))


async def measured(name: str, folder: Path, sizes: dict[str, Any]) -> dict[str, Any]:
    """Measure one system in one round, in this process.

    Args:
        name: Which.
        folder: An empty folder.
        sizes: `warm_up`, `paused` and `loads` of a plan.
    """
    module, _, host = HOSTS[name].partition(":")
    async with getattr(import_module(module), host)(folder) as hosted:
        await load(hosted.run, runs=sizes["warm_up"], concurrency=1)
        kept = await _kept(hosted)
        paused = await hold(hosted.pause, sizes["paused"], _memory) if sizes["paused"] else None
        samples = {
            str(concurrency): await _sample(hosted, runs, int(concurrency))
            for concurrency, runs in sizes["loads"].items()
        }
    return {
        "samples": {concurrency: asdict(sample) for concurrency, sample in samples.items()},
        "paused": asdict(paused) if paused else None,
        "kept": asdict(kept) if kept else None,
    }


async def _sample(hosted: Hosted, runs: int, concurrency: int) -> Sample:
    cpu, on_server = time.process_time(), hosted.server_cpu()
    seconds, latencies = await load(hosted.run, runs=runs, concurrency=concurrency)
    used, now = time.process_time() - cpu, hosted.server_cpu()
    server_cpu = None if now is None or on_server is None else now - on_server
    return Sample(runs, seconds, latencies, used, server_cpu)


async def _kept(hosted: Hosted) -> Kept | None:
    """Return what one run adds to the store."""
    before = await hosted.stored()
    await hosted.run("order 1")
    after = await hosted.stored()
    if before is None or after is None:
        return None
    return Kept(after.records - before.records, after.bytes - before.bytes)


def _memory() -> tuple[int, None]:
    return memory_of(psutil.Process()), None


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
