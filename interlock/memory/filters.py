"""LangGraph's search filters and namespace conditions, over plain JSON values. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from interlock.errors import BadInput
from interlock.memory.contract import ListNamespaces, Namespace

LONGEST_SCALAR = 256
"""Longer strings are not copied beside an item for filtering; they are compared in its value."""


def matches(value: dict[str, Any], conditions: dict[str, Any] | None) -> bool:
    """Whether the fields of `value` are as `conditions` say, as in LangGraph's `InMemoryStore`.

    One difference: a field that is missing or not a number never matches a comparison, where
    `InMemoryStore` raises a `TypeError`.

    Raises:
        BadInput: an unknown operator.
    """
    return all(_fits(value.get(key), wanted) for key, wanted in (conditions or {}).items())


def equalities(conditions: dict[str, Any] | None) -> dict[str, str | float]:
    """Return the conditions that the database can check by itself, as stored scalars.

    They never exclude an item that `matches`; it has the last word on those they let through.
    """
    found: dict[str, str | float] = {}
    for key, wanted in (conditions or {}).items():
        exact = wanted["$eq"] if isinstance(wanted, dict) and "$eq" in wanted else wanted
        if (scalar := stored_scalar(exact)) is not None:
            found[key] = scalar
    return found


def stored_scalar(value: Any) -> str | float | None:
    """Return the form in which a field is kept for filtering, or None when it is not kept.

    Numbers and booleans become floats, because equal ones (`1`, `1.0`, `True`) must stay equal.
    """
    if isinstance(value, str):
        return value if len(value) <= LONGEST_SCALAR else None
    return _number(value) if isinstance(value, bool | int | float) else None


def in_conditions(namespace: Namespace, op: ListNamespaces) -> bool:
    """Whether a namespace has the prefix and the suffix of `op`; '*' stands for any label."""
    return _begins(namespace, op.prefix or ()) and _begins(namespace[::-1], (op.suffix or ())[::-1])


def _begins(labels: Namespace, wanted: Namespace) -> bool:
    return len(labels) >= len(wanted) and all(
        want in ("*", label) for want, label in zip(wanted, labels, strict=False)
    )


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            return all(_operate(value, operator, other) for operator, other in wanted.items())
        return isinstance(value, dict) and matches(value, wanted)
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(_fits(item, want) for item, want in zip(value, wanted, strict=True))
        )
    return bool(value == wanted)


def _operate(value: Any, operator: str, other: Any) -> bool:
    if operator == "$eq":
        return bool(value == other)
    if operator == "$ne":
        return bool(value != other)
    if operator not in _COMPARISONS:
        known = ", ".join(["$eq", "$ne", *_COMPARISONS])
        raise BadInput(f"{operator!r} is not a filter operator. Known: {known}.")
    left, right = _number(value), _number(other)
    return left is not None and right is not None and _COMPARISONS[operator](left, right)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
