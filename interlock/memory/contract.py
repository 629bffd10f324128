"""What crosses the memory door: LangGraph store operations as data. Safe in a workflow.

Also the port that an embedder fills, and what the knowledge activities take and give.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from interlock.context import CallContext

Namespace = tuple[str, ...]
"""Labels from the widest to the narrowest; the tenant is not one of them."""

KNOWLEDGE: Namespace = ("knowledge",)
"""Namespace of the chunks of documents."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Put(_Data):
    """Store an item, or delete it when `value` is None."""

    op: Literal["put"] = "put"
    namespace: Namespace
    key: str
    value: dict[str, Any] | None
    index: Literal[False] | tuple[str, ...] | None = None
    """Fields to embed, each by itself; None for all text as one, False for none."""
    ttl_minutes: float | None = Field(default=None, gt=0)
    """Minutes until the item expires; None for never."""


class Get(_Data):
    """Read one item."""

    op: Literal["get"] = "get"
    namespace: Namespace
    key: str
    refresh_ttl: bool = False
    """Whether an item with a time to live starts it anew by being read."""


class Search(_Data):
    """Find items below a namespace prefix.

    With `query`: embedded items, nearest first. Without: all items, newest first.
    """

    op: Literal["search"] = "search"
    namespace_prefix: Namespace
    query: str | None = None
    filter: dict[str, Any] | None = None
    """Values that fields must have, or conditions: $eq, $ne, $gt, $gte, $lt, $lte."""
    limit: int = Field(default=10, ge=0)
    offset: int = Field(default=0, ge=0)
    refresh_ttl: bool = False


class ListNamespaces(_Data):
    """List namespaces that hold items and match both conditions; '*' is any one label."""

    op: Literal["list"] = "list"
    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: int | None = Field(default=None, ge=1)
    limit: int = Field(default=100, ge=0)
    offset: int = Field(default=0, ge=0)


MemoryOp = Annotated[Put | Get | Search | ListNamespaces, Field(discriminator="op")]
"""One operation on the store."""


class MemoryItem(_Data):
    """One stored item. `score` is the cosine similarity to a search's query."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    score: float | None = None


class Provenance(_Data):
    """Where the value of an item came from, and how long it is kept."""

    author: CallContext
    """The call that wrote the value: its agent, run lineage, node, release and subject."""
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None


class MemoryBatch(_Data):
    """One recorded call of the store.

    As in LangGraph's own stores, reads see the store as it was before the batch, and of several
    puts of one key the last one counts. So a batch can be carried out twice.
    """

    ops: tuple[MemoryOp, ...]
    context: CallContext


class MemoryAnswers(_Data):
    """One answer for each operation: an item or None (get), items (search), namespaces (list)."""

    answers: tuple[MemoryItem | list[MemoryItem] | list[Namespace] | None, ...]
    queries: tuple[str, ...] = ()
    """What was searched for, in order: a history keeps the answers of local activities but not
    their inputs."""


class MemoryPort(Protocol):
    """What stands behind an agent's store: the workflow's door, or the store itself."""

    def run_ops(self, ops: tuple[MemoryOp, ...]) -> Awaitable[MemoryAnswers]:
        """Carry out a batch for the tenant of the current call context.

        Raises:
            StoreUnreachable: no Chroma server answers.
        """
        ...


MEMORY_PORT: ContextVar[MemoryPort] = ContextVar("interlock_memory_port")
"""The port of the current run or of the open application."""


class Embedder(Protocol):
    """Turns texts into vectors of length 1, so that a dot product is the cosine similarity."""

    @property
    def name(self) -> str:
        """Name of the model: vectors of different names are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in one vector."""
        ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text."""
        ...


class KnowledgePlanRequest(_Data):
    """Which folder of documents to compare with what is stored."""

    folder: str
    """Name of a configured folder, which is also the start of its documents' sources."""
    context: CallContext


class KnowledgeStep(_Data):
    """One document that has to be written or removed."""

    change: Literal["added", "changed", "removed"]
    document: str
    """Id of the document."""
    path: str = ""
    """File below the folder; empty for a removed document."""


class KnowledgePlan(_Data):
    """What differs between a folder and the store."""

    steps: tuple[KnowledgeStep, ...]
    unchanged: int
    """Documents that need nothing."""


class KnowledgeBatch(_Data):
    """Some steps of a plan. Carrying them out twice changes nothing more."""

    folder: str
    steps: tuple[KnowledgeStep, ...]
    context: CallContext


class KnowledgeReport(_Data):
    """What a synchronisation, or one batch of it, did."""

    added: int = 0
    """Documents that are new."""
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    chunks: int = 0
    """Chunks that were embedded and written."""

    def plus(self, other: KnowledgeReport) -> KnowledgeReport:
        """Return the sum of two reports."""
        return KnowledgeReport(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            removed=self.removed + other.removed,
            unchanged=self.unchanged + other.unchanged,
            chunks=self.chunks + other.chunks,
        )
