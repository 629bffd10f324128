"""Long-term memory: the store that a graph sees, and what crosses its door. Safe in a workflow.

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
from interlock.memory.store import Store

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
    "Store",
]
