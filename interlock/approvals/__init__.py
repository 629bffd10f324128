"""Approvals: what may be done without asking (`policy`), and decisions on the rest (`desk`).

Safe in a workflow. The activity and the port for use outside a workflow are imported by name.
"""

from __future__ import annotations

from interlock.approvals.contract import ApprovalRequest, Decision, DecisionAnswer, JudgeRequest
from interlock.approvals.people import Person, Role
from interlock.approvals.policy import Facts, LabelsPolicy, Policy, RiskPolicy, TotalsPolicy
from interlock.approvals.rules import Total
from interlock.tools.contract import Ask, MatchedRule, Span, Tier, Verdict

__all__ = [
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
