"""Intent by examples and words, passages by meaning and words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import SearchItem

from agents.support.understanding import ranked, vote

_NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _found(score: float, **value: Any) -> SearchItem:
    return SearchItem(
        namespace=("x",), key=str(score), value=value, created_at=_NOW, updated_at=_NOW, score=score
    )


def _near(*pairs: tuple[str, float]) -> list[SearchItem]:
    return [_found(score, intent=intent) for intent, score in pairs]


def test_several_near_examples_outweigh_one_nearest() -> None:
    """The mean of an intent's nearest examples decides."""
    near = _near(
        ("refund", 0.6), ("other", 0.58), ("other", 0.57), ("other", 0.56), ("refund", 0.3)
    )
    assert vote(near, []) == ("other", 0.102)


def test_a_wish_in_words_decides_between_near_ones() -> None:
    """A wish that is said adds to its intent, also when no example of it is near."""
    near = _near(("replacement", 0.6), ("replacement", 0.55), ("refund", 0.55), ("refund", 0.5))
    assert vote(near, [])[0] == "replacement"
    assert vote(near, ["refund"])[0] == "refund"
    assert vote(near, ["cancellation"])[0] == "cancellation"


def test_words_alone_do_not_beat_a_clear_meaning() -> None:
    """Five examples right beside the message are worth more than one word."""
    near = _near(*[("account", 0.8)] * 5, ("refund", 0.3))
    assert vote(near, ["refund"])[0] == "account"


def test_far_examples_do_not_count() -> None:
    """Then only the words do; without any the intent is 'other'."""
    near = _near(("refund", 0.29), ("refund", 0.28))
    assert vote(near, []) == ("other", 0.0)
    assert vote(near, ["cancellation"]) == ("cancellation", 0.0)
    assert vote([], []) == ("other", 0.0)


def test_passages_with_the_askers_words_come_first() -> None:
    """A word in common outweighs a little more similarity."""
    near = _found(0.52, document="a", title="Kettles", text="Enamel kettles are for every hob.")
    right = _found(0.50, document="b", title="Gift cards", text="A gift card runs out in 5 years.")
    first, second = ranked([near, right], "does the gift card run out?")
    assert (first["document"], second["document"]) == ("b", "a")
    assert first["score"] == 0.5
