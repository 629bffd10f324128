"""What Interlock's store adds to LangGraph's rules, on both kinds of Chroma."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from interlock.context import CallContext
from interlock.errors import BadInput, NotSerializable
from interlock.memory import Get, ListNamespaces, MemoryItem, MemoryOp, Put, Search
from interlock.memory.chroma import ChromaMemory

ACME = CallContext(agent="support", tenant="acme", subject="s-1", lineage="ns/wf/run-1", node="x")
OTHER = CallContext(agent="support", tenant="other")
NOTES = ("notes",)


async def run(memory: ChromaMemory, op: MemoryOp, context: CallContext = ACME) -> Any:
    """Carry out one operation and return its answer."""
    return (await memory.run_ops_for([op], context)).answers[0]


async def put(memory: ChromaMemory, key: str, value: dict[str, Any] | None, **more: Any) -> None:
    """Store an item of tenant acme."""
    await run(memory, Put(namespace=NOTES, key=key, value=value, **more))


async def keys(memory: ChromaMemory, context: CallContext = ACME, **search: Any) -> list[str]:
    """Return the keys that a search below the notes finds, in order."""
    found: list[MemoryItem] = await run(memory, Search(namespace_prefix=NOTES, **search), context)
    return [item.key for item in found]


async def test_tenants_never_meet(memory: ChromaMemory) -> None:
    """Same namespace and key in two tenants are two items, for reads, searches and lists."""
    await put(memory, "k", {"text": "secret of acme"})
    await run(memory, Put(namespace=NOTES, key="k", value={"text": "other's word"}), OTHER)
    await run(memory, Put(namespace=("more",), key="k", value={"text": "secret of acme"}), OTHER)

    mine = await run(memory, Get(namespace=NOTES, key="k"))
    theirs = await run(memory, Get(namespace=NOTES, key="k"), OTHER)
    assert (mine.value["text"], theirs.value["text"]) == ("secret of acme", "other's word")
    for query in (None, "secret of acme"):
        everything = Search(namespace_prefix=(), query=query, filter={}, limit=100)
        assert [item.value["text"] for item in await run(memory, everything)] == ["secret of acme"]
        assert len(await run(memory, everything, OTHER)) == 2
    assert await keys(memory, OTHER, filter={"text": "secret of acme"}) == []
    assert await run(memory, ListNamespaces()) == [NOTES]
    assert await run(memory, ListNamespaces(), OTHER) == [("more",), NOTES]


async def test_a_tenant_deletes_only_its_own(memory: ChromaMemory) -> None:
    """Deleting a key leaves the same key of another tenant, and a third tenant sees nothing."""
    await put(memory, "k", {"text": "mine"})
    await run(memory, Put(namespace=NOTES, key="k", value={"text": "theirs"}), OTHER)
    await run(memory, Put(namespace=NOTES, key="k", value=None), OTHER)
    assert await run(memory, Get(namespace=NOTES, key="k"), OTHER) is None
    assert (await run(memory, Get(namespace=NOTES, key="k"))).value == {"text": "mine"}
    nobody = CallContext(agent="support", tenant='acme"]')
    assert await run(memory, Search(namespace_prefix=()), nobody) == []
    assert await memory.provenance(NOTES, "k", nobody) is None


async def test_a_namespace_label_is_no_tenant(memory: ChromaMemory) -> None:
    """Tenant and labels are never read as one another, whatever characters they have."""
    sly = CallContext(agent="support", tenant='acme","notes')
    await put(memory, "k", {"text": "mine"})
    await run(memory, Put(namespace=("x",), key="k", value={"text": "theirs"}), sly)
    assert await keys(memory) == ["k"]
    assert await run(memory, ListNamespaces(), sly) == [("x",)]


async def test_without_a_query_the_newest_comes_first(memory: ChromaMemory) -> None:
    """Items are ordered by their last put, within a batch too."""
    puts = [Put(namespace=NOTES, key=key, value={"n": 1}) for key in "abc"]
    await memory.run_ops_for(puts, ACME)
    assert await keys(memory) == ["c", "b", "a"]
    await put(memory, "a", {"n": 2})
    assert await keys(memory) == ["a", "c", "b"]
    assert await keys(memory, filter={"n": {"$lt": 2}}, limit=1, offset=1) == ["b"]


async def test_an_update_keeps_the_creation_time(memory: ChromaMemory) -> None:
    """`created_at` is that of the first put until the item is deleted."""
    await put(memory, "k", {"n": 1})
    first = await run(memory, Get(namespace=NOTES, key="k"))
    await put(memory, "k", {"n": 2})
    second = await run(memory, Get(namespace=NOTES, key="k"))
    assert first.created_at == first.updated_at == second.created_at < second.updated_at
    await put(memory, "k", None)
    await put(memory, "k", {"n": 3})
    assert (await run(memory, Get(namespace=NOTES, key="k"))).created_at > second.updated_at


async def test_provenance_is_kept_beside_the_value(memory: ChromaMemory, clock: Any) -> None:
    """The call that wrote the value last is its author; the value itself is as it was put."""
    await put(memory, "k", {"n": 1}, ttl_minutes=5)
    later = ACME.model_copy(update={"agent": "editor", "lineage": "ns/wf/run-2", "release": "r2"})
    made = await memory.provenance(NOTES, "k", ACME)
    await run(memory, Put(namespace=NOTES, key="k", value={"n": 2}), later)
    found = await memory.provenance(NOTES, "k", ACME)
    assert made is not None
    assert found is not None
    assert (made.author, found.author) == (ACME, later)
    assert made.expires_at == made.updated_at + timedelta(minutes=5)
    assert found.expires_at is None
    assert found.created_at == made.created_at < found.updated_at < clock.now
    assert (await run(memory, Get(namespace=NOTES, key="k"))).value == {"n": 2}
    assert await memory.provenance(NOTES, "unknown", ACME) is None


@pytest.mark.parametrize("index", [None, False, ("text", "more")])
async def test_an_expired_item_is_gone(memory: ChromaMemory, clock: Any, index: Any) -> None:
    """After its time to live an item is in no answer, and comes anew when put again."""
    value = {"text": "short lived", "more": "of it"}
    await put(memory, "k", value, index=index, ttl_minutes=10)
    await put(memory, "stays", {"text": "short lived"})
    clock.advance(minutes=9)
    assert await keys(memory) == ["stays", "k"]
    clock.advance(minutes=2)
    assert await keys(memory, query="short lived", limit=1) == ["stays"]
    assert await keys(memory) == ["stays"]
    assert await run(memory, Get(namespace=NOTES, key="k")) is None
    assert await memory.provenance(NOTES, "k", ACME) is None
    await put(memory, "k", value, index=index)
    clock.advance(days=400)
    assert (await run(memory, Get(namespace=NOTES, key="k"))).value == value


async def test_an_expired_namespace_is_not_listed(memory: ChromaMemory, clock: Any) -> None:
    """A namespace whose items have all expired is none."""
    await put(memory, "k", {"n": 1}, ttl_minutes=1)
    assert await run(memory, ListNamespaces()) == [NOTES]
    clock.advance(minutes=2)
    assert await run(memory, ListNamespaces()) == []


@pytest.mark.parametrize("read", ["get", "search"])
async def test_a_read_may_start_the_time_to_live_anew(
    memory: ChromaMemory, clock: Any, read: str
) -> None:
    """With `refresh_ttl` a read keeps an item for its whole time again; without it does not."""
    for key in ("kept", "left"):
        await put(memory, key, {"name": key}, ttl_minutes=10)
    for _ in range(3):
        clock.advance(minutes=6)
        for key, refresh in (("kept", True), ("left", False)):
            if read == "get":
                await run(memory, Get(namespace=NOTES, key=key, refresh_ttl=refresh))
            else:
                await keys(memory, filter={"name": key}, refresh_ttl=refresh)
    assert await keys(memory) == ["kept"]
    clock.advance(minutes=11)
    assert await keys(memory) == []


async def test_fewer_texts_leave_no_old_ones(memory: ChromaMemory) -> None:
    """An item that is put with fewer fields to find it by is not found by the old ones."""
    await put(memory, "k", {"a": "giraffe", "b": "rhino", "c": "lynx"}, index=("a", "b", "c"))
    await put(memory, "k", {"a": "giraffe"}, index=("a",))
    scores = {}
    for query in ("giraffe", "rhino", "lynx"):
        (hit,) = await run(memory, Search(namespace_prefix=NOTES, query=query))
        scores[query] = hit.score
    assert scores["giraffe"] == pytest.approx(1.0, abs=1e-5)
    assert max(scores["rhino"], scores["lynx"]) < 0.9


async def test_more_items_than_one_chroma_batch(memory: ChromaMemory) -> None:
    """A batch over Chroma's limit of 5,461 is stored whole, found, filtered and deleted."""
    texts = [f"{number} {'odd' if number % 2 else 'even'} thing" for number in range(5600)]
    puts = [
        Put(namespace=NOTES, key=str(number), value={"text": text, "n": number})
        for number, text in enumerate(texts)
    ]
    await memory.run_ops_for(puts, ACME)
    assert await keys(memory, limit=3) == ["5599", "5598", "5597"]
    found = await keys(memory, query=texts[4711], limit=6000)
    assert found[0] == "4711"
    assert len(set(found)) == len(found) == 5600
    assert set(await keys(memory, query="odd", filter={"n": {"$gte": 5598}})) == {"5598", "5599"}
    await memory.run_ops_for([put.model_copy(update={"value": None}) for put in puts[1:]], ACME)
    assert await keys(memory) == ["0"]


async def test_a_batch_may_run_twice(memory: ChromaMemory) -> None:
    """A retried batch leaves the store as one run does."""
    batch: list[MemoryOp] = [
        Put(namespace=NOTES, key="new", value={"n": 1}),
        Put(namespace=NOTES, key="old", value=None),
    ]
    await put(memory, "old", {"n": 0})
    for _ in range(2):
        await memory.run_ops_for(batch, ACME)
    assert await keys(memory) == ["new"]


async def test_an_unknown_operator_is_refused(memory: ChromaMemory) -> None:
    """The message lists the operators there are."""
    await put(memory, "k", {"n": 1})
    with pytest.raises(BadInput, match=r"'\$regex'.*\$eq, \$ne, \$gt"):
        await keys(memory, filter={"n": {"$regex": "1"}})


@pytest.mark.parametrize(
    "op",
    [
        Put(namespace=NOTES, key="k", value={"x": object()}),
        Put(namespace=NOTES, key="k", value={"x": float("nan")}),
        Put(namespace=NOTES, key="k", value={"x": "\ud800"}),
        Put(namespace=NOTES, key="\ud800", value={"x": 1}),
    ],
)
async def test_what_json_cannot_hold_is_refused(memory: ChromaMemory, op: Put) -> None:
    """A value or a key that is not JSON text stores nothing, and the memory works on."""
    await put(memory, "other", {"n": 1})
    with pytest.raises(NotSerializable):
        await run(memory, op)
    assert await keys(memory) == ["other"]
