"""What every LangGraph store does, run on LangGraph's own as the reference."""

from __future__ import annotations

import sys
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
    SearchOp,
)

from interlock.memory.embedders import Hashing

ITEMS: dict[str, dict[str, Any]] = {
    "apple": {"kind": "fruit", "price": 1, "fresh": True, "origin": {"land": "pl", "km": 300}},
    "pear": {"kind": "fruit", "price": 1.5, "fresh": False, "origin": {"land": "it", "km": 900}},
    "nail": {"kind": "iron", "price": 0.05, "fresh": None, "sizes": [2, 3]},
    "Größe 日本 🍎": {"kind": "ünïcode 日本 🍎", "price": 10**6},
}

FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set(ITEMS)),
    ({"kind": "fruit"}, {"apple", "pear"}),
    ({"kind": "fruit", "price": 1}, {"apple"}),
    ({"kind": "ünïcode 日本 🍎"}, {"Größe 日本 🍎"}),
    ({"price": 1.0}, {"apple"}),
    ({"fresh": True}, {"apple"}),
    ({"fresh": None}, {"nail", "Größe 日本 🍎"}),
    ({"origin": {"land": "it"}}, {"pear"}),
    ({"origin": {"km": {"$gt": 500}}}, {"pear"}),
    ({"sizes": [2, 3]}, {"nail"}),
    ({"sizes": [2, {"$gte": 3}]}, {"nail"}),
    ({"kind": {"$eq": "iron"}}, {"nail"}),
    ({"kind": {"$ne": "fruit"}}, {"nail", "Größe 日本 🍎"}),
    ({"price": {"$gt": 1}}, {"pear", "Größe 日本 🍎"}),
    ({"price": {"$gte": 1, "$lt": 2}}, {"apple", "pear"}),
    ({"price": {"$lte": 0.05}}, {"nail"}),
    ({"kind": "stone"}, set()),
    ({"missing": "x"}, set()),
]


async def test_an_item_comes_back_as_it_was_put(store: BaseStore) -> None:
    """A value of any nesting is read unchanged, with its place and its times."""
    value = {
        "text": "naïve café 🍎",
        "none": None,
        "list": [1, 2.5, -0.0, [], {}, {"deep": [None, True]}],
        "long": 12345678901234567890,
        "empty": "",
        "": "no name",
        "$odd.name": "kept",
    }
    before = datetime.now(UTC)
    await store.aput(("users", "ä 1"), "key/ü", value)
    item = await store.aget(("users", "ä 1"), "key/ü")
    assert item is not None
    assert (item.namespace, item.key, item.value) == (("users", "ä 1"), "key/ü", value)
    assert before <= item.created_at <= item.updated_at <= datetime.now(UTC)


async def test_an_unknown_item_is_none(store: BaseStore) -> None:
    """Neither another key nor another namespace gives an item."""
    await store.aput(("a",), "key", {"x": 1})
    assert await store.aget(("a",), "other") is None
    assert await store.aget(("a", "b"), "key") is None
    assert await store.aget(("b",), "key") is None


async def test_a_put_replaces_the_whole_value(store: BaseStore) -> None:
    """Fields of the old value are gone, from reads, filters and searches by meaning."""
    await store.aput(("a",), "key", {"old": "giraffe", "both": 1}, index=["old", "both"])
    await store.aput(("a",), "key", {"both": 2}, index=["both"])
    item = await store.aget(("a",), "key")
    assert item is not None
    assert item.value == {"both": 2}
    assert await store.asearch(("a",), filter={"old": "giraffe"}) == []
    found = await store.asearch(("a",), query="2")
    assert [(hit.key, hit.score) for hit in found] == [("key", pytest.approx(1.0, abs=1e-5))]


async def test_a_deleted_item_is_gone(store: BaseStore) -> None:
    """Deleting removes from every way of reading, and deleting twice is no error."""
    await store.aput(("a",), "key", {"text": "hello"})
    await store.adelete(("a",), "key")
    await store.adelete(("a",), "key")
    assert await store.aget(("a",), "key") is None
    assert await store.asearch(()) == []
    assert await store.asearch((), query="hello") == []


async def test_search_stays_below_its_prefix(store: BaseStore) -> None:
    """A prefix is a prefix of labels, not of text; the empty one is the whole store."""
    for namespace in [("a",), ("a", "b"), ("a", "b", "c"), ("a", "bb"), ("ab",), ("b", "a")]:
        await store.aput(namespace, "key", {"at": "/".join(namespace)})

    async def below(*prefix: str, query: str | None = None) -> set[str]:
        return {item.value["at"] for item in await store.asearch(prefix, query=query)}

    for query in (None, "something"):
        assert await below("a", "b", query=query) == {"a/b", "a/b/c"}
        assert await below("a", query=query) == {"a", "a/b", "a/b/c", "a/bb"}
        assert await below("ab", query=query) == {"ab"}
        assert await below("c", query=query) == set()
        assert len(await below(query=query)) == 6


@pytest.mark.parametrize("query", [None, "number"])
async def test_pages_cover_everything_once(store: BaseStore, query: str | None) -> None:
    """Limit and offset cut one order into pages without gaps and repetitions."""
    for number in range(23):
        await store.aput(("n", str(number % 3)), str(number), {"text": f"number {number}"})
    keys = []
    for offset in range(0, 30, 5):
        page = await store.asearch(("n",), query=query, limit=5, offset=offset)
        keys += [item.key for item in page]
    assert sorted(keys, key=int) == [str(number) for number in range(23)]
    assert await store.asearch(("n",), query=query, limit=0) == []
    for limit in (1_000_000, sys.maxsize):
        assert len(await store.asearch(("n",), query=query, limit=limit)) == 23


@pytest.mark.parametrize(("wanted", "expected"), FILTERS, ids=[str(row[0]) for row in FILTERS])
@pytest.mark.parametrize("query", [None, "fruit"])
async def test_filters(
    store: BaseStore, wanted: dict[str, Any], expected: set[str], query: str | None
) -> None:
    """A filter compares fields as LangGraph's own store does, alone and with a query."""
    await store.abatch([PutOp(("shop",), key, value) for key, value in ITEMS.items()])
    found = await store.asearch(("shop",), filter=wanted, query=query)
    assert {item.key for item in found} == expected


async def test_the_nearest_comes_first_with_its_cosine(store: BaseStore) -> None:
    """Results are ordered by score, which is the cosine similarity of text and query."""
    texts = {
        "cat": "the cat sleeps on the warm stove",
        "dog": "a dog barks at the postman",
        "tax": "value added tax is due in march",
    }
    for key, text in texts.items():
        await store.aput(("t",), key, {"text": text}, index=["text"])
    query = "a cat on the stove"
    asked, *vectors = Hashing().embed([query, *texts.values()])
    cosines = {
        key: sum(a * b for a, b in zip(asked, vector, strict=True))
        for key, vector in zip(texts, vectors, strict=True)
    }
    found = await store.asearch(("t",), query=query)
    assert [hit.key for hit in found] == sorted(cosines, key=lambda key: -cosines[key])
    assert {hit.key: hit.score for hit in found} == {
        key: pytest.approx(cosine, abs=1e-5) for key, cosine in cosines.items()
    }
    assert [hit.key for hit in await store.asearch(("t",), query=query, limit=1)] == ["cat"]


async def test_an_item_that_is_not_indexed_has_no_score(store: BaseStore) -> None:
    """`index=False` keeps an item out of searches by meaning and in all others."""
    await store.aput(("t",), "hidden", {"text": "the very words"}, index=False)
    await store.aput(("t",), "shown", {"text": "other things"})
    scored = [hit for hit in await store.asearch(("t",), query="the very words") if hit.score]
    assert "hidden" not in {hit.key for hit in scored}
    assert {item.key for item in await store.asearch(("t",))} == {"hidden", "shown"}
    assert await store.aget(("t",), "hidden") is not None


async def test_each_indexed_field_is_found_by_itself(store: BaseStore) -> None:
    """Of several indexed texts the best one counts, and the item comes once."""
    value = {
        "title": "red bicycle",
        "chapters": [{"content": "green elephant"}, {"content": "blue submarine"}],
        "secret": "purple lighthouse",
    }
    await store.aput(("t",), "many", value, index=["title", "chapters[*].content"])
    await store.aput(("t",), "one", {"title": "yellow house"}, index=["title"])
    for query in ("red bicycle", "green elephant", "blue submarine"):
        hits = await store.asearch(("t",), query=query)
        assert [hit.key for hit in hits] == ["many", "one"]
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    (best, *_) = await store.asearch(("t",), query="purple lighthouse")
    assert best.score is not None
    assert best.score < 0.9


async def test_namespaces_are_listed(store: BaseStore) -> None:
    """Namespaces are filtered by prefix, suffix and wildcards, cut by depth and paged, sorted."""
    made = [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("z",)]
    for namespace in made:
        for key in ("1", "2"):
            await store.aput(namespace, key, {"x": 1})
    listed = store.alist_namespaces
    assert await listed() == made
    assert await listed(prefix=("a", "b"), max_depth=3) == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "b", "f"),
    ]
    assert await listed(suffix=("i",)) == [("a", "b", "d", "i")]
    assert await listed(prefix=("a", "*", "d")) == made[1:3]
    assert await listed(prefix=("a",), suffix=("*", "f")) == [("a", "b", "f")]
    assert await listed(prefix=("b",)) == []
    assert await listed(max_depth=1) == [("a",), ("z",)]
    assert await listed(limit=2, offset=1) == made[1:3]


async def test_a_batch_reads_before_it_writes(store: BaseStore) -> None:
    """Answers come in the order of the operations; the last put of a key counts."""
    await store.aput(("a",), "old", {"n": 0})
    conditions = (MatchCondition("prefix", ("a",)),)
    answers = await store.abatch(
        [
            PutOp(("a",), "new", {"n": 1}),
            GetOp(("a",), "new"),
            GetOp(("a",), "old"),
            PutOp(("a",), "new", {"n": 2}),
            PutOp(("a",), "old", None),
            SearchOp(("a",)),
            ListNamespacesOp(conditions),
        ]
    )
    put, absent, old, again, deleted, found, namespaces = answers
    assert (put, absent, again, deleted) == (None, None, None, None)
    assert old is not None
    assert old.value == {"n": 0}  # type: ignore[union-attr]
    assert [hit.key for hit in found] == ["old"]  # type: ignore[union-attr]
    assert namespaces == [("a",)]
    assert [(item.key, item.value) for item in await store.asearch(("a",))] == [("new", {"n": 2})]


async def test_an_empty_batch_answers_nothing(store: BaseStore) -> None:
    """No operations, no answers."""
    assert await store.abatch([]) == []


async def test_a_big_value_is_kept_whole(store: BaseStore) -> None:
    """A value of a megabyte with a text far longer than the embedder reads comes back."""
    value = {"text": "wörd " * 200_000, "rows": list(range(1000))}
    await store.aput(("big",), "one", value)
    item = await store.aget(("big",), "one")
    assert item is not None
    assert item.value == value


@pytest.mark.parametrize("namespace", [(), ("langgraph",), ("a.b",), ("",), ("a", "")])
async def test_bad_namespaces_are_refused(store: BaseStore, namespace: tuple[str, ...]) -> None:
    """The base class's rules for namespaces hold."""
    with pytest.raises(InvalidNamespaceError):
        await store.aput(namespace, "key", {"x": 1})
