"""Approvals: what may be done without asking (`policy`), and decisions on the rest (`desk`).

Safe in a workflow. The activity and the port for use outside a workflow are imported by name.
"""

from __future__ import annotations

from interlock.approvals.contract import (
    ApprovalRequest,
    Decision,
    DecisionAnswer,
    JudgeRequest,
)
from interlock.approvals.policy import Policy, RiskPolicy
from interlock.tools.contract import Verdict

__all__ = [
    "ApprovalRequest",
    "Decision",
    "DecisionAnswer",
    "JudgeRequest",
    "Policy",
    "RiskPolicy",
    "Verdict",
]
