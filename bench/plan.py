"""How much is measured: the whole, a quick round, and a run that only shows that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of every part."""

    name: str
    rounds: int
    """Each round has a fresh server and a fresh process for each system; medians are reported."""
    warm_up: int
    """Runs before a round is measured, one after the other."""
    loads: dict[int, int]
    """Runs by concurrency."""
    paused: int
    """Runs that are paused at once, in the first round."""
    turns: tuple[int, ...]
    """Turns of the conversation at which its history is looked at."""
    whole_conversation: bool
    """Whether it is held from its first turn, or begins with what was said, shortly before each."""
    calls: int
    """Calls of one tool in a run, one after the other."""
    call_runs: int
    """Runs of each kind of call."""
    kills: int
    """Workers that are killed."""
    killed_runs: int
    """Runs in each state when a worker is killed."""
    decisions: int
    """Decisions, one after the other, whose way to the effect is timed."""
    herd: int
    """Runs that wait for a decision at the same time, and are then decided."""
    throttled: int
    """Calls of a throttled tool."""
    workers: tuple[int, ...]
    """Numbers of workers that share the throttle, falling."""
    side_by_side: bool = False
    """Everything at the same time, which is fast and measures nothing."""


FULL = Plan(
    name="full",
    rounds=4,
    warm_up=20,
    loads={1: 30, 10: 150, 50: 250},
    paused=1000,
    turns=(10, 50, 200, 1000),
    whole_conversation=True,
    calls=20,
    call_runs=20,
    kills=8,
    killed_runs=5,
    decisions=100,
    herd=10_000,
    throttled=300,
    workers=(4, 2, 1),
)
QUICK = Plan(
    name="quick",
    rounds=1,
    warm_up=5,
    loads={1: 10, 10: 30, 50: 75},
    paused=100,
    turns=(10, 50, 200, 1000),
    whole_conversation=False,
    calls=20,
    call_runs=5,
    kills=1,
    killed_runs=5,
    decisions=20,
    herd=300,
    throttled=60,
    workers=(4, 2, 1),
)
SMOKE = Plan(
    name="smoke",
    rounds=1,
    warm_up=1,
    loads={1: 1, 10: 1, 50: 2},
    paused=2,
    turns=(10, 14),
    whole_conversation=False,
    calls=2,
    call_runs=1,
    kills=1,
    killed_runs=1,
    decisions=2,
    herd=3,
    throttled=16,
    workers=(2, 1),
    side_by_side=True,
)
"""Only shows that the benchmark works."""
