"""What crosses the memory door: LangGraph store operations as data. Safe in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from interlock.context import CallContext

Namespace = tuple[str, ...]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Put(_Data):
    """Store an item, or delete it when `value` is None."""

    op: Literal["put"] = "put"
    namespace: Namespace
    key: str
    value: dict[str, Any] | None
    index: Literal[False] | tuple[str, ...] | None = None
    """Fields to embed; None for the store's default (all text), False for none."""
    ttl_minutes: float | None = None


class Get(_Data):
    """Read one item."""

    op: Literal["get"] = "get"
    namespace: Namespace
    key: str


class Search(_Data):
    """Find items below a namespace prefix, by meaning when `query` is set."""

    op: Literal["search"] = "search"
    namespace_prefix: Namespace
    query: str | None = None
    filter: dict[str, Any] | None = None
    limit: int = 10
    offset: int = 0


class ListNamespaces(_Data):
    """List namespaces that match prefix and suffix conditions."""

    op: Literal["list"] = "list"
    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


MemoryOp = Annotated[Put | Get | Search | ListNamespaces, Field(discriminator="op")]


class MemoryItem(_Data):
    """One stored item, with where it came from inside its value under `provenance`."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    score: float | None = None


class MemoryBatch(_Data):
    """One recorded call of the store: operations in order."""

    ops: tuple[MemoryOp, ...]
    context: CallContext


class MemoryAnswers(_Data):
    """One answer for each operation: an item or None (get), items (search), namespaces (list)."""

    answers: tuple[MemoryItem | list[MemoryItem] | list[Namespace] | None, ...]


class MemoryPort(Protocol):
    """What stands behind an agent's store: the workflow's door, or the store itself."""

    def run_ops(self, ops: tuple[MemoryOp, ...]) -> Awaitable[MemoryAnswers]:
        """Carry out operations in order, for the tenant of the current call context."""
        ...


MEMORY_PORT: ContextVar[MemoryPort] = ContextVar("interlock_memory_port")
"""The port of the current run or of the open application."""
