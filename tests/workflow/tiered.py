"""A policy whose terms are a combination of tiers, quorum, deadline, default and reminders."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from interlock.approvals import Ask, Facts, Verdict
from interlock.canonical import digest
from interlock.tools import Risk, ToolContract
from interlock.tools.contract import Tier


class Terms(NamedTuple):
    """One combination; spans in seconds. Each tier has twice the deadline of the one before."""

    tiers: int
    quorum: int
    deadline: int
    default: Literal["deny", "allow"]
    reminder: int


GRID: list[Terms] = list(
    itertools.starmap(
        Terms, itertools.product((1, 2, 3), (1, 2, 3), (90, 5400), ("deny", "allow"), (0, 40, 1800))
    )
)


QUICK = [
    Terms(2, 2, 6, "allow", 0),
    Terms(2, 2, 6, "deny", 0),
    Terms(1, 1, 18, "deny", 16),
]
"""For a server that lives by a real clock. Their numbers follow those of the grid."""


class Tiered:
    """Asks on the terms of the combination that the amount is the number of."""

    version = digest({"policy": "tiered"})[:12]

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Ask."""
        ask = _ask([*GRID, *QUICK][arguments.get("amount", 0)])
        return Verdict(outcome="ask", reason="It is.", risk=risk, policy=self.version, ask=ask)


def _ask(terms: Terms) -> Ask:
    first, *others = (
        Tier(
            tier=f"t{place}",
            who=(f"r{place}",),
            quorum=terms.quorum,
            deadline=timedelta(seconds=terms.deadline * 2**place),
            remind_every=timedelta(seconds=terms.reminder) if terms.reminder else None,
        )
        for place in range(terms.tiers)
    )
    return Ask(**first.model_dump(), on_timeout=terms.default, escalation=tuple(others))


tiered = Tiered()
