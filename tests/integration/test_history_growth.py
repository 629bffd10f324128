"""A model call costs as much history late in a conversation as early (architecture, section 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from bench.conversation import MESSAGE_BYTES, WINDOW, bytes_per_model_call
from tests.proofs import write_proof

TOLERANCE = 0.1


def assert_flat(sizes: dict[int, float], early: int, late: int) -> None:
    """Both messages of a turn are in its history, and a late turn costs what an early one did."""
    assert sizes[early] > 2 * MESSAGE_BYTES
    assert abs(sizes[late] / sizes[early] - 1) <= TOLERANCE, sizes


async def test_history_of_a_model_call_stays_small(server: Client, tmp_path: Path) -> None:
    """Turn 120 of a conversation of 2 KB messages adds as many bytes as turn 50, within 10 %."""
    assert_flat(await bytes_per_model_call(server, tmp_path, (50, 120)), 50, 120)


@pytest.mark.proof
@pytest.mark.timeout(1800)
async def test_history_of_a_model_call_stays_small_for_long(server: Client, tmp_path: Path) -> None:
    """Turn 300 adds as many bytes as turn 50, within 10 %, over a continue-as-new."""
    sizes = await bytes_per_model_call(server, tmp_path, (10, 50, 150, 300))
    assert_flat(sizes, 50, 300)
    write_proof(
        "history",
        {
            "message_bytes": MESSAGE_BYTES,
            "mean_over_turns": WINDOW,
            "history_bytes_per_model_call": {str(turn): size for turn, size in sizes.items()},
            "turn_300_vs_50": round(sizes[300] / sizes[50], 4),
        },
        seeds=[],
    )
