"""Bare LangGraph, in memory, in a process of its own: what a graph costs without any durability.

`python -m bench.bare WARM_UP CONCURRENCY:RUNS ...` prints one JSON list of samples.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
import uuid

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from bench.graph import act, build, check, think
from bench.load import Sample, load

_GRAPH = build(think, act).compile(checkpointer=InMemorySaver())


async def run(topic: str) -> None:
    """Run the graph once."""
    config: RunnableConfig = {"configurable": {"thread_id": uuid.uuid4().hex}}
    state = await _GRAPH.ainvoke({"topic": topic, "notes": []}, config)
    check(state["notes"], topic)


async def sample(runs: int, concurrency: int) -> Sample:
    """Measure one load."""
    cpu = time.process_time()
    seconds, latencies = await load(run, runs=runs, concurrency=concurrency)
    return Sample(runs, seconds, latencies, time.process_time() - cpu, None)


async def main(warm_up: str, *loads: str) -> None:
    """Measure each load after a warm-up, and print what came of it."""
    await load(run, runs=int(warm_up), concurrency=1)
    found = []
    for item in loads:
        concurrency, _, runs = item.partition(":")
        found.append(dataclasses.asdict(await sample(int(runs), int(concurrency))))
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
