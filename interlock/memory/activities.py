"""The activities of long-term memory and of knowledge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from temporalio import activity

from interlock.errors import ConfigError
from interlock.heartbeats import heartbeats
from interlock.memory.contract import (
    KnowledgeBatch,
    KnowledgePlan,
    KnowledgePlanRequest,
    KnowledgeReport,
    MemoryAnswers,
    MemoryBatch,
)
from interlock.memory.knowledge import Memory, apply, plan


class MemoryActivities:
    """`memory.batch`, `knowledge.plan` and `knowledge.apply`, over one open memory.

    Args:
        memory: The open long-term memory.
        folders: The folders of documents that may be read, by the name that a request gives.
    """

    def __init__(self, memory: Memory, folders: Mapping[str, Path] | None = None) -> None:
        self._memory = memory
        self._folders = dict(folders or {})

    def all(self) -> list[Callable[..., Any]]:
        """Return the activities, for a worker."""
        return [self.batch, self.plan, self.apply]

    @activity.defn(name="memory.batch")
    async def batch(self, batch: MemoryBatch) -> MemoryAnswers:
        """Carry out one batch of store operations."""
        async with heartbeats():
            return await self._memory.run_ops_for(batch.ops, batch.context)

    @activity.defn(name="knowledge.plan")
    async def plan(self, request: KnowledgePlanRequest) -> KnowledgePlan:
        """Compare a folder of documents with what is stored of it.

        Raises:
            ConfigError: an unknown folder, or a document that is wrong.
        """
        folder = self._folder(request.folder)
        async with heartbeats():
            return await plan(self._memory, folder, request.context, name=request.folder)

    @activity.defn(name="knowledge.apply")
    async def apply(self, batch: KnowledgeBatch) -> KnowledgeReport:
        """Carry out some steps of a plan.

        Raises:
            ConfigError: an unknown folder, or a document that is wrong.
        """
        folder = self._folder(batch.folder)
        async with heartbeats():
            return await apply(self._memory, folder, batch.steps, batch.context, name=batch.folder)

    def _folder(self, name: str) -> Path:
        if name not in self._folders:
            known = ", ".join(map(repr, sorted(self._folders))) or "none"
            raise ConfigError(
                f"{name!r} is not a folder of knowledge. Configured: {known}. Add it to "
                "`knowledge` in interlock.toml."
            )
        return self._folders[name]
