"""The memory activities: names, heartbeats and refusals, over a memory that answers by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from interlock import heartbeats
from interlock.context import CallContext
from interlock.errors import ConfigError, StoreUnreachable
from interlock.memory import (
    Get,
    KnowledgeBatch,
    KnowledgePlanRequest,
    MemoryAnswers,
    MemoryBatch,
    MemoryOp,
)
from interlock.memory.activities import MemoryActivities

CONTEXT = CallContext(agent="a", tenant="t")
BATCH = MemoryBatch(ops=(Get(namespace=("a",), key="k"),), context=CONTEXT)


class Memory:
    """Answers when it is let, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[MemoryOp], CallContext]] = []
        self.began = asyncio.Event()
        self.let = asyncio.Event()
        self.was_cancelled = asyncio.Event()
        self.fails = False

    async def run_ops_for(self, ops: Sequence[MemoryOp], context: CallContext) -> MemoryAnswers:
        self.asked.append((ops, context))
        self.began.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        if self.fails:
            raise StoreUnreachable("gone")
        return MemoryAnswers(answers=(None,))


def test_the_activities_have_their_names() -> None:
    """Workflows call them by these names."""
    found = MemoryActivities(Memory()).all()
    names = [getattr(one, "__temporal_activity_definition").name for one in found]
    assert names == ["memory.batch", "knowledge.plan", "knowledge.apply"]


async def test_a_batch_heartbeats_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow store is waited for, with a heartbeat as often as promised."""
    monkeypatch.setattr(heartbeats, "INTERVAL_SECONDS", 0.01)
    memory = Memory()
    env = ActivityEnvironment()
    beats: list[object] = []

    def beat(*details: object) -> None:
        beats.append(details)
        if len(beats) == 3:
            memory.let.set()

    env.on_heartbeat = beat
    assert await env.run(MemoryActivities(memory).batch, BATCH) == MemoryAnswers(answers=(None,))
    assert len(beats) >= 3
    assert memory.asked == [(BATCH.ops, CONTEXT)]


async def test_errors_of_the_memory_pass() -> None:
    """An error keeps its class, from which the worker makes its code."""
    memory = Memory()
    memory.let.set()
    memory.fails = True
    with pytest.raises(StoreUnreachable):
        await ActivityEnvironment().run(MemoryActivities(memory).batch, BATCH)


async def test_a_cancelled_activity_ends_its_call() -> None:
    """Cancelling the activity cancels the call of the memory and leaves no task behind."""
    memory = Memory()
    running = asyncio.ensure_future(
        ActivityEnvironment().run(MemoryActivities(memory).batch, BATCH)
    )
    await memory.began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await memory.was_cancelled.wait()


async def test_only_configured_folders_are_read(tmp_path: Path) -> None:
    """A request names a folder, never a path; an unknown name lists the known ones."""
    activities = MemoryActivities(Memory(), {"docs/faq": tmp_path})
    for folder in ("other", str(tmp_path), "docs/faq/.."):
        with pytest.raises(ConfigError, match=r"Configured: 'docs/faq'"):
            await activities.plan(KnowledgePlanRequest(folder=folder, context=CONTEXT))
        with pytest.raises(ConfigError, match=r"interlock\.toml"):
            await activities.apply(KnowledgeBatch(folder=folder, steps=(), context=CONTEXT))
