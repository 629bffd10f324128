"""The audit activity."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from interlock.audit.activities import AuditActivities
from interlock.audit.contract import AuditBatch, AuditEvent, EventFilter
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.context import CallContext


@pytest.fixture
async def store(tmp_path):
    """Give a store on an empty SQLite file."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/audit.db") as database:
        yield SqlAuditStore(database)


@pytest.fixture
def batch():
    """Give a batch of two events."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return AuditBatch(
        events=tuple(
            AuditEvent(
                id=f"e{number}",
                kind="verdict",
                name="refund",
                outcome="ask",
                workflow_id="wf",
                context=CallContext(agent="support"),
                started_at=now,
                ended_at=now,
                details={"risk": "high"},
            )
            for number in range(2)
        )
    )


async def test_retried_activity_records_once(store, batch):
    """The activity tells how many events were new: all the first time, none when it is retried."""
    record = AuditActivities(store).record

    assert await ActivityEnvironment().run(record, batch) == 2
    assert await ActivityEnvironment().run(record, batch) == 0

    assert await store.events(EventFilter()) == list(batch.events)


async def test_batch_crosses_temporal_unchanged(batch):
    """A batch is the same after Temporal's data converter."""
    payloads = await pydantic_data_converter.encode([batch])

    assert await pydantic_data_converter.decode(payloads, [AuditBatch]) == [batch]


def test_activity_has_its_name(store):
    """Workflows schedule the activity by this name."""
    assert AuditActivities(store).record.__temporal_activity_definition.name == "audit.record"
