"""Ids, scopes and texts: what keeps tenants apart and items findable."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.memory import Put
from interlock.memory.records import all_text, item_id, row_ids, scope, texts_of

LABELS = st.text(st.sampled_from('ab",[]\\ ü'), min_size=1, max_size=4)
NAMESPACES = st.lists(LABELS, max_size=3).map(tuple)
PLACES = st.tuples(LABELS, NAMESPACES, LABELS)


@given(PLACES, PLACES)
def test_ids_are_equal_for_equal_places_only(one: Any, other: Any) -> None:
    """No tenant, namespace and key share an id with others, however they are spelt."""
    assert (item_id(*one) == item_id(*other)) == (one == other)


@given(st.tuples(LABELS, NAMESPACES), st.tuples(LABELS, NAMESPACES))
def test_scopes_are_equal_for_equal_places_only(one: Any, other: Any) -> None:
    """The filter of one tenant and prefix is never that of others."""
    assert (scope(*one) == scope(*other)) == (one == other)


def test_a_scope_adds_fields_to_the_tenant() -> None:
    """Fields narrow the scope; they never replace it."""
    assert scope("t", ("a",), {"n": 1.0}) == {
        "$and": [{"under.1": '["t", "a"]'}, {"value.n": {"$eq": 1.0}}]
    }
    assert scope("t", ()) == {"under.0": '["t"]'}


def test_ids_do_not_change() -> None:
    """Stored items are found again by later versions: the id of a place is fixed."""
    first = item_id("tenant", ("a", "b"), "key")
    assert first == hashlib.sha256(b'["tenant",["a","b"],"key"]').hexdigest()
    assert row_ids(first, 0, 3) == [first, f"{first}:1", f"{first}:2"]
    assert row_ids(first, 2, 1) == []


VALUE = {"title": "Tea", "parts": [{"text": "hot"}, {"text": "black"}], "n": 2, "none": None}


@pytest.mark.parametrize(
    ("index", "texts"),
    [
        (None, ["title: Tea\ntext: hot\ntext: black\nn: 2"]),
        (("$",), ["title: Tea\ntext: hot\ntext: black\nn: 2"]),
        (False, []),
        (("title",), ["Tea"]),
        (("parts[*].text", "title", "title"), ["hot", "black", "Tea"]),
        (("parts[-1].text", "n"), ["black", "2"]),
        (("none", "missing", "title.deeper"), []),
    ],
)
def test_texts_to_find_an_item_by(index: Any, texts: list[str]) -> None:
    """All text, single fields as LangGraph's paths name them, or none."""
    assert texts_of(Put(namespace=("a",), key="k", value=VALUE, index=index)) == texts


def test_a_value_without_text_has_none() -> None:
    """Empty leaves make no text."""
    assert texts_of(Put(namespace=("a",), key="k", value={"a": "", "b": [], "c": " "})) != []
    assert texts_of(Put(namespace=("a",), key="k", value={"a": "", "b": [None, {}]})) == []
    assert all_text(["a", ["b"], False]) == "a\nb\nFalse"
