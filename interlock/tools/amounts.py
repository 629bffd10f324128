"""How much a call is about: the argument that a tool's contract names. Pure, safe in a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from interlock.tools.contract import ToolContract

_NUMBERS = ("integer", "number")


def amount_of(contract: ToolContract, arguments: Mapping[str, Any]) -> Decimal | None:
    """Return the amount of a call, or None when its tool names none, or it is not given."""
    if not contract.amount:
        return None
    value: Any = arguments
    for name in contract.amount.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, bool):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def is_number(schema: Mapping[str, Any], path: str) -> bool:
    """Whether a path leads to a number in the JSON schema of some arguments."""
    part: Mapping[str, Any] = schema
    for name in path.split("."):
        part = _resolved(part.get("properties", {}).get(name, {}), schema)
    options = [_resolved(option, schema) for option in part.get("anyOf", [part])]
    return any(option.get("type") in _NUMBERS for option in options)


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of a schema, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Mapping[str, Any] = schema.get("$defs", {}).get(part["$ref"].rpartition("/")[2], {})
    return found
