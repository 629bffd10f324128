"""Readable JSON that keeps Python types: for LangGraph state, messages, `Send` and `Command`.

A value that is not plain JSON becomes an object with one tag that starts with `$`. Decoding makes
objects without running their constructors, so that what comes out is what went in: LangChain's
message constructors rewrite some fields. Classes are found among modules that are already
imported; decoding imports nothing.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import langchain_core.messages as lc_messages
from langchain_core.messages import BaseMessage
from langgraph.types import Send
from pydantic import BaseModel

from interlock.errors import NotSerializable

_EXPORTED = {name: getattr(lc_messages, name) for name in sorted(lc_messages.__all__)}
# By getattr and not by vars(): the package loads its classes when they are first asked for.

MESSAGE_TYPES: dict[str, type[BaseMessage]] = {
    name: kind
    for name, kind in _EXPORTED.items()
    if isinstance(kind, type) and issubclass(kind, BaseMessage)
}
"""LangChain's own message classes, by class name."""


def encode(value: Any) -> Any:
    """Return `value` as JSON data; `decode` gives it back, types and all.

    Raises:
        NotSerializable: a part of `value` is neither JSON nor of a kind named here.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return [encode(item) for item in value]
    if kind is dict:
        return _encode_dict(value)
    return _encode_tagged(value)


def decode(data: Any) -> Any:
    """Return the value that `encode` made `data` from.

    Raises:
        NotSerializable: an unknown tag, or a class whose module is not imported.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data), "")
    if not tag.startswith("$"):
        return {key: decode(item) for key, item in data.items()}
    if tag not in _DECODERS:
        known = ", ".join(sorted(_DECODERS))
        raise NotSerializable(f"{tag!r} is not a tag of the codec. Known: {known}.")
    return _DECODERS[tag](data)


def _encode_dict(value: dict[Any, Any]) -> Any:
    plain = all(type(key) is str and not key.startswith("$") for key in value)
    if plain:
        return {key: encode(item) for key, item in value.items()}
    return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}


def _encode_tagged(value: Any) -> Any:
    if isinstance(value, BaseMessage):
        return {"$message": _message_name(value), "data": _fields_of(value)}
    if isinstance(value, BaseModel):
        return {"$model": _reference(type(value)), "data": _fields_of(value)}
    if isinstance(value, Send):
        return {"$send": value.node, "arg": encode(value.arg)}
    if isinstance(value, Enum):
        return {"$enum": _reference(type(value)), "name": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        data = {name: encode(getattr(value, name)) for name in names}
        return {"$dataclass": _reference(type(value)), "data": data}
    for tag, kind, write in _SCALARS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise NotSerializable(
        f"a {type(value).__qualname__} cannot cross a boundary unchanged. Use JSON types, messages, "
        "pydantic models, dataclasses, enums, tuples, sets, bytes, dates or Decimal in state."
    )


def _fields_of(value: BaseModel) -> dict[str, Any]:
    fields = type(value).model_fields
    data: dict[str, Any] = {}
    for name, field in fields.items():
        item = getattr(value, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        if field.is_required() or type(item) is not type(default) or item != default:
            data[name] = encode(item)
    for name, item in (value.__pydantic_extra__ or {}).items():
        data[name] = encode(item)
    return data


def _message_name(message: BaseMessage) -> str:
    kind = type(message)
    return kind.__name__ if MESSAGE_TYPES.get(kind.__name__) is kind else _reference(kind)


def _reference(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _find(reference: str) -> Any:
    module_name, _, name = reference.partition(":")
    found: Any = sys.modules.get(module_name)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise NotSerializable(
            f"{reference!r} is not imported here. Import the module of this state type where the "
            "agent is defined, and keep the class at its place while runs are open."
        )
    return found


def _model(kind: type[BaseModel], data: dict[str, Any]) -> BaseModel:
    return kind.model_construct(**{key: decode(item) for key, item in data.items()})


def _decode_message(data: dict[str, Any]) -> BaseModel:
    name = data["$message"]
    return _model(MESSAGE_TYPES[name] if name in MESSAGE_TYPES else _find(name), data["data"])


def _decode_dataclass(data: dict[str, Any]) -> Any:
    made = object.__new__(_find(data["$dataclass"]))
    for name, item in data["data"].items():
        object.__setattr__(made, name, decode(item))
    return made


def _decode_pairs(data: dict[str, Any]) -> dict[Any, Any]:
    return {decode(key): decode(item) for key, item in data["$dict"]}


def _sorted(items: Any) -> list[Any]:
    return sorted((encode(item) for item in items), key=repr)


_SCALARS: tuple[tuple[str, type, Callable[[Any], Any]], ...] = (
    ("$tuple", tuple, lambda value: [encode(item) for item in value]),
    ("$frozenset", frozenset, _sorted),
    ("$set", set, _sorted),
    ("$bytes", bytes, lambda value: base64.b64encode(value).decode()),
    ("$decimal", Decimal, str),
    ("$datetime", datetime, datetime.isoformat),
    ("$date", date, date.isoformat),
    ("$time", time, time.isoformat),
    ("$timedelta", timedelta, lambda value: [value.days, value.seconds, value.microseconds]),
    ("$uuid", UUID, str),
    ("$str", str, str),
    ("$int", int, int),
    ("$list", list, lambda value: [encode(item) for item in value]),
    ("$dict", dict, lambda value: [[encode(key), encode(item)] for key, item in value.items()]),
)
"""Most specific first. Subclasses of str, int, list and dict become their plain kind."""

_DECODERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$message": _decode_message,
    "$model": lambda data: _model(_find(data["$model"]), data["data"]),
    "$send": lambda data: Send(data["$send"], decode(data["arg"])),
    "$enum": lambda data: _find(data["$enum"])[data["name"]],
    "$dataclass": _decode_dataclass,
    "$float": lambda data: float(data["$float"]),
    "$tuple": lambda data: tuple(decode(item) for item in data["$tuple"]),
    "$frozenset": lambda data: frozenset(decode(item) for item in data["$frozenset"]),
    "$set": lambda data: {decode(item) for item in data["$set"]},
    "$bytes": lambda data: base64.b64decode(data["$bytes"]),
    "$decimal": lambda data: Decimal(data["$decimal"]),
    "$datetime": lambda data: datetime.fromisoformat(data["$datetime"]),
    "$date": lambda data: date.fromisoformat(data["$date"]),
    "$time": lambda data: time.fromisoformat(data["$time"]),
    "$timedelta": lambda data: timedelta(*data["$timedelta"]),
    "$uuid": lambda data: UUID(data["$uuid"]),
    "$str": lambda data: data["$str"],
    "$int": lambda data: data["$int"],
    "$list": lambda data: [decode(item) for item in data["$list"]],
    "$dict": _decode_pairs,
}
