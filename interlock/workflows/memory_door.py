"""The memory door inside a workflow: one recorded call of the long-term store."""

from __future__ import annotations

from typing import Any

from interlock.approvals.labels import DOCUMENT, MEMORY
from interlock.errors import InterlockError
from interlock.memory.contract import (
    KNOWLEDGE,
    MemoryAnswers,
    MemoryBatch,
    MemoryItem,
    MemoryOp,
    Put,
)
from interlock.workflows import calls
from interlock.workflows.run import Run


class MemoryDoor:
    """`MemoryPort` for graph code that runs in a workflow."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def run_ops(self, ops: tuple[MemoryOp, ...]) -> MemoryAnswers:
        """Carry out store operations; see `MemoryPort`.

        Batches that only read run as local activities: they may run twice and harm nothing.
        """
        identity = self._run.recorder.identify("memory")
        return await self._run.recorder.once(
            "memory", identity, lambda: self._call(ops), keep_errors=True
        )

    async def _call(self, ops: tuple[MemoryOp, ...]) -> MemoryAnswers:
        batch = MemoryBatch(ops=ops, context=self._run.context())
        names = ", ".join(dict.fromkeys(op.op for op in ops))
        try:
            answers = await calls.memory(
                batch,
                summary=f"memory {names} [{batch.context.node}]",
                local=not any(isinstance(op, Put) for op in ops),
            )
        except InterlockError as error:
            self._run.blame(error, "memory", [op.model_dump(mode="json") for op in ops])
            raise
        for answer in answers.answers:
            self._keep(answer)
        return answers

    def _keep(self, answer: Any) -> None:
        """Take note of items: each was written at another time, or by somebody else."""
        for item in answer if isinstance(answer, list) else [answer]:
            if isinstance(item, MemoryItem):
                label = DOCUMENT if item.namespace[:1] == KNOWLEDGE else MEMORY
                self._run.keep_outside(label, "/".join((*item.namespace, item.key)), item.value)
