"""Rules that judge by labels: what they match, what they read, and what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.approvals import Facts, LabelsPolicy, Verdict
from interlock.approvals.activities import PolicyActivities
from interlock.approvals.cases import run_cases
from interlock.approvals.documents import Document
from interlock.approvals.judge import Judge
from interlock.approvals.rule_policy import RulePolicy
from interlock.audit import AuditEvent
from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.tools import Effect, Risk, tool
from interlock.tools.contract import Span
from tests.unit.approvals.rules import TOOLS, loaded, look_up, paying, refund


@tool(effect=Effect.READ, labels=("web", "news"))
async def read_page(url: str) -> str:
    """Read a page."""
    raise AssertionError("nothing is called to judge")


ALL = {**TOOLS, "read_page": read_page}
RULES = """\
rules:
  - {name: news, tool: refund, labels: n*, then: {deny: Not from the news.}}
  - {name: order, tool: refund, when: "'web' in labels.order", then: {deny: Not this order.}}
  - {name: outside, tool: refund, labels: [web, document], when: args.amount > 10, then: ask}
  - {name: rest, then: allow}
"""
WHO = CallContext(agent="desk")


@pytest.fixture
def policy(tmp_path: Path) -> RulePolicy:
    """The policy of RULES."""
    return loaded(tmp_path, RULES, ALL)


def judged(policy: RulePolicy, amount: Any, *spans: Span) -> Verdict:
    """Judge a refund that text from outside has reached."""
    facts = Facts(context=WHO, spans=spans)
    return policy.judge(refund.contract, paying(amount), Risk.MEDIUM, facts)


def at(argument: str, label: str) -> Span:
    """Text of a label in an argument."""
    return Span(argument=argument, label=label)


@pytest.mark.parametrize(
    ("amount", "spans", "outcome", "rule"),
    [
        (50, [], "allow", "rest"),
        (50, [at("amount", "web")], "ask", "outside"),
        (50, [at("reason", "document"), at("amount", "caller")], "ask", "outside"),
        (50, [at("amount", "caller")], "allow", "rest"),
        (5, [at("amount", "web")], "allow", "rest"),
        (5, [at("order", "web")], "deny", "order"),
        (5, [at("order", "document")], "allow", "rest"),
        (5, [at("reason", "news"), at("order", "web")], "deny", "news"),
    ],
)
def test_a_rule_matches_by_label_and_a_condition_by_argument(
    policy: RulePolicy, amount: int, spans: list[Span], outcome: str, rule: str
) -> None:
    """One label of several is enough; which argument it reached is for a condition."""
    found = judged(policy, amount, *spans)
    assert (found.outcome, found.rule and found.rule.name) == (outcome, rule)


def test_the_reason_says_what_reached_which_argument(policy: RulePolicy) -> None:
    """Also that of a denial, which the agent reads."""
    spans = (at("order", "document"), at("amount", "web"), at("order", "caller"))
    assert judged(policy, 50, *spans).reason == (
        "refund is EXTERNAL and of medium risk; rule 'outside' in policy.yaml:4 "
        "(args.amount > 10), document, web in order, amount: ask."
    )
    assert judged(policy, 50, at("reason", "news")).reason == (
        "Not from the news. [rule 'news' in policy.yaml:2, news in reason]"
    )


def test_labels_that_nobody_knows_are_not_taken_for_none(tmp_path: Path) -> None:
    """A person is asked, but only where a rule would otherwise match."""
    unknown = Facts(context=WHO)
    assert unknown.labels is None
    text = "rules:\n  - {name: a, tool: refund, labels: web, when: args.amount > 10, then: allow}\n"
    policy = loaded(tmp_path, f"{text}  - {{name: rest, then: allow}}\n", ALL)
    found = policy.judge(refund.contract, paying(50), Risk.LOW, unknown)
    assert (found.outcome, found.rule and found.rule.name) == ("ask", "a")
    assert "nobody knows those of this call" in found.reason
    for contract, arguments in ((refund.contract, paying(5)), (look_up.contract, {"order": "A"})):
        assert policy.judge(contract, arguments, Risk.LOW, unknown).outcome == "allow"
    text = 'rules: [{name: a, tool: refund, when: "size(labels) == 0", then: allow}]'
    policy = loaded(tmp_path, text, ALL)
    found = policy.judge(refund.contract, paying(5), Risk.LOW, unknown)
    assert (found.outcome, "has no answer for this call" in found.reason) == ("ask", True)
    none = Facts(context=WHO, spans=())
    assert policy.judge(refund.contract, paying(5), Risk.LOW, none).outcome == "allow"


def test_a_condition_reads_labels_within_an_argument(tmp_path: Path) -> None:
    """Those of a value in a list or an object are those of the argument, too."""

    @tool(effect=Effect.EXTERNAL)
    async def ship(to: dict[str, str], lines: list[str], to_whom: str = "") -> str:
        """Send goods."""
        raise AssertionError("nothing is called to judge")

    text = """
rules:
  - {name: to, tool: ship, when: "'web' in labels.to", then: {deny: No.}}
  - {name: lines, tool: ship, when: "labels.lines.exists(label, label != 'caller')", then: ask}
  - {name: rest, then: allow}
"""
    policy = loaded(tmp_path, text, {**ALL, "ship": ship})
    arguments = ship.validate_arguments({"to": {}, "lines": []})
    outcomes = {
        span: policy.judge(
            ship.contract, arguments, Risk.LOW, Facts(context=WHO, spans=(span,))
        ).outcome
        for span in (at("to.city", "web"), at("lines[3]", "web"), at("to_whom", "web"))
    }
    assert list(outcomes.values()) == ["deny", "ask", "allow"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "labels: [web, wbe], then: ask",
            "2:23: rule 'a': no label matches 'wbe'. Allowed: caller, document, memory, news, stock, web.",
        ),
        (
            "tool: refund, when: \"'web' in labels.amuont\", then: ask",
            "rule 'a': 'labels.amuont' is not known for tool 'refund'. Allowed: labels.amount, "
            "labels.order, labels.priority, labels.reason. Did you mean 'labels.amount'?",
        ),
        ("when: labels == 'web', then: ask", "'==' does not take (list(string), string)"),
        ('when: "has(labels.web)", then: ask', "`has` is not needed"),
    ],
)
def test_mistakes_are_told_when_it_is_loaded(tmp_path: Path, rule: str, message: str) -> None:
    """A label that nothing has, and an argument that there is not."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f"rules:\n  - {{name: a, {rule}}}", ALL)
    assert message in refused.value.message


def test_a_tool_that_is_judged_by_labels_is_not_always_allowed(tmp_path: Path) -> None:
    """So its calls are judged before they are made, with what the run knows."""
    text = """
rules:
  - {name: reading, effect: READ, then: allow}
  - {name: outside, labels: web, then: ask}
  - {name: rest, then: allow}
"""
    policy = loaded(tmp_path, text, ALL)
    activities = PolicyActivities(ALL, policy, Silent(), clock=lambda: datetime.now(UTC))
    assert {name: activities.allows(item) for name, item in ALL.items()} == {
        "refund": False,
        "look_up": True,
        "read_page": True,
    }
    assert activities.judges_by_labels()


@pytest.mark.parametrize(
    ("rule", "reads"),
    [
        ("tool: refund, labels: web", True),
        ("tool: refund, when: \"'web' in labels\"", True),
        ("tool: refund, when: size(labels.order) > 0", True),
        ("tool: refund, when: args.reason == 'web'", False),
        ("tool: look_up, labels: web", False),
    ],
)
def test_a_policy_says_whether_it_reads_labels(tmp_path: Path, rule: str, reads: bool) -> None:
    """Of each tool; a run of a deployment where none is judged by them keeps no text."""
    policy = loaded(tmp_path, f"rules:\n  - {{name: a, {rule}, then: ask}}", ALL)
    assert isinstance(policy, LabelsPolicy)
    assert policy.reads_labels(refund.contract) == reads


async def test_a_verdict_has_the_labels_it_saw(policy: RulePolicy) -> None:
    """All of them, with the spans that are worth showing; and it survives its JSON form."""
    judge = Judge(policy, None, clock=lambda: datetime.now(UTC))
    spans = (*(at(f"reason[{n}]", "document") for n in range(40)), at("reason", "web"))
    found = await judge.verdict(refund, paying(50), WHO, spans)
    assert found.labels == ("document", "web")
    assert len(found.spans) == 20
    assert found.spans[-1] == at("reason", "web")
    assert Verdict.model_validate_json(found.model_dump_json()) == found
    plain = await judge.verdict(refund, paying(50), WHO, ())
    assert not {"labels", "spans"} & set(plain.model_dump())


def test_cases_give_labels(tmp_path: Path, policy: RulePolicy) -> None:
    """A list of those that reached the call, or by argument."""
    table = """cases:
  - {name: a, tool: refund, args: {order: A-1, amount: 50}, expect: allow}
  - {name: b, tool: refund, args: {order: A-1, amount: 50}, labels: document, expect: ask}
  - {name: c, tool: refund, args: {order: A-1, amount: 50}, labels: {amount: web}, expect: ask}
  - {name: d, tool: refund, args: {order: A-1, amount: 5}, labels: {order: [web]}, expect: deny}
  - {name: e, tool: refund, args: {order: A-1, amount: 5}, labels: [web], expect: deny}
"""
    results = run_cases(policy, ALL, Document(table, "cases.yaml"))
    assert [item.passed for item in results] == [True] * 5
    assert results[2].verdict.labels == ("web",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("wbe", "cases.yaml:2:79: no label is named 'wbe'. Allowed: caller, document, memory, "),
        ("{amuont: web}", "'refund' has no argument 'amuont'. Allowed: amount, order, priority, "),
        ("3", "'labels'"),
    ],
)
def test_wrong_labels_of_a_case_are_told(policy: RulePolicy, labels: str, message: str) -> None:
    """With their place."""
    case = (
        f"{{name: a, tool: refund, args: {{order: A, amount: 1}}, expect: ask, labels: {labels}}}"
    )
    with pytest.raises(ConfigError) as refused:
        run_cases(policy, ALL, Document(f"cases:\n  - {case}", "cases.yaml"))
    assert message in refused.value.message


class Silent:
    """Is told of verdicts and keeps none."""

    def judged(self, *_: Any, **__: Any) -> AuditEvent:
        raise AssertionError("nothing is judged here")

    async def record(self, events: Sequence[AuditEvent]) -> None:
        raise AssertionError("nothing is recorded here")


def test_labels_are_part_of_a_version(tmp_path: Path) -> None:
    """Of the rules, and of a tool's contract, where there are any."""
    texts = [
        f"rules: [{{name: a, {part}then: ask}}]" for part in ("", "labels: web, ", "labels: n*, ")
    ]
    assert len({loaded(tmp_path, text, ALL).version for text in texts}) == 3
    assert refund.contract.model_dump().get("labels") is None
    assert read_page.contract.labels == ("news", "web")
