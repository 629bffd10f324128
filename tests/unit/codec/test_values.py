"""Values of a state cross a boundary unchanged, with the class of every part."""

from __future__ import annotations

import copy
import operator
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import Command, Interrupt, Overwrite, Send, TimeoutPolicy
from pydantic import TypeAdapter

from interlock.codec import decode, encode
from tests.unit.codec.kinds import (
    Box,
    Cents,
    Colour,
    Letter,
    Level,
    Line,
    LineCrate,
    Mode,
    Pair,
    Place,
    Point,
    Right,
    Sizes,
    Slim,
    Sum,
    Tag,
    anatomy,
    through_temporal,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)

anything = st.characters(codec=None, categories=None, exclude_categories=())
"""Lone halves of surrogate pairs too."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
zones = st.sampled_from(
    [UTC, BERLIN, ZoneInfo("UTC"), timezone(-HOUR), timezone(HOUR, "CET"), timezone(HOUR / 7)]
)
prices = st.decimals(allow_nan=False, allow_infinity=False)
lines = st.builds(Line, sku=st.text(), price=prices) | st.builds(
    Line, sku=st.text(), price=prices, colour=st.just(Colour.RED)
)
keys = (
    st.text(anything)
    | st.integers()
    | st.sampled_from([None, True, 2.5, Colour.RED, "$message"])
    | st.tuples(st.integers(), st.text())
    | st.frozensets(st.integers(), max_size=2)
    | st.dates()
)
leaves = (
    json_values
    | st.floats()
    | st.text(anything)
    | st.binary()
    | st.binary().map(bytearray)
    | st.decimals()
    | st.uuids()
    | st.datetimes(timezones=st.none() | zones)
    | st.datetimes(timezones=st.just(BERLIN)).map(lambda when: when.replace(fold=1))
    | st.times(timezones=st.none() | zones)
    | st.dates()
    | st.timedeltas()
    | zones
    | st.sampled_from([*Colour, *Level, *Mode, *Right, Right(0), Right.READ | Right.WRITE])
    | lines
    | st.builds(Point, x=st.integers(), y=st.lists(st.integers()).map(tuple))
    | st.builds(Place, street=st.text())
    | st.builds(Cents, st.integers())
    | st.builds(Tag, st.text())
    | st.builds(Pair, st.tuples(st.integers(), st.integers()))
    | st.sets(keys, max_size=3)
    | st.frozensets(keys, max_size=3)
    | st.lists(st.text()).map(Counter)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
        | st.builds(deque, st.lists(inner, max_size=3), maxlen=st.none() | st.integers(3, 5))
        | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(keys, inner, max_size=3).map(lambda items: defaultdict(list, items))
        | st.builds(Place, street=st.text(), point=inner)
        | st.builds(Box, line=st.none() | lines, more=inner)
        | st.builds(Send, st.text(), inner, timeout=st.none() | st.floats(1, 9))
        | st.builds(Command, update=inner, resume=inner, goto=st.text(), graph=st.text())
        | st.builds(Overwrite, inner)
    ),
    max_leaves=6,
)


@given(values)
def test_every_value_round_trips_unchanged(value: object) -> None:
    """Whatever holds whatever, every part has the class, the fields and the content it had."""
    assert anatomy(through_temporal(value)) == anatomy(value)


def slim() -> Slim:
    """A dataclass with slots, one of which nobody has filled."""
    return Slim(3, ["a"])


def opened() -> Box:
    """A model with private state, an extra field and a field that is set to its default."""
    box = Box(line=None, mood="good")
    box.open()
    return box


def summed() -> Sum:
    """A dataclass with an attribute of its own and something it computed."""
    made = Sum([1, 2])
    made.note = Decimal(3)
    assert made.total[0] == 3
    return made


def tagged() -> Tag:
    """Text that carries something."""
    made = Tag("x")
    made.origin = Point(1, ())
    return made


def sized() -> Sizes:
    """A list whose constructor takes nothing."""
    made = Sizes()
    made.extend([3, 1])
    return made


@pytest.mark.parametrize(
    "value",
    [
        Send("node", {"message": HumanMessage("hi", id="1")}),
        Send("node", 1, timeout=TimeoutPolicy(run_timeout=3, idle_timeout=timedelta(seconds=2))),
        Command(goto=[Send("a", 1), "b"], update={"messages": [AIMessage("x", id="2")]}),
        Command(resume={"id": [Decimal("1.50")]}, graph=Command.PARENT),
        Command(update=[("key", 1)], goto=("a", "b")),
        Interrupt(value={"q": 1}, id="abc", response_schema={"type": "string"}),
        {"$message": "not ours", 3: "three"},
        {frozenset({1, 2}): {3}},
        [date(2026, 1, 2), time(3, 4), timedelta(days=-1), datetime(2026, 1, 1, tzinfo=UTC)],
        UUID(int=7),
        [float("inf"), float("nan"), -0.0, b"\x00\xff", 2**70],
        TypeAdapter(datetime).validate_python("2026-01-01T00:00:00+02:30"),
        defaultdict(None, {"a": 1}),
        Letter("dear", id="3", stamp=2),
        AIMessage("its text remembers that it may be called").text,
        LineCrate(item=Line(sku="a", price=Decimal("1.0"))),
        opened(),
        tagged(),
        sized(),
        Decimal("sNaN"),
        reduce(operator.or_, Right),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_round_trips_unchanged(value: object) -> None:
    """LangGraph's control values, and objects with state that is easily lost."""
    assert anatomy(through_temporal(value)) == anatomy(value)


def test_dataclasses_keep_every_attribute() -> None:
    """Slots, unset fields and attributes beside the fields; what was computed is computed anew."""
    thin = through_temporal(slim())
    assert (thin.x, thin.log, hasattr(thin, "late")) == (3, ["a"], False)
    back = through_temporal(summed())
    assert vars(back) == {"parts": [1, 2], "note": Decimal(3)}
    assert back.total[0] == 3


def test_the_zone_of_a_summer_night_is_kept() -> None:
    """An hour that comes twice is still the second one, and a day later is a day later."""
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    back = through_temporal(twice)
    assert back.utcoffset() == twice.utcoffset() == HOUR
    assert back.tzinfo is BERLIN
    spring = through_temporal(datetime(2026, 3, 28, 12, tzinfo=BERLIN)) + timedelta(days=1)
    assert spring.utcoffset() == 2 * HOUR


def test_send_has_no_field_that_is_not_kept() -> None:
    """A new field of LangGraph's `Send` is seen here: it is no dataclass, so it is written by hand."""
    assert sorted(Send.__slots__) == ["arg", "node", "timeout"]


def test_what_comes_back_is_a_copy() -> None:
    """A node that changes its input in place does not change what was written."""
    value = {"items": [[1], {"a": {2}}], "line": Box(line=None)}
    written = encode(value)
    before = copy.deepcopy(written)
    value["items"][0].append(2)  # type: ignore[index]
    back: Any = decode(written)
    back["items"][1]["a"].add(3)
    assert written == before


def test_sets_are_written_in_one_order() -> None:
    """Equal sets give equal data, whatever order their items were added in."""
    assert encode({"b", "a", "c"}) == encode({"c", "b", "a"}) == {"$set": ["a", "b", "c"]}


def test_fields_that_are_new_have_their_default() -> None:
    """A class that has grown a field since reads what was written before."""
    line = encode(Line(sku="a", price=Decimal(1)))
    del line["data"]["colour"]
    assert decode(line).colour is Colour.RED
    place = encode(Place("Main Street"))
    del place["data"]["point"]
    assert decode(place) == Place("Main Street")
    thin = encode(slim())
    del thin["data"]["log"]
    assert decode(thin).log == []
