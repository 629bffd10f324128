"""A table of cases for a policy: actions, and what each of them should lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.approvals.documents import Document, Mistake, allowed
from interlock.approvals.judge import asked
from interlock.approvals.policy import Facts, Policy, TotalsPolicy
from interlock.context import CallContext
from interlock.errors import BadArguments
from interlock.tools.contract import Verdict
from interlock.tools.definition import Tool


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Case(_Data):
    """One action, and the verdict that is expected on it."""

    name: str = Field(min_length=1)
    tool: str
    args: dict[str, Any]
    agent: str = "agent"
    tenant: str = "default"
    subject: str = ""
    labels: tuple[str, ...] = ()
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Running totals before the call; those that are left out are 0."""
    expect: Literal["allow", "ask", "deny"]
    rule: str | None = None
    """The rule that should match; not compared when it is left out."""


class Cases(_Data):
    """A file of cases."""

    cases: tuple[Case, ...]


class CaseResult(_Data):
    """What became of one case."""

    name: str
    line: int
    passed: bool
    expected: str
    expected_rule: str | None
    verdict: Verdict


def verdict_on(
    policy: Policy,
    tool: Tool,
    arguments: Any,
    context: CallContext,
    totals: Mapping[str, Decimal] | None = None,
    labels: tuple[str, ...] = (),
) -> Verdict:
    """Return the verdict on an action that nobody makes; totals that are not given are 0.

    Raises:
        BadArguments: the arguments do not fit the tool.
        ConfigError: the tool's risk rule failed, or the policy gave no verdict that holds.
    """
    canonical = tool.validate_arguments(arguments)
    known = policy.totals(tool.contract) if isinstance(policy, TotalsPolicy) else {}
    facts = Facts(
        context=context,
        totals={**dict.fromkeys(known, Decimal(0)), **(totals or {})},
        labels=labels,
    )
    risk = tool.risk_of(canonical)
    found = asked(policy, tool.contract, canonical, risk, facts)
    return found.model_copy(update={"arguments": canonical})


def run_cases(policy: Policy, tools: Mapping[str, Tool], document: Document) -> list[CaseResult]:
    """Judge every case of a file.

    Raises:
        ConfigError: the file has mistakes: all of them are named, with line and column.
    """
    table = document.read_as(Cases)
    verdicts: list[Verdict] = []
    mistakes: list[Mistake] = []
    if not table.cases:
        mistakes.append(Mistake(document.place(("cases",)), "there are no cases. Write some."))
    for index, case in enumerate(table.cases):
        loc = ("cases", index)
        wrong = list(_mistakes(case, policy, tools))
        mistakes += [Mistake(document.place((*loc, field)), text) for field, text in wrong]
        if wrong:
            continue
        context = CallContext(agent=case.agent, tenant=case.tenant, subject=case.subject)
        tool = tools[case.tool]
        try:
            found = verdict_on(policy, tool, case.args, context, case.totals, case.labels)
        except BadArguments as error:
            mistakes.append(Mistake(document.place((*loc, "args")), error.message))
            continue
        verdicts.append(found)
    document.refuse(mistakes)
    lines = [document.place(("cases", index)).line for index in range(len(table.cases))]
    return [_result(*each) for each in zip(table.cases, verdicts, lines, strict=True)]


def _mistakes(case: Case, policy: Policy, tools: Mapping[str, Tool]) -> Iterator[tuple[str, str]]:
    if case.tool not in tools:
        yield "tool", f"no tool is named {case.tool!r}. {allowed(case.tool, tools)}"
        return
    known = policy.totals(tools[case.tool].contract) if isinstance(policy, TotalsPolicy) else {}
    for name in case.totals:
        if name not in known:
            yield (
                "totals",
                f"no rule on {case.tool!r} reads a total {name!r}. {allowed(name, known)}",
            )


def _result(case: Case, verdict: Verdict, line: int) -> CaseResult:
    rule = verdict.rule.name if verdict.rule else None
    right = verdict.outcome == case.expect and (case.rule is None or case.rule == rule)
    return CaseResult(
        name=case.name,
        line=line,
        passed=right,
        expected=case.expect,
        expected_rule=case.rule,
        verdict=verdict,
    )
