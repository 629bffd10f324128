"""The store that a graph sees: one port call a batch, and clear refusals."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)

from interlock.errors import BadInput, NoPort, NotSerializable, UnsupportedInWorkflow
from interlock.memory import (
    MEMORY_PORT,
    Get,
    ListNamespaces,
    MemoryAnswers,
    MemoryItem,
    MemoryOp,
    Put,
    Search,
)
from interlock.memory.store import Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ITEM = MemoryItem(namespace=("a",), key="k", value={"n": 1}, created_at=NOW, updated_at=NOW)


class Port:
    """Keeps the batches it is asked for, and answers each kind of operation in one way."""

    def __init__(self) -> None:
        self.batches: list[tuple[MemoryOp, ...]] = []

    async def run_ops(self, ops: tuple[MemoryOp, ...]) -> MemoryAnswers:
        self.batches.append(ops)
        known: dict[str, Any] = {
            "get": ITEM,
            "search": [ITEM.model_copy(update={"score": 0.5})],
            "list": [("a", "b")],
            "put": None,
        }
        return MemoryAnswers(answers=tuple(known[op.op] for op in ops))


@pytest.fixture
def port() -> Iterator[Port]:
    """Stand behind the store for one test."""
    port = Port()
    token = MEMORY_PORT.set(port)
    yield port
    MEMORY_PORT.reset(token)


async def test_each_method_is_one_call(port: Port) -> None:
    """The async methods of LangGraph's base class arrive as data, with their defaults."""
    store = Store()
    await store.aput(("a",), "k", {"n": (1, 2)}, index=["n"], ttl=3)
    await store.adelete(("a",), "k")
    item = await store.aget(("a",), "k", refresh_ttl=True)
    (hit,) = await store.asearch(("a",), query="q", filter={"n": 1}, limit=4, offset=2)
    namespaces = await store.alist_namespaces(prefix=("a",), suffix=("*",), max_depth=2, limit=9)
    assert port.batches == [
        (Put(namespace=("a",), key="k", value={"n": [1, 2]}, index=("n",), ttl_minutes=3),),
        (Put(namespace=("a",), key="k", value=None),),
        (Get(namespace=("a",), key="k", refresh_ttl=True),),
        (Search(namespace_prefix=("a",), query="q", filter={"n": 1}, limit=4, offset=2),),
        (ListNamespaces(prefix=("a",), suffix=("*",), max_depth=2, limit=9),),
    ]
    assert item is not None
    assert (item.key, item.value, item.created_at) == ("k", {"n": 1}, NOW)
    assert isinstance(hit, SearchItem)
    assert (hit.key, hit.score) == ("k", 0.5)
    assert namespaces == [("a", "b")]


async def test_a_batch_is_one_call(port: Port) -> None:
    """However many operations a batch has, the port is asked once, in their order."""
    answers = await Store().abatch(
        [PutOp(("a",), "k", {}), GetOp(("a",), "k"), SearchOp(("a",)), ListNamespacesOp()]
    )
    assert [[op.op for op in batch] for batch in port.batches] == [["put", "get", "search", "list"]]
    assert answers[0] is None
    assert answers[3] == [("a", "b")]
    assert await Store().abatch([]) == []
    assert len(port.batches) == 1


def test_without_a_loop_the_sync_methods_work(port: Port) -> None:
    """In a plain script or a thread `get` and `put` do what their async forms do."""
    Store().put(("a",), "k", {"n": 1})
    item = Store().get(("a",), "k")
    assert item is not None
    assert item.value == {"n": 1}
    assert len(port.batches) == 2


async def test_in_a_loop_the_sync_methods_are_refused(port: Port) -> None:
    """The error says to use the async methods, and nothing was asked of the port."""
    with pytest.raises(UnsupportedInWorkflow, match="aget, asearch, aput"):
        Store().get(("a",), "k")
    assert port.batches == []


async def test_without_a_port_the_store_says_so() -> None:
    """Outside a run and an open application the error tells what to open."""
    asked = Store().aget(("a",), "k")
    with pytest.raises(NoPort, match="workflow"):
        await asyncio.get_running_loop().create_task(asked, context=contextvars.Context())


@pytest.mark.parametrize("value", [{"x": object()}, {"x": "\ud800"}, {"x": b"\xff"}])
async def test_what_is_not_json_is_refused(port: Port, value: dict[str, Any]) -> None:
    """A value that cannot be recorded never leaves the graph."""
    with pytest.raises(NotSerializable, match="'k'"):
        await Store().aput(("a",), "k", value)
    assert port.batches == []


async def test_values_become_json_on_the_way(port: Port) -> None:
    """What the store keeps is what every later reader sees: plain JSON, apart from the original."""
    value = {"at": NOW, "set": {1}, "nan": float("nan"), "inner": {"n": 1}}
    await Store().aput(("a",), "k", value)
    value["inner"]["n"] = 2  # type: ignore[index]
    (put,) = port.batches[0]
    assert isinstance(put, Put)
    assert put.value == {
        "at": "2026-11-22T00:00:00Z",
        "set": [1],
        "nan": "NaN",
        "inner": {"n": 1},
    }


@pytest.mark.parametrize(
    ("op", "words"),
    [
        (SearchOp(("a",), limit=-1), "SearchOp: 'limit'"),
        (PutOp(("a",), "k", {}, ttl=-1), "PutOp: 'ttl_minutes'"),
        (
            ListNamespacesOp((MatchCondition("prefix", ("a",)), MatchCondition("prefix", ("b",)))),
            "two 'prefix' conditions",
        ),
    ],
)
async def test_bad_operations_are_refused(port: Port, op: Any, words: str) -> None:
    """The message names the operation and the argument."""
    with pytest.raises(BadInput, match=words):
        await Store().abatch([op])
    assert port.batches == []


async def test_a_batch_checks_namespaces_too(port: Port) -> None:
    """Operations that skip the base class's methods obey its rule for labels."""
    with pytest.raises(InvalidNamespaceError):
        await Store().abatch([GetOp(("a.b",), "k")])
    assert port.batches == []


def test_every_method_of_the_base_class_leads_to_batch_or_abatch() -> None:
    """The installed LangGraph adds no way around the door."""
    own = {"batch", "abatch"}
    known = {"get", "search", "put", "delete", "list_namespaces"}
    known |= {f"a{name}" for name in known}
    public = {name for name in vars(BaseStore) if not name.startswith("_")}
    assert public - {"supports_ttl", "ttl_config"} == own | known
    assert {name for name in vars(Store) if not name.startswith("_")} == own | {
        "supports_ttl",
        "ttl_config",
    }


def test_the_store_imports_no_adapter() -> None:
    """A graph that uses the store loads neither Chroma nor a model runtime."""
    code = (
        "import sys, interlock.memory; "
        "heavy = {'chromadb', 'onnxruntime', 'tokenizers', 'numpy', 'filelock', 'temporalio'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
