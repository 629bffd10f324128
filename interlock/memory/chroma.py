"""Long-term memory on Chroma: embedded in one process, or on a server that several share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx
from chromadb.api.models.Collection import Collection

from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.memory.connection import open_collection, open_folder, open_server, unreachable
from interlock.memory.contract import (
    Embedder,
    Get,
    ListNamespaces,
    MemoryAnswers,
    MemoryItem,
    MemoryOp,
    MemoryPort,
    Namespace,
    Provenance,
    Put,
    Search,
)
from interlock.memory.items import TenantItems

_Answer = TypeVar("_Answer")


class ChromaMemory:
    """Carries out memory batches for any tenant. Use it as `async with ChromaMemory(...)`.

    Chroma is synchronous, so all its work is done by one thread of the memory's own: batches of a
    process never interleave, and the event loop never waits for one.

    Args:
        where: A folder, which this process then owns, or the URL of a Chroma server.
        embedder: Makes the vectors. A collection takes those of one embedder only.
        collection: Name of the Chroma collection.
        clock: Tells the time that items are created, updated and expire by.
    """

    def __init__(
        self,
        where: Path | str,
        embedder: Embedder,
        *,
        collection: str = "interlock",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._where = where
        self._embedder = embedder
        self._name = collection
        self._clock = clock
        self._closing = ExitStack()
        self._thread: ThreadPoolExecutor | None = None
        self._collection: Collection | None = None

    async def open(self) -> None:
        """Open the collection.

        Raises:
            StoreLocked: another process owns the folder.
            StoreUnwritable: the folder cannot be made, written or read.
            StoreUnreachable: no server answers at the URL.
            ConfigError: a bad URL or collection name, or the collection has other vectors.
        """
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="interlock-memory")
        try:
            await self._call(self._connect)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish the work at hand and give up the folder or the connection; may be repeated."""
        if self._thread is not None:
            await self._call(self._closing.close)
            self._thread.shutdown()
        self._thread = self._collection = None

    async def __aenter__(self) -> ChromaMemory:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run_ops_for(self, ops: Sequence[MemoryOp], context: CallContext) -> MemoryAnswers:
        """Carry out a batch for the tenant of `context`, who is also the author of what is put.

        Raises:
            StoreUnreachable: the server does not answer.
            NotSerializable: a value is not JSON data.
            BadInput: an unknown filter operator.
        """
        return await self._call(lambda: self._run(ops, context))

    async def provenance(
        self, namespace: Namespace, key: str, context: CallContext
    ) -> Provenance | None:
        """Return where the value of an item came from, or None when there is no such item."""
        return await self._call(lambda: self._items(context).provenance(namespace, key))

    def bound(self, context: CallContext) -> MemoryPort:
        """Return the memory as a port for one context, to use a `Store` outside a workflow."""
        return _Bound(self, context)

    async def _call(self, work: Callable[[], _Answer]) -> _Answer:
        if self._thread is None:
            raise ConfigError("the memory is not open. Use `async with memory:` around its use.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except httpx.TransportError as error:
            raise unreachable(str(self._where)) from error

    def _connect(self) -> None:
        if isinstance(self._where, Path):
            client = open_folder(self._where, self._closing)
        else:
            client = open_server(self._where, self._closing)
        self._collection = open_collection(client, self._name, self._embedder)

    def _items(self, context: CallContext) -> TenantItems:
        if self._collection is None:
            raise ConfigError("the memory is closed.")
        return TenantItems(self._collection, self._embedder, context.tenant, self._clock())

    def _run(self, ops: Sequence[MemoryOp], context: CallContext) -> MemoryAnswers:
        items = self._items(context)
        vectors = self._query_vectors(ops)
        answers = [_read(items, op, vectors) for op in ops]
        puts = [op for op in ops if isinstance(op, Put)]
        if puts:
            items.write(puts, context)
        queries = tuple(op.query for op in ops if isinstance(op, Search) and op.query)
        return MemoryAnswers(answers=tuple(answers), queries=queries)

    def _query_vectors(self, ops: Sequence[MemoryOp]) -> dict[str, list[float]]:
        queries = list(dict.fromkeys(op.query for op in ops if isinstance(op, Search) and op.query))
        return dict(zip(queries, self._embedder.embed(queries), strict=True)) if queries else {}


class _Bound:
    def __init__(self, memory: ChromaMemory, context: CallContext) -> None:
        self._memory = memory
        self._context = context

    async def run_ops(self, ops: tuple[MemoryOp, ...]) -> MemoryAnswers:
        return await self._memory.run_ops_for(ops, self._context)


def _read(
    items: TenantItems, op: MemoryOp, vectors: dict[str, list[float]]
) -> MemoryItem | list[MemoryItem] | list[Namespace] | None:
    match op:
        case Get():
            return items.get(op)
        case Search():
            return items.search(op, vectors.get(op.query or ""))
        case ListNamespaces():
            return items.namespaces(op)
        case Put():
            return None
