"""The default policy: verdicts by effect and risk, with reasons a reviewer understands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import interlock.approvals
from interlock.approvals import Policy, RiskPolicy
from interlock.tools import Effect, Risk, ToolContract

answers = st.sampled_from(["allow", "ask", "deny"])
policies = st.builds(RiskPolicy, low=answers, medium=answers, high=answers)


def contract(effect: Effect = Effect.EXTERNAL) -> ToolContract:
    """Return the contract of a refund."""
    return ToolContract(name="refund", description="Refund.", effect=effect, parameters={})


@given(policies, st.sampled_from(Risk), st.sampled_from([Effect.EXTERNAL, Effect.IDEMPOTENT]))
def test_an_effect_is_judged_by_its_risk(policy: RiskPolicy, risk: Risk, effect: Effect) -> None:
    """The verdict is the setting of the risk, with the policy's version."""
    verdict = policy.judge(contract(effect), {}, risk)
    assert verdict.outcome == getattr(policy, risk.value)
    assert (verdict.risk, verdict.policy) == (risk, policy.version)


@given(policies, st.sampled_from(Risk), st.sampled_from([Effect.PURE, Effect.READ]))
def test_what_changes_nothing_is_allowed(policy: RiskPolicy, risk: Risk, effect: Effect) -> None:
    """No policy stops a tool that only reads, and its risk is told all the same."""
    verdict = policy.judge(contract(effect), {}, risk)
    assert verdict.outcome == "allow"
    assert verdict.risk is risk
    assert verdict.reason == f"refund is {effect}: it changes nothing."


def test_the_reason_names_the_setting_that_decided() -> None:
    """A reviewer reads why they were asked, an operator what to change."""
    policy = RiskPolicy(low="allow", medium="ask", high="deny")
    reason = policy.judge(contract(), {}, Risk.HIGH).reason
    assert reason == "refund is EXTERNAL and of high risk; interlock.toml: approvals.high = deny."


@given(policies, policies)
def test_the_version_is_that_of_the_rules(one: RiskPolicy, other: RiskPolicy) -> None:
    """Equal rules have one version of 12 hex digits, and any change another."""
    assert (one.version == other.version) is (one == other)
    assert len(one.version) == 12
    assert int(one.version, 16) >= 0


def test_the_version_is_stable() -> None:
    """Decisions and releases are bound to it: it must not change with the code."""
    assert RiskPolicy(low="allow", medium="ask", high="ask").version == "3510f6a1ea33"


def test_a_risk_policy_is_a_policy() -> None:
    """It serves wherever a policy is asked for."""
    policy: Policy = RiskPolicy(low="allow", medium="ask", high="ask")
    assert policy.version


def test_the_facade_is_frozen() -> None:
    """The room's public names are these, in order."""
    assert interlock.approvals.__all__ == [
        "ApprovalRequest",
        "Ask",
        "Decision",
        "DecisionAnswer",
        "Facts",
        "JudgeRequest",
        "LabelsPolicy",
        "MatchedRule",
        "Person",
        "Policy",
        "RiskPolicy",
        "Role",
        "Span",
        "Tier",
        "Total",
        "TotalsPolicy",
        "Verdict",
    ]


def test_another_answer_is_refused() -> None:
    """Only allow, ask and deny are verdicts."""
    with pytest.raises(ValueError, match="'allow', 'ask' or 'deny'"):
        RiskPolicy(low="maybe", medium="ask", high="ask")  # type: ignore[arg-type]
