"""One form for equal data, another for unequal data: what digests and effect keys stand on."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from interlock.canonical import canonical_json, digest, jsonable
from interlock.errors import NotSerializable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SMALL = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
"""Data whose JSON form is itself."""


def shuffled(value: Any, random: Any) -> Any:
    """Equal data with the keys of every object in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(item, random) for item in value]
    return value


@given(JSON, st.randoms())
def test_the_order_of_keys_means_nothing(value: Any, random: Any) -> None:
    """Objects with the same members have the same bytes."""
    assert canonical_json(shuffled(value, random)) == canonical_json(value)


@given(JSON)
def test_the_json_form_has_the_same_bytes(value: Any) -> None:
    """Crossing a boundary as JSON changes no digest, once or twice."""
    once = jsonable(value)
    assert jsonable(once) == once
    assert canonical_json(once) == canonical_json(value)
    assert digest(jsonable(once)) == digest(value)


@given(SMALL)
def test_any_json_reader_reads_the_same_data(value: Any) -> None:
    """The bytes are JSON in UTF-8, and hold the value and nothing else."""
    assert json.loads(canonical_json(value)) == value


@given(SMALL, SMALL)
def test_other_data_has_another_digest(one: Any, other: Any) -> None:
    """Digests are equal just when the data is, telling 1 from true."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) is same


@given(st.integers())
def test_integers_of_any_size_keep_every_digit(number: int) -> None:
    """What a JSON number cannot hold is a string of its digits."""
    read = json.loads(canonical_json([number]))[0]
    assert str(read) == str(number)
    assert isinstance(read, int) is (abs(number) < 2**53)


class Colour(StrEnum):
    RED = "red"


class Model(BaseModel):
    price: Decimal


@dataclasses.dataclass
class Point:
    x: int
    when: date


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), b'"1.50"'),
        (date(2026, 1, 2), b'"2026-01-02"'),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), b'"2026-01-02T03:04:00Z"'),
        (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, b'"red"'),
        (Model(price=Decimal("2")), b'{"price":"2"}'),
        (Point(1, date(2026, 1, 2)), b'{"when":"2026-01-02","x":1}'),
        ((1, "a"), b'[1,"a"]'),
        (1.0, b"1"),
        (-0.0, b"0"),
        (math.nan, b'"NaN"'),
        (math.inf, b'"Infinity"'),
        ("\u20ac\n", '"\u20ac\\n"'.encode()),
        ({"b": 1, "a": {"d": 2, "c": 3}}, b'{"a":{"c":3,"d":2},"b":1}'),
    ],
)
def test_known_forms(value: Any, expected: bytes) -> None:
    """These bytes are in effect keys and in digests that people decided on: they never change."""
    assert canonical_json(value) == expected


def test_a_known_digest() -> None:
    """The digest is SHA-256 in hex, the same in every process and version."""
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", [object(), {"a": [object()]}, "\ud800", {1: lambda: None}])
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    """The error names the type and what may be used."""
    with pytest.raises(NotSerializable, match=r"has no JSON form.*Use JSON types"):
        canonical_json(value)
