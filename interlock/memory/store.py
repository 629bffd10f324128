"""The LangGraph store that a graph sees. It does no I/O: the port of the run does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from interlock.errors import BadInput, NoPort, NotSerializable, UnsupportedInWorkflow
from interlock.memory.contract import (
    MEMORY_PORT,
    Get,
    ListNamespaces,
    MemoryItem,
    MemoryOp,
    MemoryPort,
    Namespace,
    Put,
    Search,
)


class Store(BaseStore):
    """Long-term memory as LangGraph knows it: `compile(store=Store())`.

    In a workflow each batch is one recorded call; elsewhere the memory of the open application
    answers. Items belong to the tenant of the run, whatever their namespace.

    Where LangGraph's own stores differ from one another: without a query the newest item comes
    first; with one, only embedded items are found; a time to live starts anew by a read only with
    `refresh_ttl=True`.
    """

    supports_ttl = True
    ttl_config = TTLConfig(refresh_on_read=False)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations in one call of the memory; see `BaseStore.abatch`.

        Raises:
            NoPort: neither a run nor an application is open here.
            NotSerializable: a value is not JSON data.
            BadInput: an operation has an argument out of range.
        """
        asked = tuple(_to_data(op) for op in ops)
        if not asked:
            return []
        answers = (await _port().run_ops(asked)).answers
        return [_to_result(op, answer) for op, answer in zip(asked, answers, strict=True)]

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations where no event loop runs; see `BaseStore.batch`.

        Raises:
            UnsupportedInWorkflow: an event loop runs here, as in every node of a workflow.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.abatch(ops))
        raise UnsupportedInWorkflow(
            "the store's sync methods would block the running event loop. Make the node async and "
            "await aget, asearch, aput, adelete or alist_namespaces."
        )


def _port() -> MemoryPort:
    port = MEMORY_PORT.get(None)
    if port is None:
        raise NoPort(
            "the store has no memory behind it here. Run the agent in a workflow, or open the "
            "application around it (`async with open_app(): ...`)."
        )
    return port


def _to_data(op: Op) -> MemoryOp:
    validate_op_namespace(op)
    try:
        match op:
            case GetOp():
                return Get(namespace=op.namespace, key=op.key, refresh_ttl=op.refresh_ttl)
            case SearchOp():
                return _search(op)
            case PutOp():
                return _put(op)
            case ListNamespacesOp():
                return _list(op)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{type(op).__name__}: {place!r}: {first['msg']}.") from error


def _search(op: SearchOp) -> Search:
    return Search(
        namespace_prefix=op.namespace_prefix,
        query=op.query,
        filter=_plain(op.filter, "the filter") if op.filter else None,
        limit=op.limit,
        offset=op.offset,
        refresh_ttl=op.refresh_ttl,
    )


def _put(op: PutOp) -> Put:
    return Put(
        namespace=op.namespace,
        key=op.key,
        value=None if op.value is None else _plain(op.value, f"the value of {op.key!r}"),
        index=tuple(op.index) if isinstance(op.index, list | tuple) else op.index,
        ttl_minutes=op.ttl,
    )


def _list(op: ListNamespacesOp) -> ListNamespaces:
    conditions: dict[str, Namespace] = {}
    for condition in op.match_conditions or ():
        if condition.match_type in conditions:
            raise BadInput(
                f"two {condition.match_type!r} conditions in one list of namespaces. Give one "
                "prefix and one suffix at most."
            )
        conditions[condition.match_type] = tuple(condition.path)
    return ListNamespaces(
        prefix=conditions.get("prefix"),
        suffix=conditions.get("suffix"),
        max_depth=op.max_depth,
        limit=op.limit,
        offset=op.offset,
    )


def _plain(value: Any, what: str) -> dict[str, Any]:
    """Return a copy as plain JSON data, which is what every later reader will see."""
    try:
        data: dict[str, Any] = from_json(to_json(dict(value), inf_nan_mode="strings"))
    except PydanticSerializationError as error:
        raise NotSerializable(f"{what} is not JSON data: {error}.") from error
    return data


def _to_result(op: MemoryOp, answer: Any) -> Result:
    if isinstance(answer, MemoryItem):
        return Item(
            namespace=answer.namespace,
            key=answer.key,
            value=answer.value,
            created_at=answer.created_at,
            updated_at=answer.updated_at,
        )
    if isinstance(op, Search):
        return [_found(item) for item in answer]
    if isinstance(op, ListNamespaces):
        return [tuple(namespace) for namespace in answer]
    return None


def _found(item: MemoryItem) -> SearchItem:
    return SearchItem(
        namespace=item.namespace,
        key=item.key,
        value=item.value,
        created_at=item.created_at,
        updated_at=item.updated_at,
        score=item.score,
    )
