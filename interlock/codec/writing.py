"""Writes values as data."""

from __future__ import annotations

import base64
import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from langgraph.types import Send
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import TzInfo

from interlock.codec import classes, times
from interlock.codec.messages import MESSAGE_TYPES, write_message
from interlock.codec.references import Refused
from interlock.errors import NotSerializable

Writer = Callable[[Any], Any]

FACTORIES: dict[str, type] = {
    kind.__name__: kind for kind in (bool, dict, float, int, list, set, str, tuple)
}
"""What a defaultdict may make, by name."""

_HINT = (
    "Use JSON types, messages, pydantic models, dataclasses, NamedTuples, enums, tuples, sets, bytes, "
    "dates, Decimal or UUID."
)


def encode(value: Any, name: str = "the value") -> Any:
    """Return `value` as JSON data; `decode` gives it back, types and all.

    Args:
        value: What to write.
        name: What to call it in an error.

    Raises:
        NotSerializable: a part of it is of no kind that is kept. The error says where it is.
    """
    try:
        return _encode(value)
    except Refused as refused:
        path = "".join(reversed(refused.steps))
        raise NotSerializable(
            f"{name}{path}: a {refused.what} cannot cross a boundary unchanged. {refused.hint}"
        ) from None
    except RecursionError:
        raise NotSerializable(f"{name} holds itself, or is nested too deep.") from None


def _encode(value: Any) -> Any:
    write = _WRITERS.get(type(value))
    return write(value) if write else _write_object(value)


def _write_object(value: Any) -> Any:
    kind = type(value)
    for matches, write in _CLASSES:
        if matches(kind):
            return write(value, _encode)
    raise Refused(kind.__qualname__, _hint(kind))


def _hint(kind: type) -> str:
    if issubclass(kind, SecretStr | SecretBytes):
        return "State is recorded: read a secret where it is used, in a tool."
    if issubclass(kind, BaseException):
        return "Keep its text."
    return _HINT


def _write_float(value: float) -> Any:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _write_str(value: str) -> Any:
    return value if _is_text(value) else {"$str": value.encode("unicode_escape").decode()}


def _is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: a lone half of a surrogate pair cannot."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_items(items: Iterable[Any]) -> list[Any]:
    written: list[Any] = []
    try:
        for item in items:
            written.append(_encode(item))  # noqa: PERF401  its length is the place of a refused item
    except Refused as refused:
        refused.steps.append(f"[{len(written)}]")
        raise
    return written


def _write_set(items: Iterable[Any]) -> list[Any]:
    return sorted((_encode(item) for item in items), key=repr)


def _write_dict(value: dict[Any, Any]) -> Any:
    for key in value:
        if type(key) is not str or key.startswith("$") or not _is_text(key):
            return {"$dict": _write_pairs(value)}
    written: dict[str, Any] = {}
    key = ""
    try:
        for key, item in value.items():
            written[key] = _encode(item)
    except Refused as refused:
        refused.steps.append(f"[{key!r}]")
        raise
    return written


def _write_pairs(value: dict[Any, Any]) -> list[Any]:
    written: list[Any] = []
    key: Any = None
    try:
        for key, item in value.items():
            written.append([_encode(key), _encode(item)])
    except Refused as refused:
        refused.steps.append(f"[{key!r}]")
        raise
    return written


def _write_defaultdict(value: defaultdict[Any, Any]) -> dict[str, Any]:
    factory = value.default_factory
    name = getattr(factory, "__name__", "")
    if factory is not None and FACTORIES.get(name) is not factory:
        raise Refused("defaultdict", f"Its factory has to be one of: {', '.join(FACTORIES)}.")
    written: dict[str, Any] = {"$defaultdict": _write_pairs(value)}
    return written | ({"factory": name} if factory else {})


def _write_deque(value: deque[Any]) -> dict[str, Any]:
    length = {} if value.maxlen is None else {"maxlen": value.maxlen}
    return {"$deque": _write_items(value), **length}


def _write_send(value: Send) -> dict[str, Any]:
    written = {"$send": value.node}
    for name in ("arg", "timeout"):
        try:
            written[name] = _encode(getattr(value, name))
        except Refused as refused:
            refused.steps.append(f".{name}")
            raise
    return written


def _base64(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


_WRITERS: dict[type, Writer] = {
    **dict.fromkeys((type(None), bool, int), lambda value: value),
    float: _write_float,
    str: _write_str,
    list: _write_items,
    dict: _write_dict,
    tuple: lambda value: {"$tuple": _write_items(value)},
    set: lambda value: {"$set": _write_set(value)},
    frozenset: lambda value: {"$frozenset": _write_set(value)},
    deque: _write_deque,
    OrderedDict: lambda value: {"$ordereddict": _write_pairs(value)},
    defaultdict: _write_defaultdict,
    bytes: lambda value: {"$bytes": _base64(value)},
    bytearray: lambda value: {"$bytearray": _base64(value)},
    Decimal: lambda value: {"$decimal": str(value)},
    UUID: lambda value: {"$uuid": str(value)},
    datetime: times.write_datetime,
    date: times.write_date,
    time: times.write_time,
    timedelta: times.write_timedelta,
    **dict.fromkeys((timezone, ZoneInfo, TzInfo), times.write_zone),
    Send: _write_send,
    **dict.fromkeys(MESSAGE_TYPES.values(), lambda value: write_message(value, _encode)),
}
"""By the exact class."""

_CLASSES: tuple[tuple[Callable[[type], bool], Callable[[Any, Writer], Any]], ...] = (
    (lambda kind: issubclass(kind, BaseModel), classes.write_model),
    (lambda kind: issubclass(kind, Enum), classes.write_enum),
    (classes.is_namedtuple, classes.write_namedtuple),
    (classes.is_plain_dataclass, classes.write_dataclass),
    (lambda kind: classes.base_of(kind) is not None, classes.write_derived),
)
"""By what the class derives from, the first that matches."""
