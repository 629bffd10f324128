"""Knowledge in Chroma: a second run touches nothing, and each change touches only its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.memory import (
    KnowledgeBatch,
    KnowledgePlanRequest,
    KnowledgeReport,
    MemoryAnswers,
    MemoryItem,
    MemoryOp,
    Put,
    Search,
)
from interlock.memory.activities import MemoryActivities
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import Hashing
from interlock.memory.knowledge import KNOWLEDGE, sync_knowledge

CONTEXT = CallContext(agent="knowledge", tenant="shop")
DOCUMENTS = 6
CHUNKS = 21


class Watched:
    """A memory that keeps what was put."""

    def __init__(self, memory: ChromaMemory) -> None:
        self.memory = memory
        self.puts: list[Put] = []

    async def run_ops_for(self, ops: Sequence[MemoryOp], context: CallContext) -> MemoryAnswers:
        self.puts += [op for op in ops if isinstance(op, Put)]
        return await self.memory.run_ops_for(ops, context)

    def changes(self) -> dict[str, bool]:
        """Return the keys put since the last look, and whether each was written or deleted."""
        found = {put.key: put.value is not None for put in self.puts}
        self.puts.clear()
        return found

    async def chunks(self, query: str | None = None) -> list[MemoryItem]:
        """Return the stored chunks."""
        search = Search(namespace_prefix=KNOWLEDGE, query=query, limit=1000)
        (found,) = (await self.memory.run_ops_for([search], CONTEXT)).answers
        assert isinstance(found, list)
        return [item for item in found if isinstance(item, MemoryItem)]


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[Watched]:
    """Give an empty memory."""
    async with ChromaMemory(tmp_path / "chroma", Hashing()) as opened:
        yield Watched(opened)


@pytest.fixture
def folder(tmp_path: Path, documents: Path) -> Path:
    """Give a copy of the documents that the test may change."""
    return shutil.copytree(documents, tmp_path / "faq")


async def test_a_second_run_touches_nothing(memory: Watched, folder: Path) -> None:
    """The first run writes every chunk, the second none, whatever the files' dates."""
    first = await sync_knowledge(memory, folder, CONTEXT)
    assert first == KnowledgeReport(added=DOCUMENTS, chunks=CHUNKS)
    assert len(memory.changes()) == CHUNKS
    shutil.copytree(
        folder, folder, dirs_exist_ok=True, copy_function=lambda name, _: os.utime(name)
    )
    assert await sync_knowledge(memory, folder, CONTEXT) == KnowledgeReport(unchanged=DOCUMENTS)
    assert memory.changes() == {}


async def test_a_chunk_has_what_a_citation_needs(memory: Watched, folder: Path) -> None:
    """A chunk's value names its document, heading and file; the text is clean."""
    await sync_knowledge(memory, folder, CONTEXT, name="memory/faq")
    (chunk,) = [item for item in await memory.chunks() if item.key == "payment#charged-twice.1"]
    text = chunk.value.pop("text")
    assert len(chunk.value.pop("hash")) == 64
    assert chunk.value == {
        "title": "Paying",
        "heading": "Charged twice",
        "source": "memory/faq/payment.md",
        "document": "payment",
        "tags": ["money"],
    }
    assert text.startswith("A second entry on your statement")


async def test_a_change_writes_only_the_changed_section(memory: Watched, folder: Path) -> None:
    """A new section, a changed one and one that is gone are three writes and deletions."""
    await sync_knowledge(memory, folder, CONTEXT)
    memory.changes()
    path = folder / "contact.md"
    text = path.read_text().replace("nine to five", "eight to six")
    text = text.replace("## Complaints", "## Praise").replace(
        "# Talking to us\n", "# Talking to us\n\n## Post\n\nA street.\n"
    )
    path.write_text(text)
    report = await sync_knowledge(memory, folder, CONTEXT)
    assert report == KnowledgeReport(changed=1, unchanged=DOCUMENTS - 1, chunks=3)
    assert memory.changes() == {
        "contact#post.1": True,
        "contact#opening-hours.1": True,
        "contact#praise.1": True,
        "contact#complaints.1": False,
    }
    assert len(await memory.chunks()) == CHUNKS + 1


async def test_removed_and_renamed_files(memory: Watched, folder: Path) -> None:
    """A removed file's chunks go; a file that moves keeps its id and changes its source."""
    await sync_knowledge(memory, folder, CONTEXT)
    memory.changes()
    (folder / "contact.md").unlink()
    (folder / "goods").mkdir()
    (folder / "products.md").rename(folder / "goods" / "list.md")
    report = await sync_knowledge(memory, folder, CONTEXT)
    assert report == KnowledgeReport(changed=1, removed=1, unchanged=DOCUMENTS - 2, chunks=3)
    sources = {item.value["source"] for item in await memory.chunks()}
    assert "faq/goods/list.md" in sources
    assert not sources & {"faq/contact.md", "faq/products.md"}


async def test_folders_and_tenants_keep_to_themselves(
    memory: Watched, folder: Path, tmp_path: Path
) -> None:
    """A sync removes nothing of another folder or tenant, and takes no id from another folder."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "extra.md").write_text("# Extra\n\nMore.")
    await sync_knowledge(memory, folder, CONTEXT)
    await sync_knowledge(memory, other, CONTEXT)
    elsewhere = CONTEXT.model_copy(update={"tenant": "elsewhere"})
    assert (await sync_knowledge(memory, other, elsewhere)).added == 1
    assert len(await memory.chunks()) == CHUNKS + 1
    (other / "payment.md").write_text("# Mine\n\nMore.")
    with pytest.raises(ConfigError, match=r"'other/payment.md' and 'faq/payment.md'"):
        await sync_knowledge(memory, other, CONTEXT)


async def test_the_activities_do_the_same_in_steps(memory: Watched, folder: Path) -> None:
    """Plan and apply as activities end where one sync ends, also when a batch is repeated."""
    activities = MemoryActivities(memory, {"docs/faq": folder})
    env = ActivityEnvironment()
    request = KnowledgePlanRequest(folder="docs/faq", context=CONTEXT)
    plan = await env.run(activities.plan, request)
    assert (len(plan.steps), plan.unchanged) == (DOCUMENTS, 0)
    report = KnowledgeReport(unchanged=plan.unchanged)
    for start in range(0, len(plan.steps), 4):
        batch = KnowledgeBatch(
            folder="docs/faq", steps=plan.steps[start : start + 4], context=CONTEXT
        )
        report = report.plus(await env.run(activities.apply, batch))
        repeated = await env.run(activities.apply, batch)
        assert repeated.chunks == 0
    assert report == KnowledgeReport(added=DOCUMENTS, chunks=CHUNKS)
    again = await env.run(activities.plan, request)
    assert (again.steps, again.unchanged) == ((), DOCUMENTS)
    assert len(await memory.chunks()) == CHUNKS
