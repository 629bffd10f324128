"""How much history one model call costs, as a conversation of 2 KB messages grows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import mean

from bench.conversation import MESSAGE_BYTES, WINDOW, Turn, hold_conversation
from bench.deployment import TALKER
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import server_process

SETTLED = 50
"""Turn that later ones are compared with."""


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Hold one conversation; or, to be quick, the last turns before each that is looked at."""
    turns = plan.turns
    beginnings = [0] if plan.whole_conversation else [max(0, t - WINDOW - 1) for t in turns]
    ends = turns[-1:] if plan.whole_conversation else turns
    found: dict[int, Turn] = {}
    async with server_process() as (server, _):
        for begin, end in zip(beginnings, ends, strict=True):
            tell(f"history: a conversation from turn {begin + 1} to {end}")
            with tempfile.TemporaryDirectory() as name:
                held = await hold_conversation(
                    server.client, Path(name), TALKER, end - begin, after=begin
                )
            found |= dict(enumerate(held, begin + 1))
    windows = {turn: [found[turn - place] for place in range(WINDOW)] for turn in turns}
    return {
        "message_bytes": MESSAGE_BYTES,
        "mean_over_turns": WINDOW,
        "whole_conversation": plan.whole_conversation,
        "bytes_per_model_call": {
            str(turn): round(mean(one.size for one in window), 1)
            for turn, window in windows.items()
        },
        "continued_as_new_at": [number for number, turn in found.items() if turn.carried],
        "by_turn": [[number, turn.size] for number, turn in sorted(found.items())],
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
