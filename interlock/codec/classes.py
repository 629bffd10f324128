"""Objects of classes as data: models, dataclasses, NamedTuples, enums, and kinds derived from others.

Each function takes the one that writes, or reads, the parts.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from enum import Enum, Flag
from typing import Any

from pydantic import BaseModel

from interlock.codec.references import Refused, attributes, find, reference
from interlock.errors import NotSerializable

Convert = Callable[[Any], Any]

BASES: tuple[type, ...] = (str, int, float, bytes, list, tuple, set, frozenset, dict)
"""Kinds that others may derive from."""
_HIDING = (OrderedDict, defaultdict)
"""Kinds with state of their own that derived classes would hide."""


def write_model(value: BaseModel, encode: Convert) -> dict[str, Any]:
    """Return a pydantic model as data."""
    fields, extra = attributes(value), value.__pydantic_extra__ or {}
    written = {"$model": reference(type(value)), "data": _write(fields, encode)}
    if value.model_fields_set != {*fields, *extra}:
        written["set"] = sorted(value.model_fields_set)
    if extra:
        written["extra"] = _write(extra, encode)
    if value.__pydantic_private__:
        written["private"] = _write(value.__pydantic_private__, encode)
    return written


def read_model(data: dict[str, Any], decode: Convert) -> BaseModel:
    """Return the model that `write_model` made `data` from; a field that is new has its default."""
    kind = find(data["$model"], BaseModel)
    fields, extra = _read(data["data"], decode), _read(data.get("extra", {}), decode)
    names = set(data["set"]) if "set" in data else {*fields, *extra}
    for name, field in kind.model_fields.items():
        if name not in fields and field.is_required():
            raise _incomplete(kind, name)
        if name not in fields:
            fields[name] = field.get_default(call_default_factory=True, validated_data=fields)
    own = {name: item.get_default() for name, item in kind.__private_attributes__.items()}
    made = kind.__new__(kind)
    made.__setstate__(
        {
            "__dict__": fields,
            "__pydantic_fields_set__": names,
            "__pydantic_extra__": extra if kind.model_config.get("extra") == "allow" else None,
            "__pydantic_private__": own | _read(data.get("private", {}), decode) if own else None,
        }
    )
    return made


def write_dataclass(value: Any, encode: Convert) -> dict[str, Any]:
    """Return a dataclass as data."""
    names = [field.name for field in dataclasses.fields(value)]
    slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {
        "$dataclass": reference(type(value)),
        "data": _write(slots | attributes(value), encode),
    }


def read_dataclass(data: dict[str, Any], decode: Convert) -> Any:
    """Return what `write_dataclass` made `data` from; a field that is new has its default."""
    kind: Any = find(data["$dataclass"], object)
    values = _read(data["data"], decode)
    for field in dataclasses.fields(kind):
        if field.name in values:
            continue
        if field.default_factory is not dataclasses.MISSING:
            values[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            values[field.name] = field.default
        elif field.init:
            raise _incomplete(kind, field.name)
    made = object.__new__(kind)
    _set(made, values)
    return made


def write_namedtuple(value: Any, encode: Convert) -> dict[str, Any]:
    """Return a NamedTuple as data."""
    kind = type(value)
    _check_nothing_hidden(value, tuple)
    fields = dict(zip(kind._fields, tuple.__iter__(value), strict=True))
    written = {"$namedtuple": reference(kind), "data": _write(fields, encode)}
    return written | _state(value, encode)


def read_namedtuple(data: dict[str, Any], decode: Convert) -> Any:
    """Return what `write_namedtuple` made `data` from; a field that is new has its default."""
    kind: Any = find(data["$namedtuple"], tuple)
    values = kind._field_defaults | _read(data["data"], decode)
    for name in kind._fields:
        if name not in values:
            raise _incomplete(kind, name)
    made = tuple.__new__(kind, [values[name] for name in kind._fields])
    _set(made, _read(data.get("state", {}), decode))
    return made


def write_enum(value: Enum, _encode: Convert) -> dict[str, Any]:
    """Return a member of an enum, or a combination of flags, as data."""
    kind = type(value)
    if kind.__members__.get(value.name or "") is value:
        return {"$enum": reference(kind), "name": value.name}
    if isinstance(value, Flag):
        return {"$flag": reference(kind), "value": value.value}
    raise Refused(repr(value), "Use a member that the class declares.")


def read_enum(data: dict[str, Any], _decode: Convert) -> Enum:
    """Return the member that `write_enum` made `data` from."""
    kind, name = find(data["$enum"], Enum), data["name"]
    if name not in kind.__members__:
        raise NotSerializable(f"{data['$enum']!r} has no member {name!r} any more.")
    return kind.__members__[name]


def read_flag(data: dict[str, Any], _decode: Convert) -> Flag:
    """Return the combination of flags that `write_enum` made `data` from."""
    return find(data["$flag"], Flag)(data["value"])


def write_derived(value: Any, encode: Convert) -> dict[str, Any]:
    """Return an object of a class derived from one of `BASES` as data."""
    base = base_of(type(value))
    _check_nothing_hidden(value, base)
    written = {"$derived": reference(type(value)), "value": encode(_plain(value, base))}
    return written | _state(value, encode)


def read_derived(data: dict[str, Any], decode: Convert) -> Any:
    """Return what `write_derived` made `data` from."""
    plain = decode(data["value"])
    base: Any = type(plain)
    kind = find(data["$derived"], base)
    if base in (list, set, dict):
        made = base.__new__(kind)
        base.__init__(made, plain)
    else:
        made = base.__new__(kind, plain)
    _set(made, _read(data.get("state", {}), decode))
    return made


def base_of(kind: type) -> Any:
    """Return which of `BASES` a class derives from, or None."""
    if issubclass(kind, _HIDING):
        return None
    return next((base for base in BASES if issubclass(kind, base)), None)


def is_namedtuple(kind: type) -> bool:
    """Say whether a class is a NamedTuple."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_plain_dataclass(kind: type) -> bool:
    """Say whether a class is a dataclass that derives from nothing with a form of its own."""
    others = (*BASES, *_HIDING, BaseException)
    return dataclasses.is_dataclass(kind) and not issubclass(kind, others)


def _plain(value: Any, base: Any) -> Any:
    if base in (str, int, float, bytes):
        return getattr(base, f"__{base.__name__}__")(value)
    return base(base.items(value) if base is dict else base.__iter__(value))


def _check_nothing_hidden(value: Any, base: type) -> None:
    """Refuse a class whose objects hold more than their base and their attributes."""
    kind = type(value)
    slots = [vars(part).get("__slots__") for part in kind.__mro__ if part not in base.__mro__]
    if any(slots) or (None in slots and not hasattr(value, "__dict__")):
        hint = f"Its class holds more than a {base.__name__}: use a dataclass, or {base.__name__}."
        raise Refused(kind.__qualname__, hint)


def _state(value: Any, encode: Convert) -> dict[str, Any]:
    state = attributes(value)
    return {"state": _write(state, encode)} if state else {}


def _write(parts: dict[str, Any], encode: Convert) -> dict[str, Any]:
    data: dict[str, Any] = {}
    name = ""
    try:
        for name, item in parts.items():
            data[name] = encode(item)
    except Refused as refused:
        refused.steps.append(f".{name}")
        raise
    return data


def _read(data: dict[str, Any], decode: Convert) -> dict[str, Any]:
    return {name: decode(item) for name, item in data.items()}


def _set(made: Any, values: dict[str, Any]) -> None:
    for name, item in values.items():
        object.__setattr__(made, name, item)


def _incomplete(kind: type, name: str) -> NotSerializable:
    return NotSerializable(
        f"this {kind.__qualname__} was written before {name!r} was there. Give the field a default "
        "while runs are open."
    )
