"""Knowledge: folders of documents in the store, written again only where they changed.

`plan` compares a folder with the store, `apply` carries out some of the plan's steps. Both are
repeatable, so a durable workflow runs them as activities; `sync_knowledge` runs them in a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.memory.contract import (
    KNOWLEDGE,
    KnowledgePlan,
    KnowledgeReport,
    KnowledgeStep,
    MemoryAnswers,
    MemoryItem,
    MemoryOp,
    Put,
    Search,
)
from interlock.memory.documents import chunks_of, read_file, read_folder

BATCH_STEPS = 20
"""Documents in one call of `apply`, where nobody says otherwise."""

_EMBEDDED = ("heading", "text")
"""Found to serve questions better than the text alone, and than the whole value."""
_ALL = 1_000_000


class Memory(Protocol):
    """What knowledge needs of the long-term memory."""

    async def run_ops_for(self, ops: Sequence[MemoryOp], context: CallContext) -> MemoryAnswers:
        """Carry out a batch for the tenant of `context`."""
        ...


async def sync_knowledge(
    memory: Memory, folder: Path, context: CallContext, *, name: str = ""
) -> KnowledgeReport:
    """Make the store hold the documents of `folder`, and no others of that name.

    Args:
        memory: The open long-term memory.
        folder: Folder of Markdown files.
        context: Tenant whose knowledge it is, and the author of what is written.
        name: Start of the documents' sources; the folder's own name when empty.

    Raises:
        ConfigError: the folder or a document in it is wrong.
    """
    name = name or folder.name
    todo = await plan(memory, folder, context, name=name)
    report = KnowledgeReport(unchanged=todo.unchanged)
    for start in range(0, len(todo.steps), BATCH_STEPS):
        steps = todo.steps[start : start + BATCH_STEPS]
        report = report.plus(await apply(memory, folder, steps, context, name=name))
    return report


async def plan(memory: Memory, folder: Path, context: CallContext, *, name: str) -> KnowledgePlan:
    """Compare a folder with what is stored of it, and return the steps that are left to do.

    Raises:
        ConfigError: the folder or a document in it is wrong, or an id belongs to another folder.
    """
    stored = _by_document(await _stored(memory, context))
    steps: list[KnowledgeStep] = []
    unchanged = 0
    documents = await asyncio.to_thread(read_folder, folder)
    for document in documents:
        source = _source(name, document.path)
        old = stored.get(document.id, {})
        _refuse_foreign(old, document.id, source, name)
        new = {chunk.key: chunk.value["hash"] for chunk in chunks_of(document, source)}
        if new == {key: value["hash"] for key, value in old.items()}:
            unchanged += 1
            continue
        change: Literal["added", "changed"] = "changed" if old else "added"
        steps.append(KnowledgeStep(change=change, document=document.id, path=document.path))
    present = {document.id for document in documents}
    steps += [
        KnowledgeStep(change="removed", document=document)
        for document, chunks in sorted(stored.items())
        if document not in present and _is_of(chunks, name)
    ]
    return KnowledgePlan(steps=tuple(steps), unchanged=unchanged)


async def apply(
    memory: Memory,
    folder: Path,
    steps: Sequence[KnowledgeStep],
    context: CallContext,
    *,
    name: str,
) -> KnowledgeReport:
    """Carry out steps of a plan; chunks that are already as they should be are left alone.

    Args:
        memory: The open long-term memory.
        folder: The folder that the plan was made for.
        steps: Some of its steps.
        context: Tenant and author.
        name: The name that the plan was made with.

    Raises:
        ConfigError: a document cannot be read any more.
    """
    report = KnowledgeReport()
    for step in steps:
        puts = await _puts(memory, folder, step, context, name)
        if puts:
            await memory.run_ops_for(puts, context)
        written = sum(put.value is not None for put in puts)
        report = report.plus(KnowledgeReport.model_validate({step.change: 1, "chunks": written}))
    return report


async def _puts(
    memory: Memory, folder: Path, step: KnowledgeStep, context: CallContext, name: str
) -> list[Put]:
    """Return what makes the store hold one document as it is now."""
    stored = await _stored(memory, context, document=step.document)
    old = {item.key: item.value["hash"] for item in stored}
    chunks = []
    if step.change != "removed":
        document = await asyncio.to_thread(read_file, folder, step.path)
        chunks = chunks_of(document, _source(name, document.path))
    gone = old.keys() - {chunk.key for chunk in chunks}
    return [
        *(
            Put(namespace=KNOWLEDGE, key=chunk.key, value=chunk.value, index=_EMBEDDED)
            for chunk in chunks
            if old.get(chunk.key) != chunk.value["hash"]
        ),
        *(Put(namespace=KNOWLEDGE, key=key, value=None) for key in sorted(gone)),
    ]


async def _stored(
    memory: Memory, context: CallContext, *, document: str | None = None
) -> list[MemoryItem]:
    search = Search(
        namespace_prefix=KNOWLEDGE,
        filter=None if document is None else {"document": document},
        limit=_ALL,
    )
    found = (await memory.run_ops_for([search], context)).answers[0]
    items = found if isinstance(found, list) else []
    return [item for item in items if isinstance(item, MemoryItem)]


def _by_document(items: Sequence[MemoryItem]) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for item in items:
        found.setdefault(item.value["document"], {})[item.key] = item.value
    return found


def _source(name: str, path: str) -> str:
    return f"{name}/{path}"


def _is_of(chunks: dict[str, dict[str, Any]], name: str) -> bool:
    return any(value["source"].startswith(f"{name}/") for value in chunks.values())


def _refuse_foreign(
    chunks: dict[str, dict[str, Any]], document: str, source: str, name: str
) -> None:
    if chunks and not _is_of(chunks, name):
        other = next(iter(chunks.values()))["source"]
        raise ConfigError(
            f"{source!r} and {other!r} both have the id {document!r}. Give one of them another `id` "
            "in its front matter; if the document has moved, refresh its old folder first."
        )
