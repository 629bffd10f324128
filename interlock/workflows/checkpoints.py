"""The checkpoint saver of a run: LangGraph's in-memory saver, kept to the newest checkpoint.

A run's history is its record, so older checkpoints are of no use and would grow with the square of
a conversation. Values are still serialised on the way in, as with any checkpointer, so a node that
changes its input in place is not seen after a resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from interlock.codec import decode, encode

INTERRUPT = "__interrupt__"
"""LangGraph's channel, and key, of interrupts."""


class RunSaver(InMemorySaver):
    """Keeps one checkpoint for each namespace, and can be carried into another run."""

    def get_next_version(self, current: int | float | str | None, channel: None = None) -> str:
        """Return the next version of a channel, without the random part of the stock saver."""
        number = 0 if current is None else int(str(current).split(".", 1)[0])
        return f"{number + 1:032}"

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and forget the ones before it."""
        saved = super().put(config, checkpoint, metadata, new_versions)
        place = saved["configurable"]
        self._forget_others(place["thread_id"], place["checkpoint_ns"], checkpoint)
        return saved

    def _forget_others(self, thread: str, namespace: str, kept: Checkpoint) -> None:
        checkpoints = self.storage[thread][namespace]
        for key in [key for key in checkpoints if key != kept["id"]]:
            del checkpoints[key]
            self.writes.pop((thread, namespace, key), None)
        versions = kept["channel_versions"]
        stale = [
            blob
            for blob in self.blobs
            if blob[:2] == (thread, namespace) and versions.get(blob[2]) != blob[3]
        ]
        for blob in stale:
            del self.blobs[blob]

    def has_interrupts(self) -> bool:
        """Say whether a node waits for the answer to an `interrupt()`, here or in a subgraph."""
        return any(
            channel == INTERRUPT
            for written in self.writes.values()
            for _, channel, _, _ in written.values()
        )

    def snapshot(self, thread: str) -> dict[str, Any]:
        """Return every namespace's checkpoint, metadata and pending writes as readable JSON."""
        found: dict[str, Any] = {}
        for namespace in sorted(self.storage[thread]):
            config = _place(thread, namespace)
            kept = self.get_tuple(config)
            if kept is None:
                continue
            found[namespace] = {
                "checkpoint": encode(dict(kept.checkpoint)),
                "metadata": encode(dict(kept.metadata)),
                "writes": [
                    [task, channel, encode(value)]
                    for task, channel, value in kept.pending_writes or []
                ],
            }
        return found

    def restore(self, thread: str, snapshot: dict[str, Any]) -> None:
        """Put back what `snapshot` gave."""
        for namespace, kept in snapshot.items():
            checkpoint: Checkpoint = decode(kept["checkpoint"])
            config = self.put(
                _place(thread, namespace),
                checkpoint,
                decode(kept["metadata"]),
                checkpoint["channel_versions"],
            )
            by_task: dict[str, list[tuple[str, Any]]] = {}
            for task, channel, value in kept["writes"]:
                by_task.setdefault(task, []).append((channel, decode(value)))
            for task, writes in by_task.items():
                self.put_writes(config, _pairs(writes), task)


def _place(thread: str, namespace: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace}}


def _pairs(writes: list[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    return writes
