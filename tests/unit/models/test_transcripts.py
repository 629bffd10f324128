"""Transcripts: what was appended is what is loaded, however it was cut up."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import PayloadMissing
from interlock.models.transcripts import CHAIN, TranscriptStore

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)
message_lists = st.lists(
    st.lists(
        st.fixed_dictionaries({"$message": st.just("HumanMessage"), "data": json_values}),
        max_size=3,
    ),
    max_size=8,
)


class Payloads:
    """A payload store in a dictionary."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        """Store bytes under their hash."""
        ref = hashlib.sha256(data).hexdigest()
        self.data[ref] = data
        return ref

    async def get(self, ref: str) -> bytes:
        """Return stored bytes."""
        return self.data[ref]


@given(message_lists, st.sampled_from([0, 200, 1_000_000]))
def test_loading_gives_back_everything_that_was_appended(pieces, cache_bytes) -> None:
    """For any messages, cut up in any way and cached or not, the list comes back unchanged."""

    async def check() -> None:
        payloads = Payloads()
        store = TranscriptStore(payloads, cache_bytes=cache_bytes)
        ref, whole = "", []
        for piece in pieces:
            ref = await store.append(ref, piece)
            whole.extend(piece)
            assert await store.load(ref) == whole
        loaded = await TranscriptStore(payloads).load(ref)
        assert json.dumps(loaded) == json.dumps(whole)

    asyncio.run(check())


async def test_a_chain_is_flattened(payloads) -> None:
    """No chain is longer than its limit, so a cold load reads few nodes."""
    store = TranscriptStore(payloads)
    ref = ""
    for number in range(2 * CHAIN + 3):
        ref = await store.append(ref, [{"number": number}])
        assert json.loads(payloads.data[ref])["depth"] < CHAIN
    cold = TranscriptStore(payloads)
    payloads.reads = 0
    assert [message["number"] for message in await cold.load(ref)] == list(range(2 * CHAIN + 3))
    assert payloads.reads <= CHAIN


async def test_appending_again_gives_the_same_reference(payloads) -> None:
    """A retried call, in whatever process and with whatever cache, stores nothing new."""
    warm = TranscriptStore(payloads)
    ref = ""
    for number in range(CHAIN + 1):
        before, ref = ref, await warm.append(ref, [{"number": number}])
        stored = len(payloads.data)
        assert (
            await TranscriptStore(payloads, cache_bytes=0).append(before, [{"number": number}])
            == ref
        )
        assert len(payloads.data) == stored


async def test_each_message_is_stored_once(payloads) -> None:
    """The bytes of a conversation grow with its messages, not with their square."""
    store = TranscriptStore(payloads)
    ref = ""
    for number in range(CHAIN - 1):
        ref = await store.append(ref, [{"number": number, "text": "x" * 1000}])
    assert sum(map(len, payloads.data.values())) < 1.3 * 1000 * CHAIN


async def test_a_warm_cache_reads_nothing(payloads) -> None:
    """The next turn of a conversation is loaded from memory."""
    store = TranscriptStore(payloads)
    ref = await store.append("", [{"text": "hello"}])
    ref = await store.append(ref, [{"text": "again"}])
    await store.load(ref)
    assert payloads.reads == 0


async def test_the_cache_is_bounded(payloads) -> None:
    """Old transcripts leave memory and are read again from the store."""
    store = TranscriptStore(payloads, cache_bytes=5_000)
    refs = [await store.append("", [{"text": f"{number}" * 1000}]) for number in range(10)]
    assert await store.load(refs[0]) == [{"text": "0" * 1000}]
    assert payloads.reads == 1
    await store.load(refs[-1])
    assert payloads.reads == 1


async def test_nothing_new_is_no_new_node(payloads) -> None:
    """A call without new messages keeps its reference."""
    store = TranscriptStore(payloads)
    ref = await store.append("", [{"text": "hello"}])
    assert await store.append(ref, []) == ref
    assert await store.append("", []) == ""
    assert await store.load("") == []


async def test_a_missing_node_is_named(payloads) -> None:
    """A reference to nothing is an error with the reference."""
    with pytest.raises(PayloadMissing, match="feed"):
        await TranscriptStore(payloads).load("feed")


async def test_a_payload_that_is_no_transcript_is_refused(payloads) -> None:
    """Other bytes under a reference are not taken for messages."""
    ref = await payloads.put(b'{"other": 1}')
    with pytest.raises(PayloadMissing, match="no part of a transcript"):
        await TranscriptStore(payloads).load(ref)
