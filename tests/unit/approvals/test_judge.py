"""Judging a call: with running totals, and by a policy that is asked for its own word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock.approvals import Ask, Facts, Verdict
from interlock.approvals.judge import Judge
from interlock.audit.contract import EffectFilter
from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.tools import Risk, ToolContract
from interlock.tools.contract import Tier
from tests.unit.approvals.rules import loaded, look_up, paying, refund

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULES = """
totals:
  today: {tool: ref*, sum: args.amount, per: subject, window: 24h}
  calls: {tool: refund, per: tenant, window: 1h}
rules:
  - {name: many, tool: refund, when: totals.calls >= 3, then: {deny: Too many.}}
  - {name: dear, tool: refund, when: totals.today + args.amount > 100.0, then: ask}
  - {name: rest, then: allow}
"""


class Effects:
    """Effects that were made before."""

    def __init__(self, *made: tuple[str, Any]) -> None:
        self.effects = [(tool, {"amount": amount}) for tool, amount in made]
        self.asked: list[EffectFilter] = []

    async def made(self, where: EffectFilter) -> list[tuple[str, dict[str, Any]]]:
        """Return them, and keep what was asked."""
        self.asked.append(where)
        return self.effects


class Said:
    """A policy in Python that says one thing."""

    version = "0123456789ab"

    def __init__(self, verdict: Any = None, **fields: Any) -> None:
        self.verdict = verdict or Verdict(
            **{
                "outcome": "ask",
                "reason": "Because.",
                "risk": Risk.LOW,
                "policy": self.version,
                **fields,
            }
        )

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Say it."""
        found: Verdict = self.verdict
        return found


async def judged(policy: Any, effects: Effects | None, amount: Any = 10) -> Verdict:
    """Judge a refund."""
    context = CallContext(agent="desk", tenant="t", subject="s")
    judge = Judge(policy, effects, clock=lambda: NOW)
    return await judge.verdict(refund, paying(amount), context)


async def test_totals_add_up_what_was_made_before(tmp_path: Path) -> None:
    """To the cent, of the tools that the total is about, for whom and since when it says."""
    effects = Effects(("refund", "45.05"), ("refill", "44.95"), ("pay", "900"))
    found = await judged(loaded(tmp_path, RULES), effects)
    assert found.totals == {"calls": Decimal(1), "today": Decimal("90.00")}
    assert found.outcome == "allow"
    assert [item.model_dump() for item in effects.asked] == [
        {"tenant": "t", "subject": None, "since": NOW - timedelta(hours=1)},
        {"tenant": "t", "subject": "s", "since": NOW - timedelta(hours=24)},
    ]
    over = await judged(loaded(tmp_path, RULES), effects, "10.01")
    assert (over.outcome, over.rule and over.rule.name) == ("ask", "dear")


async def test_calls_are_counted(tmp_path: Path) -> None:
    """Without `sum`."""
    found = await judged(loaded(tmp_path, RULES), Effects(*[("refund", "0.01")] * 3))
    assert (found.outcome, found.totals["calls"]) == ("deny", 3)


async def test_tools_whose_rules_read_no_total_cost_no_query(tmp_path: Path) -> None:
    """Reading asks the database nothing."""
    effects = Effects()
    judge = Judge(loaded(tmp_path, RULES), effects, clock=lambda: NOW)
    found = await judge.verdict(look_up, {"order": "A-1"}, CallContext(agent="a"))
    assert (found.outcome, effects.asked) == ("allow", [])


@pytest.mark.parametrize("effects", [None, Effects(("refund", "lots"))])
async def test_a_total_that_cannot_be_computed_is_asked_about(
    tmp_path: Path, effects: Effects | None
) -> None:
    """It is not taken for 0."""
    found = await judged(loaded(tmp_path, RULES), effects)
    assert found.outcome == "ask"
    assert "has no answer for this call" in found.reason
    assert "today" not in found.totals


async def test_a_policy_in_python_may_set_the_terms() -> None:
    """Whom it asks, how many, for how long, who comes after them and what holds on timeout."""
    later = Tier(tier="board", quorum=2, deadline=timedelta(days=1))
    terms = Ask(
        deadline=timedelta(hours=4),
        tier="lead",
        who=("lead",),
        remind_every=timedelta(hours=1),
        on_timeout="allow",
        escalation=(later,),
    )
    assert (await judged(Said(ask=terms), None)).ask == terms


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Said("allow"), "policy 'Said' gave a str. Return an `interlock.approvals.Verdict`"),
        (Said(policy="other"), "gave a verdict of 'other'. Give its own version"),
    ],
)
async def test_a_policy_in_python_passes_the_same_checks(policy: Said, message: str) -> None:
    """A verdict that is none of its own fails the run, in words for its author."""
    with pytest.raises(ConfigError) as refused:
        await judged(policy, None)
    assert message in refused.value.message


async def test_a_policy_in_python_that_fails_is_named() -> None:
    """The run fails at once, and is not judged for ever."""

    class Broken(Said):
        def judge(self, *_: Any, **__: Any) -> Verdict:
            raise KeyError("amount")

    with pytest.raises(ConfigError, match="policy 'Broken' failed on 'refund': KeyError: 'amount'"):
        await judged(Broken(), None)
