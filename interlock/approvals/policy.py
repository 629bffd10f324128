"""What may be done without asking: a policy gives one verdict on one action. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from interlock.canonical import digest
from interlock.tools.contract import Risk, ToolContract, Verdict

Answer = Literal["allow", "ask", "deny"]


class Policy(Protocol):
    """Judges actions. Equal versions give equal verdicts."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the policy's digest."""
        ...

    def judge(self, contract: ToolContract, arguments: dict[str, Any], risk: Risk) -> Verdict:
        """Return the verdict on calling a tool with canonical arguments."""
        ...


class RiskPolicy(BaseModel):
    """The default policy: what each risk of an effect leads to.

    A tool that changes nothing is allowed whatever its risk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: Answer
    medium: Answer
    high: Answer

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the policy's digest."""
        return digest({"policy": "risk", **self.model_dump()})[:12]

    def judge(self, contract: ToolContract, arguments: dict[str, Any], risk: Risk) -> Verdict:
        """Return the verdict; its reason names the tool, its risk and the setting that decided."""
        name, effect = contract.name, contract.effect
        if not effect.changes_world:
            reason = f"{name} is {effect}: it changes nothing."
            return Verdict(outcome="allow", reason=reason, risk=risk, policy=self.version)
        answers: dict[Risk, Answer] = {
            Risk.LOW: self.low,
            Risk.MEDIUM: self.medium,
            Risk.HIGH: self.high,
        }
        answer = answers[risk]
        reason = (
            f"{name} is {effect} and of {risk} risk; interlock.toml: approvals.{risk} = {answer}."
        )
        return Verdict(outcome=answer, reason=reason, risk=risk, policy=self.version)
