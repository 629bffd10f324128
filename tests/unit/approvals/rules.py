"""A policy file for the tests of this folder, and the tools that it is checked against."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from interlock.approvals import Facts
from interlock.approvals.rule_policy import RulePolicy, load_rules
from interlock.context import CallContext
from interlock.tools import Effect, Risk, Tool, tool


@tool(effect=Effect.EXTERNAL, risk=Risk.MEDIUM)
async def refund(order: str, amount: Decimal, reason: str = "", priority: int = 1) -> str:
    """Pay back."""
    raise AssertionError("nothing is called to judge")


@tool(effect=Effect.READ)
async def look_up(order: str) -> str:
    """Read an order."""
    raise AssertionError("nothing is called to judge")


TOOLS: dict[str, Tool] = {item.name: item for item in (refund, look_up)}


def loaded(folder: Path, text: str, tools: dict[str, Tool] = TOOLS) -> RulePolicy:
    """Return the policy of a text."""
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path, [item.contract for item in tools.values()])


def facts(totals: dict[str, Decimal] | None = None, **context: Any) -> Facts:
    """Return what is known of a call."""
    return Facts(context=CallContext(**{"agent": "desk", **context}), totals=totals or {})


def paying(amount: Any, **more: Any) -> dict[str, Any]:
    """Return canonical arguments of a refund."""
    return refund.validate_arguments({"order": "A-1", "amount": amount, **more})
