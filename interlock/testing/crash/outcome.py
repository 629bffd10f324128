"""What a trial left."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from interlock.testing.killing import CallPoint


class Outcome(BaseModel):
    """What a run left: in the third parties, the ledger, the audit, its history and its result."""

    point: str
    workflow_id: str
    struck: bool
    """Whether the moment of the point came."""
    killed: bool
    """Whether a worker was killed at it."""
    late: list[str] = []
    """Ledger rows that a late attempt changed."""
    result: dict[str, Any]
    effects: list[str] = []
    """What the third parties did."""
    requests: list[str]
    """Ids of the requests that the history tells of."""
    asked: list[str]
    """Kind, tool and arguments' digest of each request."""
    decisions: list[tuple[str, str]]
    """Kind of the request and verb of each decision."""
    refused_decisions: list[str] = []
    """Decisions that were answered with a refusal."""
    undecided: list[str] = []
    """Requests that were gone before anybody decided."""
    ledger: list[tuple[str, str, str | None]]
    """Tool, state and consumed request of each effect."""
    reusable: list[str]
    """Requests whose decision another effect could still have consumed."""
    audit: dict[str, int]
    """Number of audit events of each kind, name and outcome."""
    calls: dict[str, int]
    """How often the implementation of each tool was begun."""
    places: list[tuple[str, CallPoint]]
    """Tool and point of each point of a call that was reached, in order."""
    history: list[str]
    """Type of each of the run's events."""
    steps: int
    """Supersteps of its graph."""
    transcript: list[dict[str, Any]]
    """Messages of its final state."""
    replays: str = ""
    """Why the history does not replay; empty when it does."""
    seconds: float


__all__ = ["Outcome"]
