"""Named things from ``module:attribute`` references and from entry points of installed packages."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any

from interlock.errors import ConfigError

GROUPS = ("interlock.agents", "interlock.tools", "interlock.memory", "interlock.guards")
"""The entry-point groups an installed package may offer things in."""


def load(reference: str) -> Any:
    """Return what ``module:attribute`` names.

    Raises:
        ConfigError: the reference has another form, or the module or the attribute is missing.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigError(
            f"{reference!r} is not a reference. Write 'module:attribute', for example "
            "'agents.support:agent'."
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{reference!r}: no module {error.name!r}. Is the project folder on the path, and is "
            "the package installed?"
        ) from error
    found = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ConfigError(f"{reference!r}: {module_name!r} has no attribute {attribute!r}.")
        found = getattr(found, name)
    return found


def load_all(references: Iterable[str], group: str) -> list[Any]:
    """Return everything ``references`` name, then what installed packages offer in ``group``.

    An attribute that is a list or a tuple stands for its items. Order is that of the references,
    then entry points by name, so that it is the same on every machine.

    Raises:
        ConfigError: ``group`` is unknown, or a reference cannot be loaded.
    """
    if group not in GROUPS:
        raise ConfigError(f"{group!r} is not an entry-point group. Known: {', '.join(GROUPS)}.")
    found: list[Any] = []
    offered = sorted(entry_points(group=group), key=lambda point: point.name)
    for reference in [*references, *(point.value for point in offered)]:
        thing = load(reference)
        found.extend(thing if isinstance(thing, list | tuple) else [thing])
    return found
