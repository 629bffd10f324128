"""Arguments of a tool as fields with types, for conditions: from its JSON schema. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

DYN = "dyn"
"""The type of a field that may hold several: its use is not checked before a call."""

_DEEPEST = 6
_SIMPLE = {"integer": "int", "number": "double", "string": "string", "boolean": "bool"}
_DECIMAL = {"number", "string"}
"""How pydantic describes a `Decimal`."""


def field_types(schema: dict[str, Any]) -> dict[str, str]:
    """Return the CEL type of each argument and of each field within, by its path from `args`.

    An object whose properties are known is its fields, and nothing itself, so that no field of it
    can be misspelt.
    """
    found: dict[str, str] = {}
    _collect(schema, schema.get("$defs", {}), "args", found, 0)
    found.pop("args", None)
    return found


def field_values(types: dict[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what each field holds, in the form of its type.

    A field that is absent, or holds what its type cannot, is left out: a condition that reads it has
    no value.
    """
    found = {}
    for path, kind in types.items():
        try:
            found[path] = _converted(kind, _at(arguments, path.split(".")[1:]))
        except (ArithmeticError, LookupError, TypeError, ValueError):
            continue
    return found


def number_at(arguments: dict[str, Any], path: tuple[str, ...]) -> Decimal:
    """Return the number in an argument, exactly.

    Raises:
        ValueError: there is none.
    """
    try:
        value = _at(arguments, list(path))
        number = Decimal(str(value))
    except (ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(f"{'.'.join(path)!r} holds no number.") from error
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(f"{'.'.join(path)!r} holds no number.")
    return number


def _collect(
    schema: dict[str, Any], defs: dict[str, Any], path: str, found: dict[str, str], depth: int
) -> None:
    known = _resolved(schema, defs)
    properties = known.get("properties")
    if not properties or depth > _DEEPEST:
        found[path] = _type(known, defs, depth)
        return
    for name, inner in properties.items():
        if name.isidentifier():
            _collect(inner, defs, f"{path}.{name}", found, depth + 1)


def _resolved(schema: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """Follow references; an unknown one may be anything."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict):
            return {}
        inner = schema.get("allOf")
        if "$ref" in schema:
            schema = defs.get(str(schema["$ref"]).rpartition("/")[2], {})
        elif isinstance(inner, list) and len(inner) == 1:
            schema = inner[0]
        else:
            return schema
    return {}


def _type(schema: dict[str, Any], defs: dict[str, Any], depth: int) -> str:
    options = [_resolved(item, defs) for item in schema.get("anyOf", schema.get("oneOf", [schema]))]
    kinds = [item.get("type") for item in options]
    if "anyOf" in schema and len(kinds) == len(_DECIMAL) and set(map(str, kinds)) == _DECIMAL:
        return "double"
    if len(options) != 1 or not isinstance(kinds[0], str) or depth > _DEEPEST:
        return DYN
    only, kind = options[0], kinds[0]
    if kind == "array":
        return f"list({_type(_resolved(only.get('items'), defs), defs, depth + 1)})"
    if kind == "object":
        inner = _resolved(only.get("additionalProperties"), defs)
        return f"map(string, {_type(inner, defs, depth + 1)})"
    return _SIMPLE.get(kind, DYN)


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value[name]
    return value


def _converted(kind: str, value: Any) -> Any:
    if kind == DYN:
        return value
    if kind.startswith("list("):
        return [_converted(kind[5:-1], item) for item in value]
    if kind.startswith("map("):
        return {key: _converted(kind[12:-1], item) for key, item in value.items()}
    if kind == "double":
        return float(number_at({"n": value}, ("n",)))
    wanted = {"int": int, "string": str, "bool": bool}[kind]
    if type(value) is not wanted:
        raise TypeError(f"{value!r} is no {kind}.")
    return value
