"""Classes by name: the reference that is written, and the class that is found again."""

from __future__ import annotations

import functools
import sys
from typing import Any, TypeVar

from interlock.errors import NotSerializable

_Kind = TypeVar("_Kind")


class Refused(Exception):
    """A part of a value cannot be kept. It never leaves the codec: `encode` makes an error of it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        """Name of the part's class."""
        self.hint = hint
        """What to do about it."""
        self.steps: list[str] = []
        """The way to the part, its last step first."""


def reference(kind: type) -> str:
    """Return 'module:Class'.

    Raises:
        Refused: another class, or none, is found under that name.
    """
    name = f"{kind.__module__}:{kind.__qualname__}"
    if _look_up(name) is not kind:
        hint = (
            f"No class is found again as {name!r}: define it at the top of a module by that name."
        )
        raise Refused(kind.__qualname__, hint)
    return name


def find(name: str, parent: type[_Kind]) -> type[_Kind]:
    """Return the class that `reference` named.

    Raises:
        NotSerializable: it is not there, its module is not imported, or it is no `parent`.
    """
    found = _look_up(name)
    if not isinstance(found, type):
        raise NotSerializable(
            f"{name!r} is not imported here. Import the module of this state type where the "
            "agent is defined, and keep the class at its place while runs are open."
        )
    if not issubclass(found, parent):
        raise NotSerializable(f"{name!r} is no {parent.__name__} any more.")
    return found


def attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, without those that a cached property only remembers."""
    kind = type(value)
    return {
        name: item
        for name, item in getattr(value, "__dict__", {}).items()
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    }


def _look_up(name: str) -> Any:
    module_name, _, path = name.partition(":")
    found: Any = sys.modules.get(module_name)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found
