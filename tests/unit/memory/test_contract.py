"""What crosses the memory door survives JSON unchanged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from temporalio.contrib.pydantic import pydantic_data_converter

from interlock.context import CallContext
from interlock.memory import (
    Get,
    KnowledgePlan,
    KnowledgeReport,
    KnowledgeStep,
    ListNamespaces,
    MemoryAnswers,
    MemoryBatch,
    MemoryItem,
    Provenance,
    Put,
    Search,
)

CONTEXT = CallContext(agent="a", tenant="t", subject="s", release="r", lineage="l", node="n")
NOW = datetime(2026, 11, 22, 12, 30, 0, 123456, UTC)
ITEM = MemoryItem(
    namespace=("a", "b"), key="k", value={"x": [None, {"y": 1.5}]}, created_at=NOW, updated_at=NOW
)

DATA: list[BaseModel] = [
    MemoryBatch(
        ops=(
            Put(namespace=("a",), key="k", value={"x": [1, None]}, index=("x", "y[*]")),
            Put(namespace=("a",), key="k", value=None, index=False, ttl_minutes=1.5),
            Get(namespace=("a", "ü"), key="k", refresh_ttl=True),
            Search(namespace_prefix=(), query="q", filter={"x": {"$gt": 1}}, limit=0, offset=2),
            ListNamespaces(prefix=("a", "*"), suffix=("z",), max_depth=2),
        ),
        context=CONTEXT,
    ),
    MemoryAnswers(
        answers=(None, ITEM, [], [ITEM.model_copy(update={"score": 0.25})], [("a", "b"), ("c",)])
    ),
    Provenance(author=CONTEXT, created_at=NOW, updated_at=NOW, expires_at=NOW),
    KnowledgePlan(steps=(KnowledgeStep(change="removed", document="d"),), unchanged=3),
]


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
async def test_data_crosses_an_activity_unchanged(data: BaseModel) -> None:
    """Encoding and decoding as Temporal does gives an equal object of the same types."""
    payloads = await pydantic_data_converter.encode([data])
    (back,) = await pydantic_data_converter.decode(payloads, [type(data)])
    assert back == data
    assert back.model_dump() == data.model_dump()


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Search(namespace_prefix=(), limit=-1),
        lambda: Search(namespace_prefix=(), offset=-1),
        lambda: ListNamespaces(max_depth=0),
        lambda: Put(namespace=("a",), key="k", value={}, ttl_minutes=0),
    ],
)
def test_arguments_out_of_range_are_refused(bad: Any) -> None:
    """Negative pages, an empty depth and no time to live are no operations."""
    with pytest.raises(ValidationError):
        bad()


def test_reports_add_up() -> None:
    """The sum of two batches' reports counts every field."""
    one = KnowledgeReport(added=1, changed=2, removed=3, unchanged=4, chunks=5)
    assert one.plus(one) == KnowledgeReport(added=2, changed=4, removed=6, unchanged=8, chunks=10)
