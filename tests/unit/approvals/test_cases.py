"""Tables of cases: each is compared, and a wrong table is told with its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.approvals.cases import CaseResult, run_cases
from interlock.approvals.documents import Document
from interlock.errors import ConfigError
from tests.unit.approvals.rules import TOOLS, loaded

RULES = """
totals: {today: {tool: refund, sum: args.amount, per: subject, window: 24h}}
rules:
  - {name: dear, tool: refund, when: totals.today + args.amount > 100.0, then: ask}
  - {name: ours, tenant: us, then: allow}
"""


def results(folder: Path, text: str) -> list[CaseResult]:
    """Run a table against RULES."""
    return run_cases(loaded(folder, RULES), TOOLS, Document(text, "cases.yaml"))


def test_cases_are_compared_by_outcome_and_rule(tmp_path: Path) -> None:
    """A rule that is not named is not compared; totals are 0 unless they are given."""
    table = """cases:
  - {name: a, tool: refund, args: {order: A-1, amount: 100}, tenant: us, expect: allow, rule: ours}
  - {name: b, tool: refund, args: {order: A-1, amount: 1}, totals: {today: 99.01}, expect: ask}
  - {name: c, tool: refund, args: {order: A-1, amount: 101}, expect: allow}
  - {name: d, tool: look_up, args: {order: A-1}, expect: ask, rule: ours}
"""
    found = results(tmp_path, table)
    assert [(item.name, item.line, item.passed) for item in found] == [
        ("a", 2, True),
        ("b", 3, True),
        ("c", 4, False),
        ("d", 5, False),
    ]
    assert [item.verdict.rule and item.verdict.rule.name for item in found] == [
        "ours",
        "dear",
        "dear",
        None,
    ]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("tool: refnd, args: {}, expect: ask", "2:21: no tool is named 'refnd'."),
        (
            "tool: refund, args: {order: A-1}, expect: ask",
            "2:35: the arguments of 'refund' do not fit. 'amount' is missing.",
        ),
        ("tool: refund, args: {}, expect: yes", "2:47: 'expect': Input should be 'allow', 'ask'"),
        ("tool: refund, args: {}", "2:5: 'expect' is missing here. Add it."),
        ("tool: refund, args: {}, expct: ask", "'expct' is not known here. Allowed: agent, args,"),
        (
            "tool: refund, args: {order: A-1, amount: 1}, totals: {tody: 3}, expect: ask",
            "no rule on 'refund' reads a total 'tody'. Allowed: today. Did you mean 'today'?",
        ),
    ],
)
def test_a_wrong_case_is_told_with_its_place(tmp_path: Path, case: str, message: str) -> None:
    """Before any is compared."""
    with pytest.raises(ConfigError) as refused:
        results(tmp_path, f"cases:\n  - {{name: a, {case}}}")
    assert refused.value.message.startswith("cases.yaml:")
    assert message in refused.value.message


def test_a_table_without_cases_proves_nothing(tmp_path: Path) -> None:
    """So it does not pass."""
    with pytest.raises(ConfigError, match=r"cases\.yaml:1:8: there are no cases\."):
        results(tmp_path, "cases: []")
