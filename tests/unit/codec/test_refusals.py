"""What cannot be kept is refused by name, with its place, and never changed in silence."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, SecretStr

from interlock.codec import decode, encode
from interlock.errors import NotSerializable
from tests.unit.codec.kinds import Box, Crate, Hiding, Line, Place, Slim, Stack, Tag


class Tide(tzinfo):
    """A zone of another library."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Always the same."""
        return timedelta(hours=3)


def local_kinds() -> list[Any]:
    """Objects of classes that no other process can find."""

    class Model(BaseModel):
        x: int = 1

    @dataclass
    class Data:
        x: int = 1

    class Name(NamedTuple):
        x: int = 1

    class Colour(enum.Enum):
        RED = 1

    class Text(str):
        pass

    return [Model(), Data(), Name(), Colour.RED, Text("x"), Crate[Model](item=Model())]


@pytest.mark.parametrize("value", local_kinds(), ids=lambda value: type(value).__name__)
def test_a_class_inside_a_function_is_refused_when_it_is_written(value: object) -> None:
    """Not when it is read, which may be days and a release later."""
    with pytest.raises(
        NotSerializable, match=r"No class is found again.*define it at the top of a module"
    ):
        encode({"x": value})


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ((item for item in [1]), "generator", "Use JSON types, messages"),
        (len, "builtin_function_or_method", "Use JSON types"),
        (Line, "ModelMetaclass", "Use JSON types"),
        (1j, "complex", "Use JSON types"),
        (ValueError("x"), "ValueError", "Keep its text"),
        (SecretStr("x"), "SecretStr", "in a tool"),
        (Stack(), "Stack", "Use JSON types"),
        (Hiding("x"), "Hiding", "more than a str"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_other_kinds_are_refused(value: object, kind: str, says: str) -> None:
    """The error names the class and what to do."""
    with pytest.raises(NotSerializable) as refused:
        encode(value)
    assert f"the value: a {kind} cannot cross a boundary unchanged" in refused.value.message
    assert says in refused.value.message


def late() -> Slim:
    """A dataclass with a bad part."""
    return Slim(1, [object()])


def tag() -> Tag:
    """Text with a bad attribute."""
    made = Tag("x")
    made.origin = object()
    return made


def box() -> Box:
    """A model with a bad private attribute."""
    made = Box(line=None)
    made._opened = object()  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, [2, object()]], "[1][1]"),
        ({"a": {"b c": object()}}, "['a']['b c']"),
        ({3: object()}, "[3]"),
        ((1, object()), "[1]"),
        (Place("x", object()), ".point"),  # type: ignore[arg-type]
        ({"x": [late()]}, "['x'][0].log[0]"),
        (Box(line=None, more=[object()]), ".more[0]"),
        (box(), "._opened"),
        (tag(), ".origin"),
        ([datetime(2026, 1, 1, tzinfo=Tide())], "[0].tzinfo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_says_where(value: object, place: str) -> None:
    """The path leads from the value's name to the part."""
    with pytest.raises(NotSerializable) as refused:
        encode(value, "state")
    assert refused.value.message.startswith(f"state{place}: a ")


def test_a_value_that_holds_itself_is_refused() -> None:
    """It is an error and no endless loop."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotSerializable, match="the value holds itself"):
        encode(value)


def test_decoding_imports_nothing() -> None:
    """A class of a module that is not imported is refused, not imported."""
    with pytest.raises(NotSerializable, match="'antigravity:Thing' is not imported"):
        decode({"$model": "antigravity:Thing", "data": {}})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"$zip": 1}, r"'\$zip' is not a tag of the codec. Known: \$bytearray"),
        ({"$enum": "tests.unit.codec.kinds:Colour", "name": "BLUE"}, "no member 'BLUE' any more"),
        ({"$model": "tests.unit.codec.kinds:Colour", "data": {}}, "is no BaseModel any more"),
        ({"$model": "tests.unit.codec.kinds:Line", "data": {}}, "written before 'sku' was there"),
        ({"$dataclass": "tests.unit.codec.kinds:Slim", "data": {}}, "before 'x' was there"),
        ({"$namedtuple": "tests.unit.codec.kinds:Place", "data": {}}, "before 'street' was there"),
        ({"$zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus' on this machine"),
        ({"$datetime": "tomorrow"}, r"'\$datetime' holds what the codec does not write"),
    ],
)
def test_data_that_cannot_be_read_is_refused(data: object, says: str) -> None:
    """A class that has changed, a zone that is missing and nonsense each have their error."""
    with pytest.raises(NotSerializable, match=says):
        decode(data)
