"""Timeouts of tool activities."""

from __future__ import annotations

from datetime import timedelta

from interlock.tools.contract import Effect, ToolContract
from interlock.tools.queues import activity_timeout


def contract(**fields: object) -> ToolContract:
    """Return the contract of a refund."""
    given = {
        "name": "refund",
        "description": "Refund.",
        "effect": Effect.EXTERNAL,
        "parameters": {},
    }
    return ToolContract.model_validate(given | fields)


def test_an_attempt_has_time_to_ask_what_happened() -> None:
    """A tool that reconciles may ask before and after its call."""
    assert activity_timeout(contract(timeout_seconds=4)) == timedelta(seconds=14)
    assert activity_timeout(contract(timeout_seconds=4, reconciles=True)) == timedelta(seconds=22)
