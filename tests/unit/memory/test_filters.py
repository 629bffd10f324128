"""Filters and namespace conditions, where the conformance suite does not reach."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import _compare_values

from interlock.memory import ListNamespaces
from interlock.memory.filters import (
    LONGEST_SCALAR,
    equalities,
    in_conditions,
    matches,
    stored_scalar,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
# A key with a dollar is an operator, and an unknown one is refused: another test's matter.
KEYS = st.text(max_size=3).filter(lambda key: not key.startswith("$"))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)
VALUES = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)
EXACT = st.sampled_from(["$eq", "$ne"])
CONDITIONS = st.dictionaries(
    st.sampled_from("abc"), JSON | st.dictionaries(EXACT, JSON, min_size=1), max_size=2
)


@given(VALUES, CONDITIONS)
def test_matches_agrees_with_langgraph(value: dict[str, Any], wanted: dict[str, Any]) -> None:
    """On any JSON value and condition of equality the answer is the reference's."""
    reference = all(_compare_values(value.get(key), item) for key, item in wanted.items())
    assert matches(value, wanted) == reference


@given(VALUES, CONDITIONS)
def test_the_database_never_excludes_a_match(value: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Every equality given to the database holds for the stored scalars of a matching value."""
    if matches(value, wanted):
        for key, scalar in equalities(wanted).items():
            assert stored_scalar(value.get(key)) == scalar


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        (5, {"$gt": 4, "$lte": 5}, True),
        (5, {"$gt": 5}, False),
        ("5", {"$gte": 4}, True),
        (None, {"$lt": 4}, False),
        ("five", {"$lt": 4}, False),
        ([5], {"$gt": 4}, False),
        (5, {"$gt": "nothing"}, False),
        (10**400, {"$gt": 4}, False),
    ],
)
def test_comparisons(value: Any, condition: dict[str, Any], expected: bool) -> None:
    """Only numbers, or texts that are numbers, compare; a missing field never does."""
    assert matches({"n": value}, {"n": condition}) is expected
    assert matches({}, {"n": condition}) is False


def test_scalars_are_stored_so_that_equal_stays_equal() -> None:
    """1, 1.0 and True are one scalar; long texts, nested data and the infinite are not stored."""
    assert {stored_scalar(1), stored_scalar(1.0), stored_scalar(True)} == {1.0}
    assert isinstance(stored_scalar(1), float)
    assert stored_scalar("x" * LONGEST_SCALAR) is not None
    for unstored in ("x" * (LONGEST_SCALAR + 1), None, [1], {"a": 1}, math.inf, 10**400):
        assert stored_scalar(unstored) is None


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        (None, None, True),
        (("a",), ("c",), True),
        (("*", "b"), None, True),
        (("a", "b", "c"), ("a", "b", "c"), True),
        (None, ("b", "*"), True),
        (("a", "b", "c", "d"), None, False),
        (("b",), None, False),
        (None, ("b",), False),
    ],
)
def test_namespace_conditions(
    prefix: tuple[str, ...] | None, suffix: tuple[str, ...] | None, expected: bool
) -> None:
    """Prefix and suffix match whole labels, and '*' any label."""
    op = ListNamespaces(prefix=prefix, suffix=suffix)
    assert in_conditions(("a", "b", "c"), op) is expected
