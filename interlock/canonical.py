"""One canonical form of JSON data and its digest, for everything that is bound to exact content.

Canonical JSON is RFC 8785, by the ``rfc8785`` library. Values JSON does not know (``Decimal``,
dates, enums, nested models, UUIDs) first take pydantic's JSON form, so that ``Decimal("1.50")`` is
the string ``"1.50"``. Integers beyond 2**53 become strings, and so do NaN and infinities: JSON
numbers cannot hold them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785
from pydantic_core import from_json, to_json

from interlock.errors import NotSerializable

_SAFE = 2**53 - 1


def jsonable(value: Any) -> Any:
    """Turn ``value`` into plain JSON data.

    Raises:
        NotSerializable: a part of ``value`` has no JSON form.
    """
    try:
        return from_json(to_json(value, inf_nan_mode="strings"))
    except Exception as error:
        raise NotSerializable(
            f"{type(value).__name__} has no JSON form: {error}. Use JSON types, pydantic models or "
            "dataclasses in arguments and results."
        ) from error


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 bytes of ``value``; equal data gives equal bytes.

    Raises:
        NotSerializable: a part of ``value`` has no JSON form.
    """
    return rfc8785.dumps(_bounded(jsonable(value)))


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return str(value)
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    return value


def compact(data: Any, limit: int = 0) -> str:
    """Return `data` as JSON on one line, cut after `limit` characters; text stays as it is."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if limit else text
    return text if not limit or len(text) <= limit else f"{text[: limit - 1]}…"
