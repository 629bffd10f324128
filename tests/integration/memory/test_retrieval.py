"""The real embedder finds the right passage for a customer's own words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interlock.context import CallContext
from interlock.memory import MemoryItem, Search
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import MiniLM
from interlock.memory.knowledge import KNOWLEDGE, sync_knowledge

CONTEXT = CallContext(agent="knowledge")

QUESTIONS = {
    "My order arrived broken, I want my money back": "refunds#damaged-or-broken-items.1",
    "the glass was smashed in the box": "refunds#damaged-or-broken-items.1",
    "I don't like it, can I send it back?": "refunds#change-of-mind.1",
    "how long until the refund is on my bank account": "refunds#when-the-money-arrives.1",
    "my engraved mug, can I give it back": "refunds#what-cannot-be-returned.1",
    "how many days does delivery take": "shipping#delivery-times.1",
    "where is my package": "shipping#tracking.1",
    "the parcel never came and nothing has moved for a week": "shipping#lost-parcels.1",
    "the courier came while I was at work": "shipping#nobody-at-home.1",
    "do you accept paypal": "payment#ways-to-pay.1",
    "there are two identical debits on my statement": "payment#charged-twice.1",
    "need a receipt for my accountant": "payment#invoices.1",
    "I forgot my login": "account#forgotten-password.1",
    "I moved, send it to my new flat": "account#changing-your-address.1",
    "erase everything you know about me": "account#deleting-your-data.1",
    "is the pot dishwasher safe": "products#washing-cups-and-pots.1",
    "the shoes are too tight": "products#sizes.1",
    "my kettle stopped working after a year": "products#warranty.1",
    "I want to speak with a real person": "contact#a-person-please.1",
    "when can I call you": "contact#opening-hours.1",
}


async def test_questions_find_their_passage(
    minilm: MiniLM, documents: Path, tmp_path: Path
) -> None:
    """Of 20 questions in other words at least 18 find the right passage first (19 when written)."""
    searches = [
        Search(namespace_prefix=KNOWLEDGE, query=question, limit=3) for question in QUESTIONS
    ]
    async with ChromaMemory(tmp_path / "chroma", minilm) as memory:
        await sync_knowledge(memory, documents, CONTEXT)
        answers = (await memory.run_ops_for(searches, CONTEXT)).answers
    first = {}
    for question, hits in zip(QUESTIONS, answers, strict=True):
        assert isinstance(hits, list)
        items = [hit for hit in hits if isinstance(hit, MemoryItem)]
        assert all(item.score is not None and 0 < item.score <= 1 for item in items)
        first[question] = items[0].key
    right = [question for question, key in QUESTIONS.items() if first[question] == key]
    assert len(right) >= 18, {q: first[q] for q in QUESTIONS if q not in right}


def test_vectors_have_length_one_and_keep_their_order(minilm: MiniLM) -> None:
    """A text's vector is the same alone and in a batch of other lengths, within int8's noise."""
    texts = [f"{'long ' * (number % 7)}text number {number}" for number in range(70)]
    together = np.array(minilm.embed(texts))
    assert together.shape == (70, minilm.dimensions)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(70), abs=1e-5)
    for place in (0, 6, 33, 69):
        (alone,) = np.array(minilm.embed([texts[place]]))
        assert together[place] @ alone > 0.99
        assert (together @ alone).argmax() == place


def test_odd_texts_have_vectors(minilm: MiniLM) -> None:
    """An empty, a very long and a non-English text are embedded; none gives no vector."""
    vectors = np.array(minilm.embed(["", "word " * 10_000, "日本語 🍎", "\x00"]))
    assert np.isfinite(vectors).all()
    assert minilm.embed([]) == []
