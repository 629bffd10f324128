"""Classes of a state, as an application may define them, and the way a value takes through Temporal."""

from __future__ import annotations

import dataclasses
import functools
from collections import UserDict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from langchain_core.messages import HumanMessage
from langgraph.types import Send
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from temporalio.contrib.pydantic import pydantic_data_converter

from interlock.codec import decode, encode

Item = TypeVar("Item")


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Mode(Enum):
    """Its values are no JSON."""

    DAY = (1, 2)


class Right(Flag):
    READ = 1
    WRITE = 2


class Line(BaseModel):
    sku: str
    price: Decimal
    colour: Colour = Colour.RED


class Box(BaseModel):
    """Keeps what it does not know, counts in private, and fills a field by itself."""

    model_config = ConfigDict(extra="allow")

    line: Line | None = None
    made: datetime = Field(default_factory=lambda: datetime.now(UTC))
    _opened: int = PrivateAttr(default=0)

    def open(self) -> int:
        """Count."""
        self._opened += 1
        return self._opened


class Crate(BaseModel, Generic[Item]):
    """A generic model."""

    item: Item


class LineCrate(Crate[Line]):
    """A generic model with a name of its own."""


class Letter(HumanMessage):
    """A message of the application."""

    stamp: int = 1


@dataclass(frozen=True)
class Point:
    x: int
    y: tuple[int, ...]


@dataclass(slots=True)
class Slim:
    x: int
    log: list[Any] = field(default_factory=list)
    late: int = field(init=False)


@dataclass
class Sum:
    """Remembers what it computed, and has an attribute beside its fields."""

    parts: list[int]

    def __post_init__(self) -> None:
        self.note: Any = "new"

    @functools.cached_property
    def total(self) -> Any:
        """The sum, with something that cannot be kept."""
        return sum(self.parts), (item for item in ())


class Place(NamedTuple):
    street: str
    point: Point | None = None


class Cents(int):
    """An int with a meaning."""


class Tag(str):
    """Text with an attribute."""

    origin: Any = None


class Sizes(list[int]):
    """A list that cannot be made from a list."""

    def __init__(self) -> None:
        super().__init__()


class Stack(UserDict[str, int]):
    """No dict, though it looks like one."""


class Pair(tuple[int, int]):
    """A tuple with a meaning."""

    __slots__ = ()


class Hiding(str):
    """Text with an attribute in a slot."""

    __slots__ = ("hidden",)


def through_temporal(value: Any) -> Any:
    """Encode, send as a payload, receive and decode."""
    converter = pydantic_data_converter.payload_converter
    payloads = converter.to_payloads([encode(value)])
    return decode(converter.from_payloads(payloads)[0])


def anatomy(value: Any) -> Any:
    """Return what a value is made of, with the class of every part: 1, 1.0 and True differ."""
    kind = type(value)
    if isinstance(value, BaseModel):
        inside = (value.__dict__, value.__pydantic_extra__, value.__pydantic_private__)
        return kind, sorted(value.model_fields_set), anatomy(inside)
    if isinstance(value, dict):
        parts = [(anatomy(key), anatomy(item)) for key, item in value.items()]
        return kind, parts, getattr(value, "default_factory", None)
    if isinstance(value, list | tuple | deque):
        return kind, [anatomy(item) for item in value], getattr(value, "maxlen", None)
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(anatomy(item)) for item in value)
    if isinstance(value, Enum):
        return kind, repr(value)
    if isinstance(value, Send):
        return kind, anatomy((value.node, value.arg, value.timeout))
    if dataclasses.is_dataclass(value):
        names = {field.name for field in dataclasses.fields(value)} | {
            *getattr(value, "__dict__", {})
        }
        return kind, [(name, anatomy(getattr(value, name, "unset"))) for name in sorted(names)]
    return kind, repr(value), {k: anatomy(v) for k, v in getattr(value, "__dict__", {}).items()}
