"""A table of cases for a policy: actions, and what each of them should lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from interlock.approvals.documents import Document, Mistake, allowed
from interlock.approvals.judge import asked
from interlock.approvals.labels import known_labels
from interlock.approvals.policy import Facts, Policy, TotalsPolicy
from interlock.context import CallContext
from interlock.errors import BadArguments
from interlock.tools.contract import Labels, Span, Verdict
from interlock.tools.definition import Tool


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _by_argument(value: Any) -> Any:
    return value if isinstance(value, dict) else {"": value}


CaseLabels = Annotated[dict[str, Labels], BeforeValidator(_by_argument)]
"""Labels by the path of an argument; under '' those that reached whichever."""


def spans_of(labels: Mapping[str, tuple[str, ...]]) -> tuple[Span, ...]:
    """Return labels by argument as what a policy is told of a call."""
    return tuple(
        Span(argument=path, label=label) for path, found in labels.items() for label in found
    )


class Case(_Data):
    """One action, and the verdict that is expected on it."""

    name: str = Field(min_length=1)
    tool: str
    args: dict[str, Any]
    agent: str = "agent"
    tenant: str = "default"
    subject: str = ""
    labels: CaseLabels = Field(default_factory=dict)
    """Labels of the text that reached the arguments: a list, or by argument."""
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Running totals before the call; those that are left out are 0."""
    expect: Literal["allow", "ask", "deny"]
    rule: str | None = None
    """The rule that should match; not compared when it is left out."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """The labels, each where it reached the arguments."""
        return spans_of(self.labels)


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
    spans: tuple[Span, ...] = (),
) -> Verdict:
    """Return the verdict on an action that nobody makes; totals that are not given are 0.

    Args:
        policy: What judges.
        tool: The tool.
        arguments: Its arguments.
        context: Whom the call would be for.
        totals: Running totals before it.
        spans: Where text from outside would have reached the arguments.

    Raises:
        BadArguments: the arguments do not fit the tool.
        ConfigError: the tool's risk rule failed, or the policy gave no verdict that holds.
    """
    canonical = tool.validate_arguments(arguments)
    known = policy.totals(tool.contract) if isinstance(policy, TotalsPolicy) else {}
    facts = Facts(
        context=context,
        totals={**dict.fromkeys(known, Decimal(0)), **(totals or {})},
        spans=spans,
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
            found = verdict_on(policy, tool, case.args, context, case.totals, case.spans)
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
    yield from wrong_labels(case.labels, tools[case.tool], tools)


def wrong_labels(
    labels: Mapping[str, tuple[str, ...]], tool: Tool, tools: Mapping[str, Tool]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the labels of a case: its field, and why."""
    known = known_labels(item.contract for item in tools.values())
    names = list(tool.arguments_model.model_fields)
    for path, given in labels.items():
        if path and re.split(r"[.\[]", path)[0] not in names:
            yield "labels", f"{tool.name!r} has no argument {path!r}. {allowed(path, names)}"
        for label in given:
            if label not in known:
                yield "labels", f"no label is named {label!r}. {allowed(label, known)}"


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
