"""Rules: the first that matches wins, and what nobody can tell is asked about."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.approvals import Ask, Policy, TotalsPolicy, Verdict
from interlock.approvals.rule_policy import RulePolicy
from interlock.tools import Effect, Risk, tool
from interlock.tools.contract import Tier
from tests.unit.approvals.rules import facts, loaded, look_up, paying, refund

RULES = """\
totals:
  today: {tool: refund, sum: args.amount, per: subject, window: 24h}
tiers:
  lead: {who: [lead, "user:ann"], quorum: 2, deadline: 8h, remind_every: 1h, escalate_to: board}
  board: {who: board, deadline: 2d, escalate_to: owner}
  owner: {who: "user:olga"}
rules:
  - {name: reads, effect: [PURE, READ], then: allow}
  - {name: banned, tool: ref*, subject: [s-1, x-*], then: {deny: This one is barred.}}
  - {name: large, tool: refund, when: args.amount > 100, then: {ask: {deadline: 4h, tier: lead}}}
  - {name: capped, tool: refund, when: totals.today + args.amount > 150.0, then: ask}
  - {name: risky, risk: high, then: {deny: Too risky.}}
  - {name: shop, tool: refund, agent: desk, tenant: "shop-?", then: allow}
"""


@pytest.fixture
def policy(tmp_path: Path) -> RulePolicy:
    """The policy of RULES."""
    return loaded(tmp_path, RULES)


def judged(policy: Policy, amount: Any, risk: Risk = Risk.MEDIUM, **more: Any) -> Verdict:
    """Judge a refund."""
    today = {"today": Decimal(more.pop("today", 0))}
    return policy.judge(refund.contract, paying(amount), risk, facts(today, **more))


@pytest.mark.parametrize(
    ("amount", "more", "outcome", "rule"),
    [
        (100, {"tenant": "shop-1"}, "allow", "shop"),
        ("100.01", {"tenant": "shop-1"}, "ask", "large"),
        (101, {"tenant": "shop-1", "subject": "s-1"}, "deny", "banned"),
        (1, {"tenant": "shop-1", "subject": "x-9"}, "deny", "banned"),
        (1, {"tenant": "shop-12"}, "ask", None),
        (1, {"tenant": "shop-1", "agent": "other"}, "ask", None),
        (1, {"tenant": "shop-1", "risk": Risk.HIGH}, "deny", "risky"),
        (50, {"tenant": "shop-1", "today": "100"}, "allow", "shop"),
        ("50.01", {"tenant": "shop-1", "today": "100"}, "ask", "capped"),
    ],
)
def test_the_first_rule_that_matches_wins(
    policy: RulePolicy, amount: Any, more: dict[str, Any], outcome: str, rule: str | None
) -> None:
    """Tool, risk, agent, tenant, subject, arguments and totals are matched; without a match it asks."""
    found = judged(policy, amount, **more)
    assert (found.outcome, found.rule and found.rule.name) == (outcome, rule)


def test_a_verdict_says_rule_line_and_terms(policy: RulePolicy) -> None:
    """The reason names them too, and a verdict survives its JSON form."""
    found = judged(policy, 101)
    assert found.rule is not None
    assert (found.rule.name, found.rule.line) == ("large", 10)
    assert found.ask is not None
    assert found.ask.model_dump(mode="json", exclude_defaults=True) == {
        "tier": "lead",
        "who": ["lead", "user:ann"],
        "quorum": 2,
        "deadline": "4h",
        "remind_every": "1h",
        "escalation": [
            {"tier": "board", "who": ["board"], "deadline": "2d"},
            {"tier": "owner", "who": ["user:olga"]},
        ],
    }
    assert found.reason == (
        "refund is EXTERNAL and of medium risk; rule 'large' in policy.yaml:10 "
        "(args.amount > 100): ask."
    )
    assert found.policy == policy.version
    assert Verdict.model_validate_json(found.model_dump_json()) == found
    assert judged(policy, 1, subject="s-1").reason == (
        "This one is barred. [rule 'banned' in policy.yaml:9]"
    )
    assert judged(policy, 1, tenant="none").reason == (
        "refund: no rule of policy.yaml matches, so a person is asked."
    )


def test_what_a_rule_says_of_a_tier_goes_before_what_the_tier_says(tmp_path: Path) -> None:
    """Also whom it escalates to; a rule without a tier has terms of its own."""
    tiers = "tiers:\n  a: {who: x, quorum: 3, escalate_to: b}\n  b: {quorum: 2}\n  c: {who: z}\n"
    rule = "{who: y, quorum: 1, escalate_to: c, on_timeout: allow}"
    text = f"{tiers}rules:\n  - {{name: r, then: {{ask: {rule.replace('{', '{tier: a, ')}}}}}\n"
    found = judged(loaded(tmp_path, text), 1).ask
    later = (Tier(tier="c", who=("z",)),)
    assert found == Ask(tier="a", who=("y",), on_timeout="allow", escalation=later)
    text = f"{tiers}rules:\n  - {{name: r, then: {{ask: {rule}}}}}\n"
    assert judged(loaded(tmp_path, text), 1).ask == Ask(
        who=("y",), on_timeout="allow", escalation=later
    )


def test_only_totals_that_a_rule_on_the_tool_reads_are_asked_for(policy: RulePolicy) -> None:
    """Reading tools need none."""
    assert isinstance(policy, TotalsPolicy)
    assert set(policy.totals(refund.contract)) == {"today"}
    assert policy.totals(look_up.contract) == {}


def test_a_total_that_nobody_knows_is_asked_about(policy: RulePolicy) -> None:
    """A condition without an answer never lets a later rule allow the call."""
    found = policy.judge(refund.contract, paying(1), Risk.LOW, facts(tenant="shop-1"))
    assert found.outcome == "ask"
    assert found.rule is not None
    assert found.rule.name == "capped"
    assert "has no answer for this call" in found.reason


def test_arguments_that_a_condition_cannot_read_are_asked_about(policy: RulePolicy) -> None:
    """A number that is none is not below the limit."""
    for amount in ("NaN", "Infinity", None, True, [1]):
        arguments = {**paying(1), "amount": amount}
        found = policy.judge(refund.contract, arguments, Risk.LOW, facts(tenant="shop-1"))
        assert (found.outcome, found.rule and found.rule.name) == ("ask", "large")


def test_without_facts_only_what_is_always_allowed_is(policy: RulePolicy) -> None:
    """What depends on the caller, the arguments or a total is not."""
    assert policy.judge(look_up.contract, {}, Risk.LOW).outcome == "allow"
    found = policy.judge(refund.contract, {}, Risk.LOW)
    assert found.outcome == "ask"
    assert "depends on whom the call is for" in found.reason


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("args.amount > 100", "ask"),
        ("!(args.amount > 100)", "ask"),
        ("context.tenant == 'default'", "ask"),
        ("context.tenant != 'default'", "ask"),
        ("risk == 'low'", "allow"),
        ("args.amount > 100 || true", "allow"),
    ],
)
def test_without_facts_a_condition_has_to_hold_for_every_call(
    tmp_path: Path, condition: str, outcome: str
) -> None:
    """Nothing is taken for an argument that is not there."""
    text = f'rules: [{{name: a, tool: refund, when: "{condition}", then: allow}}]'
    assert loaded(tmp_path, text).judge(refund.contract, {}, Risk.LOW).outcome == outcome


def test_a_tool_that_the_policy_was_not_checked_against_is_asked_about(policy: RulePolicy) -> None:
    """No condition was compiled for it, so none is skipped."""

    @tool(effect=Effect.READ)
    async def other() -> str:
        """Read something else."""
        return ""

    found = policy.judge(other.contract, {}, Risk.LOW, facts())
    assert found.outcome == "ask"
    assert "was not checked against 'other'" in found.reason


ORDER = [
    "{name: a, tool: refund, when: args.amount > 10, then: ask}",
    "{name: b, tool: look_up, then: allow}",
    "{name: c, risk: [low, high], then: {deny: No.}}",
    "{name: d, then: {ask: {deadline: 2h}}}",
]
OTHERWISE = [
    "\n  - then: ask  # first\n    when: >\n      args.amount   >   10 // ten\n    tool: ['refund']\n    name: \"a\"",
    "\n  - then: {allow: true}\n    tool: [look_up, look_up]\n    name: b",
    "\n  - {name: 'c', risk: [high, low, low], then: {deny: 'No.'}}",
    "\n  - {name: d, tool: '*', then: {ask: {deadline: 120m, on_timeout: deny}}}",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(range(4)), other=st.permutations(range(4)))
def test_order_counts_and_formatting_does_not(
    tmp_path: Path, order: list[int], other: list[int]
) -> None:
    """Equal rules in equal order have equal versions, however they are written; others do not."""
    plain = loaded(tmp_path, "rules: [" + ", ".join(ORDER[i] for i in order) + "]")
    written = loaded(tmp_path, "rules:" + "".join(OTHERWISE[i] for i in other))
    assert (plain.version == written.version) == (order == other)
    assert len(plain.version) == 12


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("when: args.reason == 'a b'", "when: args.reason == 'a  b'"),
        ("when: args.amount > 10", "when: args.amount > 11"),
        ("tool: refund", "tool: refund*"),
        ("risk: low", "risk: high"),
        ("tenant: a", "subject: a"),
    ],
)
def test_other_rules_have_another_version(tmp_path: Path, one: str, other: str) -> None:
    """Whatever can change a verdict changes the version."""
    texts = [
        f"rules:\n  - name: a\n    then: ask\n    tool: refund\n    {item}\n".replace(
            "    tool: refund\n    tool", "    tool"
        )
        for item in (one, other)
    ]
    assert len({loaded(tmp_path, text).version for text in texts}) == 2


def test_a_plain_ask_has_no_terms(tmp_path: Path) -> None:
    """So that the deployment's own hold."""
    text = "rules: [{name: a, then: {ask: {on_timeout: deny}}}]"
    assert loaded(tmp_path, text).judge(refund.contract, paying(1), Risk.LOW, facts()).ask is None
    assert Ask().deadline is None
