"""Canonical arguments: one form for equal data, unchanged by a second reading."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, Strict, field_serializer

from interlock.canonical import canonical_json, digest
from interlock.errors import BadArguments, NotSerializable
from interlock.tools import Effect, tool
from interlock.tools.contract import action_digest, effect_key


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    sku: str
    price: Decimal
    tags: tuple[str, ...] = ()


@tool(effect=Effect.READ)
def order(
    price: Decimal,
    day: Annotated[date, Strict()],
    at: datetime,
    colour: Colour,
    lines: list[Line],
    text: str,
    number: UUID,
    wait: timedelta = timedelta(seconds=1),
    ratio: float = 0.5,
    big: int = 0,
    more: dict[str, Any] | None = None,
    kind: Literal["a", "b"] = "a",
) -> str:
    """Order."""
    return text


texts = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
typed = st.fixed_dictionaries(
    {
        "price": st.decimals(allow_nan=False, allow_infinity=False),
        "day": st.dates(),
        "at": st.datetimes(timezones=st.just(UTC)),
        "colour": st.sampled_from(Colour),
        "lines": st.lists(
            st.builds(
                Line,
                sku=texts,
                price=st.decimals(allow_nan=False, allow_infinity=False),
                tags=st.lists(texts, max_size=2).map(tuple),
            ),
            max_size=2,
        ),
        "text": texts,
        "number": st.uuids(),
    },
    optional={
        "wait": st.timedeltas(min_value=timedelta(), max_value=timedelta(days=9000)),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "big": st.integers(),
        "more": st.none() | st.dictionaries(texts, json_values, max_size=3),
        "kind": st.sampled_from(["a", "b"]),
    },
)


@given(typed)
def test_canonical_arguments_are_a_fixed_point(arguments: dict[str, Any]) -> None:
    """They are JSON, survive a JSON boundary, and validate to themselves with one digest."""
    once = order.validate_arguments(arguments)
    crossed = json.loads(json.dumps(once))
    again = order.validate_arguments(crossed)
    assert again == once
    assert canonical_json(again) == canonical_json(once)
    assert digest(again) == digest(crossed)


@given(typed)
def test_the_tool_gets_the_values_that_were_given(arguments: dict[str, Any]) -> None:
    """Typed arguments read from canonical ones equal those that a node passed."""
    read = order.typed_arguments(order.validate_arguments(arguments))
    for name, value in arguments.items():
        if name != "more":  # free JSON: its numbers keep their value, not their Python type
            assert read[name] == value
            assert type(read[name]) is type(value)


@given(typed, st.randoms(use_true_random=False))
def test_the_order_of_names_means_nothing(arguments: dict[str, Any], random: Any) -> None:
    """Arguments in any order have one digest, so one effect key."""
    names = list(arguments)
    random.shuffle(names)
    shuffled = order.validate_arguments({name: arguments[name] for name in names})
    straight = order.validate_arguments(arguments)
    assert effect_key("l", "order", shuffled, 0) == effect_key("l", "order", straight, 0)


MINIMAL = {
    "price": "1.50",
    "day": "2026-11-22",
    "at": "2026-11-22T10:00:00Z",
    "colour": "red",
    "lines": [],
    "text": "x",
    "number": "00000000-0000-0000-0000-000000000001",
}


def test_defaults_are_filled_in() -> None:
    """An argument left out and its default given are the same call."""
    assert order.validate_arguments(MINIMAL) == order.validate_arguments(
        {**MINIMAL, "wait": "PT1S", "ratio": 0.5, "big": 0, "more": None, "kind": "a"}
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"price": Decimal("1.50")}, True),
        ({"price": "1.5"}, False),
        ({"text": "é"}, False),
        ({"colour": Colour.RED}, True),
        ({"big": 2**70}, False),
        ({"lines": [{"sku": "a", "price": "1"}]}, False),
        ({"lines": []}, True),
    ],
)
def test_effect_key_tells_calls_apart(change: dict[str, Any], same: bool) -> None:
    """It is equal for equal canonical arguments, and for nothing else."""
    one = order.validate_arguments(MINIMAL)
    other = order.validate_arguments({**MINIMAL, **change})
    assert (effect_key("l", "order", one, 0) == effect_key("l", "order", other, 0)) is same


def test_effect_key_is_stable() -> None:
    """The key of a call is the same in every process and version: rows are found by it."""
    key = effect_key("default/run-1/first", "refund", {"order_id": "A-1", "amount": "1.50"}, 0)
    assert key == "6d9084a9c1b391c246d708880e87b941c914bb3df5b8f4c693a31620c49c84ae"
    assert key != effect_key("default/run-1/first", "refund", {"order_id": "A-1"}, 0)
    assert key != effect_key(
        "default/run-2/first", "refund", {"order_id": "A-1", "amount": "1.50"}, 0
    )
    assert key != effect_key(
        "default/run-1/first", "refund", {"order_id": "A-1", "amount": "1.50"}, 1
    )


def test_unicode_is_taken_as_it_is() -> None:
    """Composed and decomposed letters are different text: nothing is normalised behind a reviewer."""
    composed = order.validate_arguments({**MINIMAL, "text": "\u00e9"})
    decomposed = order.validate_arguments({**MINIMAL, "text": "e\u0301"})
    assert composed["text"] == "\u00e9"
    assert digest(composed) != digest(decomposed)


def test_a_decision_is_bound_to_every_part() -> None:
    """The digest of an action changes with each thing that a decision is bound to."""
    given = {"tenant": "t", "release": "r", "policy": "p"}
    bound = action_digest("refund", {"a": 1}, **given)
    assert bound == action_digest("refund", {"a": 1}, **given)
    others = [
        action_digest("replace", {"a": 1}, **given),
        action_digest("refund", {"a": 2}, **given),
        *(action_digest("refund", {"a": 1}, **{**given, name: "other"}) for name in given),
    ]
    assert len({bound, *others}) == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({**MINIMAL, "price": "NaN"}, "'price': Input should be a finite number (got 'NaN')"),
        ({**MINIMAL, "ratio": float("inf")}, "'ratio'"),
        ({**MINIMAL, "day": "tomorrow"}, "'day'"),
        ({**MINIMAL, "colour": "green"}, "'colour': Input should be 'red' or 'blue' (got 'green')"),
        ({**MINIMAL, "kind": "c"}, "'kind': Input should be 'a' or 'b' (got 'c')"),
        ({**MINIMAL, "lines": [{"sku": "a"}]}, "'lines.0.price' is missing"),
        ({**MINIMAL, "colour": "red", "size": 1}, "'size' is not an argument; allowed: price, day"),
        ({"day": "2026-11-22"}, "'price' is missing."),
        ([1], "takes one JSON object of named arguments: price, day"),
        ("text", "takes one JSON object"),
        ({**MINIMAL, "text": "\ud83d"}, "half of a surrogate pair"),
        ({**MINIMAL, "more": {"\ud83d": 1}}, "half of a surrogate pair"),
    ],
)
def test_a_mistake_is_told_so_that_a_model_can_act(arguments: Any, says: str) -> None:
    """The message names each wrong argument, what was given and what is allowed."""
    with pytest.raises(BadArguments) as caught:
        order.validate_arguments(arguments)
    assert says in caught.value.message
    assert "'order'" in caught.value.message


def test_every_mistake_is_told_at_once() -> None:
    """One answer names all wrong arguments, and long values are cut."""
    with pytest.raises(BadArguments) as caught:
        order.validate_arguments({**MINIMAL, "day": "x" * 500, "colour": 1})
    assert caught.value.details["wrong"] == ["day", "colour"]
    assert len(caught.value.message) < 400


def test_a_value_without_a_json_form_is_the_developers_mistake() -> None:
    """A node that passes what cannot cross a boundary is told so."""
    with pytest.raises(NotSerializable):
        order.validate_arguments({**MINIMAL, "more": {"a": object()}})


class Drifting(BaseModel):
    count: int

    @field_serializer("count")
    def written(self, value: int) -> int:
        return value + 1


class Vanishing(BaseModel):
    count: int

    @field_serializer("count")
    def written(self, value: int) -> str:
        return "many"


def test_a_type_that_changes_on_the_way_is_refused() -> None:
    """A reviewer must see the value that the tool is called with."""

    @tool(effect=Effect.EXTERNAL)
    def drift(a: Drifting) -> int:
        """Drift."""
        return a.count

    @tool(effect=Effect.EXTERNAL)
    def vanish(a: Vanishing) -> int:
        """Vanish."""
        return a.count

    for one in (drift, vanish):
        with pytest.raises(NotSerializable, match="another value after it is written"):
            one.validate_arguments({"a": {"count": 1}})


def test_an_alias_is_the_name_that_the_model_knows() -> None:
    """Canonical arguments use the alias of the schema; the field's own name is taken too."""

    @tool(effect=Effect.READ)
    def trip(from_: Annotated[str, Field(alias="from")]) -> str:
        """Travel."""
        return from_

    assert trip.contract.parameters["properties"].keys() == {"from"}
    assert trip.validate_arguments({"from_": "x"}) == {"from": "x"}
    assert trip.typed_arguments({"from": "x"}) == {"from_": "x"}
    with pytest.raises(BadArguments, match="allowed: from"):
        trip.validate_arguments({"from": "x", "to": "y"})
