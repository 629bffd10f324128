"""The checkpoint saver of a run: it keeps what the run needs to go on, and nothing else.

A run's history is its record, so older checkpoints are of no use and would grow with the square of
a conversation: of each namespace, which is a graph or a call of a subgraph, the newest is kept. A
call's namespace is forgotten when the task that made it is over. Values go through
`interlock.codec` on the way in, so a node that changes its input in place is not seen after a resume,
and a value that cannot be kept fails the run when it is written, not when the run is carried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from interlock.codec import decode, encode
from interlock.errors import NotSerializable

_TASK = ":"
"""Stands before a task's id in the namespace of a call that the task made. A subgraph compiled with
`checkpointer=True` has one namespace for all calls, without ids, and keeps its state between them."""


class _Write(NamedTuple):
    """What a task wrote in the superstep that is not over."""

    channel: str
    value: Any
    """As the codec wrote it."""
    path: str
    """Place of the task among those of its superstep."""


_Writes = dict[tuple[str, int], _Write]
"""By task and position."""


class _Kept(NamedTuple):
    """The newest checkpoint of a namespace, as the codec wrote it."""

    id: str
    checkpoint: dict[str, Any]
    values: dict[str, Any]
    metadata: dict[str, Any]

    def belongs_to(self, namespace: str, checkpoint_id: str) -> bool:
        """Whether it was made under this checkpoint of a namespace above, or under none of it."""
        above = self.metadata.get("parents", {})
        return bool(above.get(namespace, checkpoint_id) == checkpoint_id)


class RunSaver(BaseCheckpointSaver[str]):
    """Keeps one checkpoint for each namespace of one run, and can be carried into another run."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, _Kept] = {}
        self._writes: dict[tuple[str, str], _Writes] = {}
        """By namespace and checkpoint. A write may come before its checkpoint does."""
        self._refused: NotSerializable | None = None
        self._reads_input = False
        self.supersteps = 0
        """Supersteps of the root graph's nodes that ended while this saver was there."""

    def get_next_version(self, current: str | None, channel: None = None) -> str:
        """Return the next version of a channel, without the random part that others add."""
        return f"{int(current or 0) + 1:032}"

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint of a namespace, or None."""
        namespace = _namespace(config)
        kept = self._kept.get(namespace)
        if kept is None or get_checkpoint_id(config) not in (None, kept.id):
            return None
        checkpoint = {**decode(kept.checkpoint), "channel_values": decode(kept.values)}
        return CheckpointTuple(
            config=_place(config, kept.id),
            checkpoint=cast("Checkpoint", checkpoint),
            metadata=decode(kept.metadata),
            pending_writes=[
                (task, written.channel, decode(written.value))
                for (task, _), written in self._writes_of(namespace, kept.id)
            ],
        )

    def _writes_of(
        self, namespace: str, checkpoint_id: str
    ) -> list[tuple[tuple[str, int], _Write]]:
        found = self._writes.get((namespace, checkpoint_id), {})
        return sorted(found.items(), key=lambda item: writes_sort_key(item[1].path, *item[0]))

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint and forget the one before it, with the calls that its tasks made.

        Raises:
            NotSerializable: the state holds a value that cannot be kept, or a task wrote one.
        """
        if self._refused is not None:
            raise self._refused  # LangGraph looks at the outcome of `put_writes` only at the end
        namespace, rest = _namespace(config), dict(checkpoint)
        values: dict[str, Any] = rest.pop("channel_values")  # type: ignore[assignment]
        before = self._kept.get(namespace)
        unchanged = {} if before is None else before.values
        self._kept[namespace] = _Kept(
            id=checkpoint["id"],
            checkpoint=encode(rest, "checkpoint"),
            values={
                name: unchanged[name]
                if name in unchanged and name not in new_versions
                else encode(value, f"state[{name!r}]")
                for name, value in values.items()
            },
            metadata=encode(dict(get_checkpoint_metadata(config, metadata)), "metadata"),
        )
        self._forget(namespace, checkpoint["id"])
        if not namespace:
            self._count(metadata)
        return _place(config, checkpoint["id"])

    def _count(self, metadata: CheckpointMetadata) -> None:
        """Count a superstep, but not the one in which LangGraph reads the input of a turn."""
        if metadata.get("source") == "loop" and not self._reads_input:
            self.supersteps += 1
        self._reads_input = metadata.get("source") == "input"

    def _forget(self, namespace: str, newest: str) -> None:
        over = [
            name
            for name, kept in self._kept.items()
            if _TASK in name and not kept.belongs_to(namespace, newest)
        ]
        for name in over:
            del self._kept[name]
        for name, checkpoint_id in list(self._writes):
            if name in over or (name == namespace and checkpoint_id != newest):
                del self._writes[(name, checkpoint_id)]

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task of the newest checkpoint wrote.

        Raises:
            NotSerializable: it wrote a value that cannot be kept.
        """
        kept = self._writes.setdefault((_namespace(config), str(get_checkpoint_id(config))), {})
        try:
            for position, (channel, value) in enumerate(writes):
                place = (task_id, WRITES_IDX_MAP.get(channel, position))
                if place[1] < 0 or place not in kept:
                    kept[place] = _Write(channel, _encode_write(channel, value), task_path)
        except NotSerializable as error:
            self._refused = error
            raise

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint of a namespace, or None."""
        return self.get_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint: see `put`."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what a task wrote: see `put_writes`."""
        self.put_writes(config, writes, task_id, task_path)

    def has_interrupts(self) -> bool:
        """Say whether a node waits for the answer to an `interrupt()`, here or in a subgraph."""
        return any(
            written.channel == INTERRUPT
            for writes in self._writes.values()
            for written in writes.values()
        )

    def snapshot(self) -> dict[str, Any]:
        """Return every namespace's checkpoint, metadata and pending writes as readable JSON."""
        return {
            namespace: {
                "checkpoint": {**kept.checkpoint, "channel_values": kept.values},
                "metadata": kept.metadata,
                "writes": [
                    [*place, *written] for place, written in self._writes_of(namespace, kept.id)
                ],
            }
            for namespace, kept in sorted(self._kept.items())
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put back what `snapshot` gave."""
        for namespace, part in snapshot.items():
            checkpoint = dict(part["checkpoint"])
            values = checkpoint.pop("channel_values")
            self._kept[namespace] = _Kept(checkpoint["id"], checkpoint, values, part["metadata"])
            if part["writes"]:
                self._writes[(namespace, checkpoint["id"])] = {
                    (task, position): _Write(*rest) for task, position, *rest in part["writes"]
                }


def _encode_write(channel: str, value: Any) -> Any:
    # Of an error, LangGraph's own savers keep the text too.
    return encode(repr(value) if channel == ERROR else value, f"state[{channel!r}]")


def _namespace(config: RunnableConfig) -> str:
    return str(config["configurable"].get("checkpoint_ns", ""))


def _place(config: RunnableConfig, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": config["configurable"]["thread_id"],
            "checkpoint_ns": _namespace(config),
            "checkpoint_id": checkpoint_id,
        }
    }
