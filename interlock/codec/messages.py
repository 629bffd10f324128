"""LangChain's own messages as data: without the fields at their default, so transcripts stay short.

Classes derived from them are written whole, as any pydantic model.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import langchain_core.messages as lc_messages
from langchain_core.messages import BaseMessage

from interlock.codec.references import Refused
from interlock.errors import NotSerializable

_EXPORTED = {name: getattr(lc_messages, name) for name in sorted(lc_messages.__all__)}
# By getattr and not by vars(): the package loads its classes when they are first asked for.

MESSAGE_TYPES: dict[str, type[BaseMessage]] = {
    name: kind
    for name, kind in _EXPORTED.items()
    if isinstance(kind, type) and issubclass(kind, BaseMessage)
}
"""LangChain's own message classes, by class name."""


class _Field(NamedTuple):
    name: str
    required: bool
    default: Any
    """Never handed out, as it may be a list: a message gets a copy."""

    def is_at_default(self, item: Any) -> bool:
        return not self.required and type(item) is type(self.default) and item == self.default


def write_message(value: BaseMessage, encode: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a message of a class in `MESSAGE_TYPES` as data."""
    data: dict[str, Any] = {}
    have, name = value.__dict__, ""
    try:
        for field in _fields(type(value)):
            name = field.name
            if not field.is_at_default(have[name]):
                data[name] = encode(have[name])
        for name, item in (value.__pydantic_extra__ or {}).items():
            data[name] = encode(item)
    except Refused as refused:
        refused.steps.append(f".{name}")
        raise
    return {"$message": type(value).__name__, "data": data}


def read_message(data: dict[str, Any], decode: Callable[[Any], Any]) -> BaseMessage:
    """Return the message that `write_message` made `data` from.

    Raises:
        NotSerializable: the class is unknown, or a field that it needs is missing.
    """
    kind = MESSAGE_TYPES.get(data["$message"])
    if kind is None:
        known = ", ".join(MESSAGE_TYPES)
        raise NotSerializable(f"{data['$message']!r} is no message class. Known: {known}.")
    given = {key: decode(item) for key, item in data["data"].items()}
    names = set(given)
    fields: dict[str, Any] = {}
    for field in _fields(kind):
        if field.name in given:
            fields[field.name] = given.pop(field.name)
        elif field.required:
            raise NotSerializable(f"a {kind.__name__} needs {field.name!r}, and it is missing.")
        else:
            fields[field.name] = copy.deepcopy(field.default)
    made = kind.__new__(kind)
    made.__setstate__(
        {
            "__dict__": fields,
            "__pydantic_fields_set__": names,
            "__pydantic_extra__": given,
            "__pydantic_private__": None,
        }
    )
    return made


@functools.cache
def _fields(kind: type[BaseMessage]) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            name,
            field.is_required(),
            None if field.is_required() else field.get_default(call_default_factory=True),
        )
        for name, field in kind.model_fields.items()
    )
