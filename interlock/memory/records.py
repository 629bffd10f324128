"""How an item is kept in a Chroma collection: ids, metadata and texts. Pure functions.

An item is one row per embedded text. Row 0 has the value as a JSON document; the others have only
a vector. All rows of an item repeat its metadata, so that a vector search filters on any of them.
`updated` is also the item's version: a row with another one is left over from an earlier value.

Chroma keeps every metadata key of every row as a row of its own table, so only what is filtered by
is a key; the rest is one JSON text, `about`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import get_text_at_path
from pydantic import BaseModel, ConfigDict

from interlock.canonical import digest
from interlock.context import CallContext
from interlock.errors import NotSerializable
from interlock.memory.contract import MemoryItem, Namespace, Provenance, Put
from interlock.memory.filters import stored_scalar

Metadata = Mapping[str, Any]


class About(BaseModel):
    """What is kept with an item and never filtered by."""

    model_config = ConfigDict(frozen=True)

    namespace: Namespace
    key: str
    texts: int
    """Embedded texts, and so rows; an item without any has one row with a meaningless vector."""
    created_at: datetime
    ttl_minutes: float | None
    author: CallContext

    @property
    def rows(self) -> int:
        """Rows that the item takes."""
        return max(1, self.texts)


def item_id(tenant: str, namespace: Namespace, key: str) -> str:
    """Return the id of an item's first row: the same for the same place, different for any other.

    Raises:
        NotSerializable: the namespace or the key is not valid Unicode.
    """
    try:
        return digest([tenant, namespace, key])
    except ValueError as error:
        raise NotSerializable(f"{namespace!r}, {key!r} is not valid Unicode text.") from error


def row_ids(first: str, start: int, stop: int) -> list[str]:
    """Return the ids of an item's rows from `start` to before `stop`."""
    return [first if row == 0 else f"{first}:{row}" for row in range(start, stop)]


def texts_of(put: Put) -> list[str]:
    """Return the texts that an item is found by, without blanks and repetitions."""
    if put.index is False or put.value is None:
        return []
    if put.index is None:
        texts = [all_text(put.value)]
    else:
        texts = [
            text
            for path in put.index
            for text in (
                [all_text(put.value)] if path == "$" else get_text_at_path(put.value, path)
            )
        ]
    return list(dict.fromkeys(text for text in texts if text.strip()))


def all_text(value: Any) -> str:
    """Return every leaf of a JSON value on a line of its own, after the name of its field."""
    return "\n".join(_lines(value, ""))


def _lines(value: Any, label: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _lines(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _lines(item, label)
    elif value is not None and value != "":
        yield f"{label}: {value}" if label else str(value)


def metadata_of(about: About, value: dict[str, Any], updated: datetime) -> dict[str, Any]:
    """Return the metadata that all rows of an item share."""
    found: dict[str, Any] = {
        "about": about.model_dump_json(),
        "subject": about.author.subject,
        "updated": updated.timestamp(),
    }
    for depth in range(len(about.namespace) + 1):
        found |= _below(about.author.tenant, about.namespace[:depth])
    if about.ttl_minutes is not None:
        found["expires"] = expiry(about.ttl_minutes, updated)
    for key, item in value.items():
        if (scalar := stored_scalar(item)) is not None:
            found[f"value.{key}"] = scalar
    return found


def scope(
    tenant: str, prefix: Namespace, fields: Mapping[str, str | float] | None = None
) -> dict[str, Any]:
    """Return a Chroma filter for rows of `tenant` alone.

    Args:
        tenant: Part of the path that is filtered by: no filter can be made without one.
        prefix: Start of the namespace.
        fields: Top-level fields of the value and their stored scalars.
    """
    within = _below(tenant, prefix)
    conditions = [{f"value.{key}": {"$eq": scalar}} for key, scalar in (fields or {}).items()]
    return {"$and": [within, *conditions]} if conditions else within


def expiry(ttl_minutes: float, start: datetime) -> float:
    """Return the `expires` of an item whose time to live begins at `start`."""
    return start.timestamp() + ttl_minutes * 60


def is_live(metadata: Metadata, now: datetime) -> bool:
    """Whether an item has not expired."""
    return "expires" not in metadata or metadata["expires"] > now.timestamp()


def about_of(metadata: Metadata) -> About:
    """Return what a row's metadata tells about its item."""
    return About.model_validate_json(metadata["about"])


def item_of(metadata: Metadata, document: str, score: float | None = None) -> MemoryItem:
    """Return the item of a first row."""
    about = about_of(metadata)
    return MemoryItem(
        namespace=about.namespace,
        key=about.key,
        value=json.loads(document),
        created_at=about.created_at,
        updated_at=_time(metadata["updated"]),
        score=score,
    )


def provenance_of(metadata: Metadata) -> Provenance:
    """Return where the value of a row's item came from."""
    about = about_of(metadata)
    return Provenance(
        author=about.author,
        created_at=about.created_at,
        updated_at=_time(metadata["updated"]),
        expires_at=_time(metadata["expires"]) if "expires" in metadata else None,
    )


def document_of(value: dict[str, Any]) -> str:
    """Return the JSON text that a value is kept as.

    Raises:
        NotSerializable: the value is not JSON data, or holds invalid Unicode.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise NotSerializable(f"a stored value must be JSON data: {error}.") from error
    return text


def _below(tenant: str, prefix: Namespace) -> dict[str, str]:
    return {f"under.{len(prefix)}": json.dumps([tenant, *prefix], ensure_ascii=False)}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
