"""Queues and timeouts of tool activities."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.tools.contract import Effect, Throttle, ToolContract
from interlock.tools.queues import activity_timeout, queue_of


def contract(**fields: object) -> ToolContract:
    """Return the contract of a refund."""
    given = {
        "name": "refund",
        "description": "Refund.",
        "effect": Effect.EXTERNAL,
        "parameters": {},
    }
    return ToolContract.model_validate(given | fields)


@pytest.mark.parametrize(
    ("throttle", "prefix", "queue"),
    [
        (None, "", "tools"),
        (None, "blue-", "blue-tools"),
        (Throttle(per_second=1), "", "tool.refund"),
        (Throttle(per_second=1), "blue-", "blue-tool.refund"),
    ],
)
def test_a_throttled_tool_has_a_queue_of_its_own(
    throttle: Throttle | None, prefix: str, queue: str
) -> None:
    """The server limits a queue, so a rate belongs to a queue; a deployment's prefix goes first."""
    assert queue_of(contract(throttle=throttle), prefix) == queue


def test_an_attempt_has_time_to_ask_what_happened() -> None:
    """A tool that reconciles may ask before and after its call."""
    assert activity_timeout(contract(timeout_seconds=4)) == timedelta(seconds=14)
    assert activity_timeout(contract(timeout_seconds=4, reconciles=True)) == timedelta(seconds=22)
