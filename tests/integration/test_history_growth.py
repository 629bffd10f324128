"""A model call costs as much history late in a conversation as early (architecture, section 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from bench.conversation import (
    MESSAGE_BYTES,
    WINDOW,
    bytes_per_model_call,
    hold_conversation,
)
from bench.deployment import DESK, TALKER
from interlock.agents import Agent
from tests.proofs import write_proof

TOLERANCE = 0.1


def assert_flat(sizes: dict[int, float], early: int, late: int) -> None:
    """Both messages of a turn are in its history, and a late turn costs what an early one did."""
    assert sizes[early] > 2 * MESSAGE_BYTES
    assert abs(sizes[late] / sizes[early] - 1) <= TOLERANCE, sizes


@pytest.mark.parametrize(
    ("talker", "early", "late"), [(TALKER, 50, 120), (DESK, 20, 60)], ids=["plain", "subgraph"]
)
async def test_history_of_a_model_call_stays_small(
    server: Client, tmp_path: Path, talker: Agent, early: int, late: int
) -> None:
    """A late turn of a conversation of 2 KB messages adds as many bytes as an early one."""
    sizes = await bytes_per_model_call(server, tmp_path, (early, late), talker)
    assert_flat(sizes, early, late)


async def test_what_is_carried_grows_with_the_conversation_and_not_faster(
    server: Client, tmp_path: Path
) -> None:
    """With a subgraph too, a new run begins with as many bytes for each turn so far late as early."""
    held = await hold_conversation(server, tmp_path, DESK, 60, history_events=150)
    per_turn = [turn.carried / number for number, turn in enumerate(held, 1) if turn.carried]
    assert len(per_turn) >= 3
    assert abs(per_turn[-1] / per_turn[0] - 1) <= TOLERANCE, per_turn


@pytest.mark.proof
@pytest.mark.timeout(1800)
async def test_history_of_a_model_call_stays_small_for_long(server: Client, tmp_path: Path) -> None:
    """Turn 300 adds as many bytes as turn 50, within 10 %, over a continue-as-new."""
    turns = (10, 50, 150, 300)
    for name in ("plain", "subgraph"):
        (tmp_path / name).mkdir()
    sizes = await bytes_per_model_call(server, tmp_path / "plain", turns)
    nested = await bytes_per_model_call(server, tmp_path / "subgraph", turns, DESK)
    for found in (sizes, nested):
        assert_flat(found, 50, 300)
    write_proof(
        "history",
        {
            "message_bytes": MESSAGE_BYTES,
            "mean_over_turns": WINDOW,
            "history_bytes_per_model_call": {str(turn): size for turn, size in sizes.items()},
            "turn_300_vs_50": round(sizes[300] / sizes[50], 4),
            "with_a_subgraph": {str(turn): size for turn, size in nested.items()},
        },
        seeds=[],
    )
