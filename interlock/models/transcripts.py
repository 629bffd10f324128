"""Transcripts in a payload store: chains of content-addressed nodes, read through a cache.

A node holds the messages that came since the node before it, so a conversation of n turns stores
each message once, and each call's history carries one reference.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from interlock.errors import PayloadMissing
from interlock.models.contract import PayloadStore, TranscriptNode

CHAIN = 64
"""Links after which a chain is written anew as one node, so that loading stays cheap."""

Message = dict[str, Any]


class _Known(NamedTuple):
    depth: int
    messages: tuple[Message, ...]
    size: int
    """Bytes of the messages as they are stored."""


class TranscriptStore:
    """Loads and appends to transcripts; safe to use from several processes on one store."""

    def __init__(self, payloads: PayloadStore, *, cache_bytes: int = 64_000_000) -> None:
        """Keep transcripts in `payloads` and the newest of them, up to `cache_bytes`, in memory."""
        self._payloads = payloads
        self._limit = cache_bytes
        self._cache: OrderedDict[str, _Known] = OrderedDict()
        self._cached = 0

    async def load(self, ref: str) -> list[Message]:
        """Return all messages of a transcript, oldest first; they must not be changed.

        Raises:
            PayloadMissing: a node is not in the store, or is no transcript.
        """
        return list((await self._known(ref)).messages)

    async def append(self, prefix: str, messages: Sequence[Message]) -> str:
        """Store `messages` after the transcript `prefix` and return the new reference.

        The same call gives the same reference, however often and wherever it is made.

        Raises:
            PayloadMissing: `prefix` is not in the store.
        """
        if not messages:
            return prefix
        before = await self._known(prefix)
        whole = (*before.messages, *messages)
        depth = before.depth + 1
        if depth < CHAIN:
            node = TranscriptNode(previous=prefix, depth=depth, messages=tuple(messages))
        else:
            node = TranscriptNode(messages=whole)
        data = _bytes(node)
        ref = await self._payloads.put(data)
        size = len(data) + (before.size if node.previous else 0)
        self._remember(ref, _Known(node.depth, whole, size))
        return ref

    async def _known(self, ref: str) -> _Known:
        """Return a transcript, walking back from its end to the nearest part in the cache."""
        nodes: list[TranscriptNode] = []
        size, at = 0, ref
        while at and at not in self._cache:
            data = await self._payloads.get(at)
            nodes.append(_node(at, data))
            size, at = size + len(data), nodes[-1].previous
        known = self._cache[at] if at else _NOTHING
        if nodes:
            later = (message for node in reversed(nodes) for message in node.messages)
            known = _Known(nodes[0].depth, (*known.messages, *later), known.size + size)
        if ref:
            self._remember(ref, known)
        return known

    def _remember(self, ref: str, known: _Known) -> None:
        replaced = self._cache.pop(ref, None)
        self._cached += known.size - (replaced.size if replaced else 0)
        self._cache[ref] = known
        while self._cached > self._limit:
            _, oldest = self._cache.popitem(last=False)
            self._cached -= oldest.size


_NOTHING = _Known(-1, (), 0)


def _bytes(node: TranscriptNode) -> bytes:
    # In the order of the keys as they came, not sorted: what a model is shown again must be what
    # it was shown before.
    return json.dumps(
        node.model_dump(), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _node(ref: str, data: bytes) -> TranscriptNode:
    try:
        return TranscriptNode.model_validate_json(data)
    except ValidationError as error:
        raise PayloadMissing(f"Payload {ref!r} is no part of a transcript: {error}") from error
