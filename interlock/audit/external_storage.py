"""Temporal's large payloads in a payload store: the history keeps a reference of 64 hex digits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)


class Bytes(Protocol):
    """The payload store behind the driver."""

    def put(self, data: bytes) -> Awaitable[str]:
        """Store `data` and return its reference."""
        ...

    def get(self, ref: str) -> Awaitable[bytes]:
        """Return the bytes of `ref`."""
        ...


class PayloadDriver(StorageDriver):
    """A driver for `temporalio.converter.ExternalStorage`; equal payloads are stored once.

    Args:
        store: Where the payloads go. Workers and clients of a run need the same one.
    """

    def __init__(self, store: Bytes) -> None:
        self._store = store

    def name(self) -> str:
        """Return the name that references carry; a history is read back by it."""
        return "interlock"

    def type(self) -> str:
        """Return the kind of the driver, the same in every language."""
        return "interlock.payloads"

    async def store(
        self, context: StorageDriverStoreContext, payloads: Sequence[Payload]
    ) -> list[StorageDriverClaim]:
        """Store payloads and return one reference for each."""
        refs = await asyncio.gather(
            # Deterministic, because a payload's metadata is a map: equal payloads, equal bytes.
            *(self._store.put(p.SerializeToString(deterministic=True)) for p in payloads)
        )
        return [StorageDriverClaim({"ref": ref}) for ref in refs]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Return the payloads of references, in their order.

        Raises:
            PayloadMissing: one of them is not in the store.
        """
        stored = await asyncio.gather(*(self._store.get(c.claim_data["ref"]) for c in claims))
        return [Payload.FromString(data) for data in stored]
