"""How much history one model call costs, as a conversation of 2 KB messages grows."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.conversation import MESSAGE_BYTES, TURN_EVENTS, WINDOW, hold_conversation, means
from bench.deployment import TALKER
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import server_process

SETTLED = 50
"""Turn that later ones are compared with."""


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Hold one conversation."""
    turns = plan.turns
    tell(f"a conversation of {turns[-1]} turns")
    with tempfile.TemporaryDirectory() as name:
        async with server_process() as (server, _):
            held = await hold_conversation(
                server.client, Path(name), TALKER, turns[-1], history_events=TURN_EVENTS
            )
    return {
        "message_bytes": MESSAGE_BYTES,
        "mean_over_turns": WINDOW,
        "bytes_per_model_call": {str(turn): size for turn, size in means(held, turns).items()},
        "continued_as_new_at": [place for place, turn in enumerate(held, 1) if turn.carried],
        "by_turn": [turn.size for turn in held],
    }


def tables(found: Figures) -> list[Table]:
    """Return the bytes by turn."""
    sizes = found["bytes_per_model_call"]
    rows = [["turn", *sizes], ["bytes", *(number(size) for size in sizes.values())]]
    return [Table("History of one model call as a conversation grows", rows)]


def ratios(found: Figures) -> dict[str, float]:
    """Return how a late turn compares with an early one."""
    sizes = found["bytes_per_model_call"]
    early = str(SETTLED) if str(SETTLED) in sizes else next(iter(sizes))
    last = list(sizes)[-1]
    return {f"bytes_per_model_call_{last}_vs_{early}": round(sizes[last] / sizes[early], 3)}


HISTORY_PART = Part(
    name="history",
    about="history of one model call as a conversation grows",
    measure=measure,
    tables=tables,
    ratios=ratios,
    plots=("history",),
)
