"""The items of one tenant in a Chroma collection: the only code that queries it.

The tenant is part of every filter (`records.scope`) and of every id (`records.item_id`), so no call
can reach another tenant's items. Chroma is synchronous; so is this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from chromadb.api.models.Collection import Collection
from chromadb.api.types import Where

from interlock.context import CallContext
from interlock.memory import records
from interlock.memory.contract import (
    Embedder,
    Get,
    ListNamespaces,
    MemoryItem,
    Namespace,
    Provenance,
    Put,
    Search,
)
from interlock.memory.embedders import Hashing
from interlock.memory.filters import equalities, in_conditions, matches

_PAGE = 500
"""Rows in one read or write; Chroma's own limit is 5,461."""
_ROWS = 64
"""Rows that a search by meaning asks the index for at first."""
_GROWTH = 16
"""How many times more it asks for when they were not enough."""
_MOST = 2**31 - 1
"""Rows that Chroma can be asked for."""
_PAGE_CHARS = 4_000_000
"""Characters in one write; a Chroma server refuses requests over 40 MB."""

_T = TypeVar("_T")


class _Row(NamedTuple):
    id: str
    vector: list[float]
    document: str | None
    metadata: dict[str, Any]


class _Stored(NamedTuple):
    metadata: Mapping[str, Any]
    document: str


class _Hit(NamedTuple):
    id: str
    version: float
    score: float | None


class TenantItems:
    """What one tenant has stored, seen at one moment."""

    def __init__(
        self, collection: Collection, embedder: Embedder, tenant: str, now: datetime
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._tenant = tenant
        self._now = now
        self._placeholders = Hashing(embedder.dimensions)

    def get(self, op: Get) -> MemoryItem | None:
        """Return one item, or None when there is none or it has expired."""
        first, stored = self._find(op.namespace, op.key)
        if stored is None:
            return None
        if op.refresh_ttl:
            self._refresh({first: stored})
        return records.item_of(stored.metadata, stored.document)

    def provenance(self, namespace: Namespace, key: str) -> Provenance | None:
        """Return where an item's value came from, or None when there is no item."""
        _, stored = self._find(namespace, key)
        return records.provenance_of(stored.metadata) if stored else None

    def search(self, op: Search, vector: list[float] | None) -> list[MemoryItem]:
        """Return the items that `op` asks for; `vector` is its embedded query."""
        if op.limit == 0:
            return []
        end = min(op.offset + op.limit, _MOST)
        where = records.scope(self._tenant, op.namespace_prefix, equalities(op.filter))
        hits = self._newest(where) if vector is None else self._nearest(vector, where, end)
        matching = self._matching(_pages(hits, min(max(end, 50), _PAGE)), op.filter)
        chosen = list(islice(matching, op.offset, end))
        if op.refresh_ttl:
            self._refresh({first: stored for first, stored, _ in chosen})
        return [item for _, _, item in chosen]

    def namespaces(self, op: ListNamespaces) -> list[Namespace]:
        """Return the namespaces that hold items and fulfil the conditions of `op`, sorted."""
        fixed = tuple(takewhile(lambda label: label != "*", op.prefix or ()))
        where = records.scope(self._tenant, fixed)
        rows = self._collection.get(where=where, include=["metadatas"])["metadatas"] or []
        live = {records.about_of(row).namespace for row in rows if records.is_live(row, self._now)}
        found = sorted({labels[: op.max_depth] for labels in live if in_conditions(labels, op)})
        return found[op.offset : op.offset + op.limit]

    def write(self, puts: Iterable[Put], context: CallContext) -> None:
        """Store and delete items; of several puts of one key the last one counts.

        Raises:
            NotSerializable: a value is not JSON data.
        """
        last: dict[str, Put] = {}
        for put in puts:
            first = records.item_id(self._tenant, put.namespace, put.key)
            last.pop(first, None)
            last[first] = put
        before = {first: metadata for first, metadata, _ in self._read(list(last))}
        rows, stale = self._changes(last, before, context)
        for page in _portions(rows):
            self._collection.upsert(
                ids=[row.id for row in page],
                embeddings=np.asarray([row.vector for row in page], np.float32),
                documents=[row.document for row in page],  # type: ignore[misc]  # a row may have none
                metadatas=[row.metadata for row in page],
            )
        for ids in _pages(stale, _PAGE):
            self._collection.delete(ids=ids)

    def _changes(
        self, last: Mapping[str, Put], before: Mapping[str, records.Metadata], context: CallContext
    ) -> tuple[list[_Row], list[str]]:
        """Return the rows to write, and the ids of rows that are left over."""
        texts = {first: records.texts_of(put) for first, put in last.items()}
        vectors = self._embed(texts.values())
        rows: list[_Row] = []
        stale: list[str] = []
        for place, (first, put) in enumerate(last.items()):
            # A microsecond apart, so that the later of one batch is the newer.
            now = self._now + timedelta(microseconds=place)
            old = before.get(first, {})
            found = [vectors[text] for text in texts[first]]
            item = self._rows(first, put, old, found, context, now) if put.value is not None else []
            rows += item
            stale += records.row_ids(first, len(item), records.about_of(old).rows if old else 0)
        return rows, stale

    def _rows(
        self,
        first: str,
        put: Put,
        old: records.Metadata,
        vectors: list[list[float]],
        context: CallContext,
        now: datetime,
    ) -> list[_Row]:
        value = put.value or {}
        replaces = bool(old) and records.is_live(old, now)
        about = records.About(
            namespace=put.namespace,
            key=put.key,
            texts=len(vectors),
            created_at=records.about_of(old).created_at if replaces else now,
            ttl_minutes=put.ttl_minutes,
            author=context,
        )
        # Chroma merges new metadata into the old: what is gone has to be unset.
        metadata = dict.fromkeys(old) | records.metadata_of(about, value, now)
        document = records.document_of(value)
        # Every row needs a vector. Unlike one constant, vectors made from the ids lie far apart, and
        # so do not clog the index.
        vectors = vectors or self._placeholders.embed([first])
        return [
            _Row(row_id, vector, None if row else document, metadata | {"row": row})
            for row, (row_id, vector) in enumerate(
                zip(records.row_ids(first, 0, about.rows), vectors, strict=True)
            )
        ]

    def _embed(self, texts: Iterable[Sequence[str]]) -> dict[str, list[float]]:
        unique = list(dict.fromkeys(text for group in texts for text in group))
        return dict(zip(unique, self._embedder.embed(unique), strict=True)) if unique else {}

    def _nearest(self, vector: list[float], where: Where, wanted: int) -> Iterator[_Hit]:
        """Yield items by similarity; an item of several rows counts once, by the nearest."""
        # Pages of one search ask the index for the same number of rows: which of equally near rows
        # are among them depends on that number.
        count = _ROWS
        while count < wanted:
            count = min(count * _GROWTH, _MOST)
        seen: set[tuple[str, float]] = set()
        query = np.asarray([vector], np.float32)
        while True:
            answer = self._collection.query(
                query_embeddings=query,
                n_results=count,
                where=where,
                include=["metadatas", "distances"],
            )
            ids = answer["ids"][0]
            found = list(
                zip(
                    (answer["distances"] or [[]])[0],
                    ids,
                    (answer["metadatas"] or [[]])[0],
                    strict=True,
                )
            )
            if len(ids) < count:
                found += self._missed(query, where, frozenset(ids))
            for distance, row_id, metadata in sorted(found, key=lambda row: row[:2]):
                hit = _Hit(row_id.partition(":")[0], _version(metadata), 1.0 - distance)
                if hit[:2] not in seen and records.about_of(metadata).texts:
                    seen.add(hit[:2])
                    yield hit
            if len(ids) < count:
                return
            count = min(count * _GROWTH, _MOST)

    def _missed(
        self, query: npt.NDArray[np.float32], where: Where, known: frozenset[str]
    ) -> list[tuple[float, str, Any]]:
        """Return the rows that the approximate index did not reach though more were asked for."""
        ids = self._collection.get(where=where, include=[])["ids"]
        missed: list[tuple[float, str, Any]] = []
        for page in _pages((row_id for row_id in ids if row_id not in known), _PAGE):
            rows = self._collection.get(ids=page, include=["embeddings", "metadatas"])
            vectors = np.asarray(rows["embeddings"], np.float32).reshape(-1, query.shape[1])
            distances = (1.0 - vectors @ query[0]).tolist()
            missed += zip(distances, rows["ids"], rows["metadatas"] or [], strict=True)
        return missed

    def _newest(self, where: Where) -> Iterator[_Hit]:
        answer = self._collection.get(where=where, include=["metadatas"])
        pairs = zip(answer["ids"], answer["metadatas"] or [], strict=True)
        hits = [_Hit(first, _version(row), None) for first, row in pairs if row["row"] == 0]
        yield from sorted(hits, key=lambda hit: (-hit.version, hit.id))

    def _matching(
        self, pages: Iterable[list[_Hit]], conditions: dict[str, Any] | None
    ) -> Iterator[tuple[str, _Stored, MemoryItem]]:
        for page in pages:
            stored = self._live([hit.id for hit in page])
            for hit in page:
                found = stored.get(hit.id)
                if found is None or found.metadata["updated"] != hit.version:
                    continue
                item = records.item_of(found.metadata, found.document, hit.score)
                if matches(item.value, conditions):
                    yield hit.id, found, item

    def _find(self, namespace: Namespace, key: str) -> tuple[str, _Stored | None]:
        first = records.item_id(self._tenant, namespace, key)
        return first, self._live([first]).get(first)

    def _live(self, ids: list[str]) -> dict[str, _Stored]:
        """Read items by id, without the expired ones, which are deleted."""
        found: dict[str, _Stored] = {}
        expired: list[str] = []
        for row_id, metadata, document in self._read(ids):
            if records.is_live(metadata, self._now):
                found[row_id] = _Stored(metadata, document)
            else:
                expired += records.row_ids(row_id, 0, records.about_of(metadata).rows)
        if expired:
            # The condition spares an item that was stored anew in the meantime.
            past = {"expires": {"$lte": self._now.timestamp()}}
            self._collection.delete(ids=expired, where=cast("Where", past))
        return found

    def _refresh(self, stored: Mapping[str, _Stored]) -> None:
        expires = {
            first: records.expiry(ttl, self._now)
            for first, found in stored.items()
            if (ttl := records.about_of(found.metadata).ttl_minutes) is not None
        }
        if expires:
            changes: list[Mapping[str, Any]] = [{"expires": when} for when in expires.values()]
            self._collection.update(ids=list(expires), metadatas=changes)

    def _read(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        for page in _pages(ids, _PAGE):
            answer = self._collection.get(ids=page, include=["metadatas", "documents"])
            rows = zip(
                answer["ids"], answer["metadatas"] or [], answer["documents"] or [], strict=True
            )
            yield from rows


def _pages(things: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(things)
    while page := list(islice(rest, size)):
        yield page


def _portions(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    page: list[_Row] = []
    chars = 0
    for row in rows:
        size = len(row.document or "")
        if page and (len(page) == _PAGE or chars + size > _PAGE_CHARS):
            yield page
            page, chars = [], 0
        page.append(row)
        chars += size
    if page:
        yield page


def _version(metadata: Mapping[str, Any]) -> float:
    return float(metadata["updated"])
