"""Long-term memory: what crosses its door. Agents use `interlock.agents.Store`.

`interlock.memory.chroma`, `embedders`, `knowledge` and `activities` do the I/O and are imported by
the composition root only.
"""

from interlock.memory.contract import (
    MEMORY_PORT,
    Embedder,
    Get,
    KnowledgeBatch,
    KnowledgePlan,
    KnowledgePlanRequest,
    KnowledgeReport,
    KnowledgeStep,
    ListNamespaces,
    MemoryAnswers,
    MemoryBatch,
    MemoryItem,
    MemoryOp,
    MemoryPort,
    Namespace,
    Provenance,
    Put,
    Search,
)

__all__ = [
    "MEMORY_PORT",
    "Embedder",
    "Get",
    "KnowledgeBatch",
    "KnowledgePlan",
    "KnowledgePlanRequest",
    "KnowledgeReport",
    "KnowledgeStep",
    "ListNamespaces",
    "MemoryAnswers",
    "MemoryBatch",
    "MemoryItem",
    "MemoryOp",
    "MemoryPort",
    "Namespace",
    "Provenance",
    "Put",
    "Search",
]
