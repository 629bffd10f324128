"""The knowledge workflow: only what changed is written, by hand and on a schedule."""

from __future__ import annotations

import asyncio
import uuid

from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
)

from interlock.context import CallContext
from interlock.memory import Search
from tests.integration.application.copilot.shop import PAGES, Shop

_PATIENCE = 30.0


async def _texts(shop: Shop, document: str) -> str:
    search = Search(namespace_prefix=("knowledge",), filter={"document": document}, limit=50)
    found = await shop.env.app.memory.bound(CallContext(agent="test")).run_ops((search,))
    items = found.answers[0]
    assert isinstance(items, list)
    return "\n".join(item.value["text"] for item in items)


async def test_a_second_refresh_touches_nothing(shop: Shop) -> None:
    """The shop's documents are in memory already, so nothing is embedded or written."""
    report = await shop.refresh()
    documents = len(list((shop.folder / PAGES).glob("*.md")))
    assert (report.unchanged, report.chunks) == (documents, 0)
    assert (report.added, report.changed, report.removed) == (0, 0, 0)


async def test_a_schedule_brings_in_what_changed(shop: Shop) -> None:
    """A document that changed, one that is new and one that is gone: each is written once."""
    pages = shop.folder / PAGES
    changed, new = pages / "gift-cards.md", pages / "opening-day.md"
    before = changed.read_text(encoding="utf-8")
    changed.write_text(before.replace("5 years", "6 years"), encoding="utf-8")
    new.write_text("# Opening day\n\nWe open on the first of May.\n", encoding="utf-8")
    name = f"refresh-{uuid.uuid4().hex[:8]}"
    schedule = await shop.env.client.create_schedule(
        name,
        Schedule(
            action=ScheduleActionStartWorkflow(
                "KnowledgeRefresh",
                {"folders": [PAGES]},
                id=name,
                task_queue=shop.env.task_queue,
            ),
            spec=ScheduleSpec(),
        ),
        trigger_immediately=True,
    )
    try:
        started = await _first_run(schedule)
        report = await shop.env.client.get_workflow_handle(started).result()
    finally:
        await schedule.delete()
    assert (report["added"], report["changed"], report["removed"]) == (1, 1, 0)
    assert "6 years" in await _texts(shop, "gift-cards")
    assert "first of May" in await _texts(shop, "opening-day")
    new.unlink()
    changed.write_text(before, encoding="utf-8")
    again = await shop.refresh()
    assert (again.changed, again.removed) == (1, 1)
    assert await _texts(shop, "opening-day") == ""


async def _first_run(schedule: ScheduleHandle) -> str:
    """Return the id of the workflow that a schedule started."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            actions = (await schedule.describe()).info.recent_actions
            if actions:
                made = actions[0].action
                assert isinstance(made, ScheduleActionExecutionStartWorkflow)
                return made.workflow_id
            await asyncio.sleep(0.05)  # a schedule gives no event to wait for
