"""Audit events and the effect ledger: what happened, and which effects may still be made.

Only the contract is exported here, so that a workflow can import the room. The stores are in
`store`, `ledger` and `payloads`, on top of `database`; Temporal's side is in `activities` and
`external_storage`.
"""

from __future__ import annotations

from interlock.audit.contract import (
    AuditBatch,
    AuditEvent,
    AuditStore,
    Claim,
    ClaimResult,
    EventFilter,
    EventKind,
    Ledger,
    LedgerRow,
    LedgerState,
    ModelUsage,
)

__all__ = [
    "AuditBatch",
    "AuditEvent",
    "AuditStore",
    "Claim",
    "ClaimResult",
    "EventFilter",
    "EventKind",
    "Ledger",
    "LedgerRow",
    "LedgerState",
    "ModelUsage",
]
