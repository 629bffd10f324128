"""What may be done without asking: a policy gives one verdict on one action. Pure."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from interlock.approvals.rules import Total
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.tools.contract import Risk, Span, ToolContract, Verdict

Answer = Literal["allow", "ask", "deny"]


class Facts(BaseModel):
    """What is known of one call beside its arguments."""

    model_config = ConfigDict(frozen=True)

    context: CallContext
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Running totals before this call, by name. A total that nobody could compute is left out."""
    spans: tuple[Span, ...] | None = None
    """Where text from outside reached the arguments; None: the run does not keep such text, as no
    policy judged by it when the run was opened. Then a verdict must not rest on its absence."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Labels of the text that reached the arguments, sorted; None: nobody knows."""
        if self.spans is None:
            return None
        return tuple(sorted({span.label for span in self.spans}))


@runtime_checkable
class Policy(Protocol):
    """Judges actions. Equal versions give equal verdicts."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the policy's digest."""
        ...

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Return the verdict on calling a tool with canonical arguments.

        Args:
            contract: The tool.
            arguments: Its arguments.
            risk: The risk of this call.
            facts: Whom the call is for, and more. None with empty arguments asks about every call of
                the tool: `allow` then means that each of them is allowed.
        """
        ...


@runtime_checkable
class TotalsPolicy(Policy, Protocol):
    """A policy whose verdicts depend on running totals."""

    def totals(self, contract: ToolContract) -> dict[str, Total]:
        """Return the totals that a verdict on a tool may need, by name."""
        ...


@runtime_checkable
class LabelsPolicy(Policy, Protocol):
    """A policy whose verdicts depend on text from outside that reached the arguments."""

    def reads_labels(self, contract: ToolContract) -> bool:
        """Whether a verdict on a tool may depend on it."""
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

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
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
