"""Equal meanings give equal effect keys, other meanings other keys, in whatever form they come."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from interlock.errors import BadArguments, NotSerializable
from interlock.tools import Effect, Tool, tool
from interlock.tools.contract import effect_key


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Line(BaseModel):
    sku: str
    count: int = 1
    price: Decimal = Decimal(0)


class Order(BaseModel):
    lines: list[Line] = Field(default_factory=list)
    gift: bool = False
    note: str | None = None


@tool(effect=Effect.EXTERNAL)
async def place(
    order: Order,
    day: date,
    at: datetime,
    colour: Colour,
    size: Size,
    weight: float,
    count: int,
    amount: Annotated[Decimal, Field(max_digits=30)],
    reference: UUID,
    patience: timedelta = timedelta(minutes=5),
    opens: time = time(9),
    labels: dict[str, str] = {},  # noqa: B006 - the schema's default, never changed
) -> str:
    """Place an order."""
    return ""


def key(arguments: dict[str, Any], of: Tool = place) -> str:
    """Return the effect key that a call with these arguments has."""
    return effect_key("lineage", of.name, of.validate_arguments(arguments), 0)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LINES = st.builds(
    Line,
    sku=TEXT,
    count=st.integers(0, 10**20),
    price=st.decimals(allow_nan=False, allow_infinity=False, places=2),
)
ORDERS = st.builds(
    Order, lines=st.lists(LINES, max_size=3), gift=st.booleans(), note=st.none() | TEXT
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "order": ORDERS,
    "day": st.dates(),
    "at": st.integers(0, 7 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC)),
    "colour": st.sampled_from(Colour),
    "size": st.sampled_from(Size),
    "weight": st.floats(allow_nan=False, allow_infinity=False),
    "count": st.integers(-(10**25), 10**25),
    "amount": st.decimals(-(10**9), 10**9, allow_nan=False, places=4),
    "reference": st.uuids(),
    "patience": st.timedeltas(timedelta(), timedelta(days=400)),
    "opens": st.times(),
    "labels": st.dictionaries(TEXT, TEXT, max_size=3),
}
ARGUMENTS = st.fixed_dictionaries(VALUES)


def reordered(value: Any, random: Any) -> Any:
    """Return JSON data with the members of each object in another order."""
    if isinstance(value, dict):
        items = [(name, reordered(item, random)) for name, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return [reordered(item, random) for item in value] if isinstance(value, list) else value


@given(ARGUMENTS, st.randoms())
def test_python_values_and_their_json_are_one_call(arguments: dict[str, Any], random: Any) -> None:
    """A node that passes objects, a model that writes JSON, any order of members: one key."""
    written = place.validate_arguments(arguments)
    text = json.dumps(reordered(written, random), ensure_ascii=random.random() < 0.5)
    assert key(json.loads(text)) == key(arguments)
    assert place.validate_arguments(written) == written


@given(ARGUMENTS)
def test_defaults_are_filled_in(arguments: dict[str, Any]) -> None:
    """To leave an argument out is to give its default."""
    for name, default in (("patience", "PT5M"), ("opens", "09:00:00"), ("labels", {})):
        bare = {other: value for other, value in arguments.items() if other != name}
        assert key(bare) == key({**bare, name: default})


@given(ARGUMENTS, ARGUMENTS, st.sampled_from(sorted(VALUES)))
def test_one_other_argument_is_another_call(
    arguments: dict[str, Any], others: dict[str, Any], name: str
) -> None:
    """Whichever argument has another value, the key is another one."""
    assume(not _same(arguments[name], others[name]))
    assert key({**arguments, name: others[name]}) != key(arguments)


def _same(one: Any, other: Any) -> bool:
    """Whether two values mean the same to the tool and are written alike."""
    if isinstance(one, Decimal | float):
        return str(one) == str(other) or (isinstance(one, float) and one == other)
    if isinstance(one, Order):
        return one.model_dump_json() == other.model_dump_json()
    return bool(one == other)


def look(**hints: Any) -> Tool:
    """Return a tool of one argument `value` with a type."""

    async def given(value: Any) -> str:
        return ""

    given.__doc__ = "Take a value."
    given.__annotations__ = {"value": hints["of"], "return": str}
    made: Tool = tool(given, effect=Effect.EXTERNAL)
    return made


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        (float, [1, 1.0, 1e0, "1", "1.0"]),
        (float, [0.0, -0.0, 0]),
        (float, [1e21, 10**21, "1e21"]),
        (int, [7, 7.0, "7"]),
        (int, [2**60, str(2**60)]),
        (Decimal, ["1.50", Decimal("1.50")]),
        (Decimal, [2, "2", Decimal(2)]),
        (date, ["2026-03-02", date(2026, 3, 2)]),
        (
            datetime,
            [
                "2026-03-02T10:00:00Z",
                "2026-03-02T10:00:00+00:00",
                datetime(2026, 3, 2, 10, tzinfo=UTC),
                1772445600,
            ],
        ),
        (Colour, ["red", Colour.RED]),
        (Size, [2, Size.LARGE]),
        (UUID, ["00000000-0000-0000-0000-00000000000a", UUID(int=10), "0" * 31 + "A"]),
        (timedelta, ["PT1M", 60, timedelta(minutes=1)]),
        (str, ["caf\u00e9", json.loads('"caf\\u00e9"')]),
        (Line, [{"sku": "a"}, {"count": 1, "sku": "a"}, Line(sku="a")]),
        (list[int], [[1, 2], (1, 2)]),
        (bool, [True, "true", 1]),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "forms",
)
def test_forms_of_one_value(kind: Any, forms: list[Any]) -> None:
    """However a value is written, it is one call; what the tool gets is one value."""
    made = look(of=kind)
    assert len({key({"value": form}, made) for form in forms}) == 1


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        (Any, [1, "1", True, None, [1], {"1": 1}, 1.5]),
        (str, ["caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9"), "cafe", "CAFE", " cafe"]),
        (str, ["", "\u200b", "null", "None"]),
        (Decimal, ["1.5", "1.50", "1.500"]),
        (int, [2**53 - 1, 2**53, 2**53 + 1, -(2**53)]),
        (float, [0.1, 0.1 + 2**-56, 0.2]),
        (
            datetime,
            [
                "2026-03-02T10:00:00Z",
                "2026-03-02T10:00:00",
                datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1))),
            ],
        ),
        (list[int], [[], [1], [1, 1], [1, 2], [2, 1]]),
        (dict[str, int], [{}, {"a": 1}, {"a": 1, "b": 1}, {"a": 11}]),
        (Line | None, [None, {"sku": "a"}, {"sku": "a", "count": 2}]),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "values",
)
def test_other_values_are_other_calls(kind: Any, forms: list[Any]) -> None:
    """What could mean something else has a key of its own: text is not changed, nor are digits.

    `1.5` and `1.50` are told apart, as they are where the number of digits means something.
    """
    made = look(of=kind)
    assert len({key({"value": form}, made) for form in forms}) == len(forms)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "1.5.0", None, [], {}])
def test_no_number_is_refused(value: Any) -> None:
    """A call with no number where one belongs has no key, and is never made."""
    with pytest.raises((BadArguments, NotSerializable)):
        key({"value": value}, look(of=float))


@given(st.text(max_size=6), st.text(max_size=6))
def test_texts_are_equal_just_when_they_are_the_same(one: str, other: str) -> None:
    """Unicode is neither normalised nor cut; half a surrogate pair is refused."""
    made = look(of=str)
    try:
        keys = key({"value": one}, made), key({"value": other}, made)
    except (BadArguments, NotSerializable):
        assert any("\ud800" <= char <= "\udfff" for char in one + other)
        return
    assert (keys[0] == keys[1]) is (one == other)


@given(st.lists(TEXT, max_size=3), st.lists(TEXT, max_size=3), st.integers(0, 3), st.integers(0, 3))
def test_lineage_tool_arguments_and_occurrence_do_not_run_together(
    one: list[str], other: list[str], first: int, second: int
) -> None:
    """No part of a key can be mistaken for another: keys are equal just when all parts are."""
    same = (one, first) == (other, second)
    parts = ({"v": one}, first), ({"v": other}, second)
    keys = [effect_key("l", "t", arguments, number) for arguments, number in parts]
    assert (keys[0] == keys[1]) is same
    assert effect_key("l/t", "t", {}, 0) != effect_key("l", "t/t", {}, 0)
