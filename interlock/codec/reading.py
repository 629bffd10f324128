"""Reads values back from data."""

from __future__ import annotations

import base64
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from langgraph.types import Send

from interlock.codec import classes, times
from interlock.codec.messages import read_message
from interlock.codec.writing import FACTORIES
from interlock.errors import NotSerializable

Reader = Callable[[dict[str, Any]], Any]


def decode(data: Any) -> Any:
    """Return the value that `encode` made `data` from.

    Raises:
        NotSerializable: an unknown tag, a class whose module is not imported, or data that `encode`
            does not make.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data), "")
    if not tag.startswith("$"):
        return {key: decode(item) for key, item in data.items()}
    read = _READERS.get(tag)
    if read is None:
        known = ", ".join(sorted(_READERS))
        raise NotSerializable(f"{tag!r} is not a tag of the codec. Known: {known}.")
    try:
        return read(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotSerializable(f"{tag!r} holds what the codec does not write: {error!r}") from error


def _items(data: list[Any]) -> list[Any]:
    return [decode(item) for item in data]


def _pairs(data: list[Any]) -> list[tuple[Any, Any]]:
    return [(decode(key), decode(item)) for key, item in data]


def _read_defaultdict(data: dict[str, Any]) -> defaultdict[Any, Any]:
    factory = FACTORIES[data["factory"]] if "factory" in data else None
    return defaultdict(factory, _pairs(data["$defaultdict"]))


def _read_send(data: dict[str, Any]) -> Send:
    return Send(data["$send"], decode(data["arg"]), timeout=decode(data["timeout"]))


def _of_parts(read: Callable[[dict[str, Any], Callable[[Any], Any]], Any]) -> Reader:
    return lambda data: read(data, decode)


_READERS: dict[str, Reader] = {
    "$float": lambda data: float(data["$float"]),
    "$str": lambda data: data["$str"].encode("ascii").decode("unicode_escape"),
    "$tuple": lambda data: tuple(_items(data["$tuple"])),
    "$set": lambda data: set(_items(data["$set"])),
    "$frozenset": lambda data: frozenset(_items(data["$frozenset"])),
    "$deque": lambda data: deque(_items(data["$deque"]), data.get("maxlen")),
    "$dict": lambda data: dict(_pairs(data["$dict"])),
    "$ordereddict": lambda data: OrderedDict(_pairs(data["$ordereddict"])),
    "$defaultdict": _read_defaultdict,
    "$bytes": lambda data: base64.b64decode(data["$bytes"]),
    "$bytearray": lambda data: bytearray(base64.b64decode(data["$bytearray"])),
    "$decimal": lambda data: Decimal(data["$decimal"]),
    "$uuid": lambda data: UUID(data["$uuid"]),
    "$datetime": times.read_datetime,
    "$date": times.read_date,
    "$time": times.read_time,
    "$timedelta": times.read_timedelta,
    "$zone": times.read_zone,
    "$offset": times.read_zone,
    "$send": _read_send,
    "$message": _of_parts(read_message),
    "$model": _of_parts(classes.read_model),
    "$enum": _of_parts(classes.read_enum),
    "$flag": _of_parts(classes.read_flag),
    "$namedtuple": _of_parts(classes.read_namedtuple),
    "$dataclass": _of_parts(classes.read_dataclass),
    "$derived": _of_parts(classes.read_derived),
}
