"""A policy file with mistakes is refused when it is loaded: each mistake with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.approvals.rule_policy import load_rules
from interlock.errors import ConfigError
from tests.unit.approvals.rules import loaded, paying, refund

TOTALS = "totals:\n  today: {tool: refund, sum: args.amount, per: subject, window: 24h}\n"
FIELDS = (
    "Allowed: args.amount, args.order, args.priority, args.reason, context.agent, context.node, "
    "context.subject, context.tenant, labels, risk"
)
KEYS = "Allowed: agent, effect, labels, name, risk, subject, tenant, then, tool, when."

MISTAKES = [
    # The shape of the file.
    ("", "policy.yaml: is empty. See docs/policy.md for an example."),
    ("[]", "1:1: 'policy.yaml': has to be keys with values (it is [])."),
    ("rules: [", "1:9: this is no YAML: expected the node content, but found '<stream end>'."),
    ("totals: {}", "1:1: 'rules' is missing here. Add it."),
    ("rules: 3", "1:8: 'rules': has to be a list (it is 3)."),
    (
        "rules: []\nrule: []",
        "2:1: 'rule' is not known here. Allowed: rules, tiers, totals. Did you mean 'rules'?",
    ),
    ("rules: []\nrules: []", "2:1: 'rules' is here twice, first in line 1. Remove one."),
    ("rules: &a [*a]", "1:8: this holds itself. Write it out."),
    ("rules:\n  - a", "2:5: 'rules': has to be keys with values (it is 'a')."),
    # Rules.
    (
        "rules:\n  - name: a\n    tol: refund\n    then: ask",
        f"3:5: 'tol' is not known here. {KEYS} Did you mean 'tool'?",
    ),
    ("rules:\n  - {then: ask}", "2:5: 'name' is missing here. Add it."),
    ("rules:\n  - {name: a}", "2:5: 'then' is missing here. Add it."),
    (
        "rules:\n  - {name: 'a b', then: ask}",
        "2:12: 'name': String should match pattern '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$' (it is 'a b').",
    ),
    (
        "rules:\n  - {name: a, then: ask}\n  - {name: a, then: ask}",
        "3:12: a rule is named 'a' already, in line 2. Rename one.",
    ),
    (
        "rules:\n  - {name: a, risk: [hgh], then: ask}",
        "2:22: 'risk': Input should be 'low', 'medium' or 'high' (it is 'hgh').",
    ),
    (
        "rules:\n  - {name: a, effect: WRITE, then: ask}",
        "2:23: 'effect': Input should be 'PURE', 'READ', 'IDEMPOTENT' or 'EXTERNAL' (it is 'WRITE').",
    ),
    (
        "rules:\n  - {name: a, tool: refnd, then: ask}",
        "2:21: 'a': no tool matches 'refnd'. Allowed: look_up, refund. Did you mean 'refund'?",
    ),
    # Outcomes.
    (
        "rules:\n  - {name: a, then: deny}",
        "2:21: 'then': a denial needs a reason that the agent is told: {deny: 'Why not.'}.",
    ),
    (
        "rules:\n  - {name: a, then: alow}",
        "2:21: 'then': write one of: allow, ask, {ask: {deadline: 4h}}, {deny: 'Why not.'}.",
    ),
    (
        "rules:\n  - {name: a, then: {allow: true, deny: x}}",
        "2:21: 'then': write one of: allow, ask, {ask: {deadline: 4h}}, {deny: 'Why not.'}.",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {dedline: 4h}}}",
        "2:28: 'dedline' is not known here. Allowed: deadline, escalate_to, on_timeout, quorum, "
        "remind_every, tier, who. Did you mean 'deadline'?",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {deadline: 4}}}",
        "2:38: 'deadline': 4 is no span of time. Write days, hours, minutes and seconds, for example "
        "'4h', '90s' or '1d12h'.",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {on_timeout: ask}}}",
        "2:40: 'on_timeout': Input should be 'deny' or 'allow' (it is 'ask').",
    ),
    # Tiers.
    (
        "tiers:\n  lead: {who: lead}\nrules:\n  - {name: a, then: {ask: {tier: leed}}}",
        "4:34: no tier is named 'leed'. Allowed: lead. Did you mean 'lead'? Define it under 'tiers'.",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {escalate_to: lead}}}",
        "2:41: no tier is named 'lead'. Allowed: nothing. Define it under 'tiers'.",
    ),
    (
        "tiers:\n  desk: {escalate_to: board}\nrules:\n  - {name: a, then: ask}",
        "2:23: no tier is named 'board'. Allowed: desk. Define it under 'tiers'.",
    ),
    (
        "tiers:\n  a: {escalate_to: b}\n  b: {escalate_to: a}\nrules:\n  - {name: a, then: ask}",
        "2:20: tier 'a' escalates to itself, through 'b'. End it somewhere.",
    ),
    (
        "tiers:\n  a: {quorum: 0}\nrules:\n  - {name: a, then: ask}",
        "2:15: 'quorum': Input should be greater than or equal to 1 (it is 0).",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {quorum: 1.5}}}",
        "2:36: 'quorum': Input should be a valid integer (it is 1.5).",
    ),
    (
        "rules:\n  - {name: a, then: {ask: {who: 'user:'}}}",
        "2:33: 'who': 'user:' is neither a role nor a person. Write lead, or user:ann.",
    ),
    (
        "tiers:\n  a: {on_timeout: allow}\nrules:\n  - {name: a, then: ask}",
        "2:7: 'on_timeout' is not known here. Allowed: deadline, escalate_to, quorum, remind_every, "
        "who.",
    ),
    (
        "rules:\n  - {name: a, labels: web, then: ask}",
        "2:23: rule 'a': no label matches 'web'. Allowed: caller, document, memory, stock.",
    ),
    # Conditions.
    (
        "rules:\n  - name: a\n    tool: refund\n    when: args.amuont > 100\n    then: ask",
        f"4:11: rule 'a': 'args.amuont' is not known for tool 'refund'. {FIELDS}. "
        "Did you mean 'args.amount'?",
    ),
    (
        "rules:\n  - name: a\n    when: args.amount > 100\n    then: ask",
        "3:11: rule 'a': 'args.amount' is not known for tool 'look_up'.",
    ),
    (
        "rules:\n  - name: a\n    tool: refund\n    when: |\n      args.amount > 100 &&\n"
        "        args.resaon == ''\n    then: ask",
        "6:9: rule 'a': 'args.resaon' is not known for tool 'refund'.",
    ),
    (
        "rules:\n  - {name: a, tool: refund, when: 'args.reason > 3', then: ask}",
        "2:48: rule 'a': '>' does not take (string, int); args.reason is string.",
    ),
    (
        "rules:\n  - {name: a, tool: refund, when: args.amount == 100, then: ask}",
        "2:47: rule 'a': '==' does not take (double, int); args.amount is double. Write a whole "
        "number beside a decimal one with a point, for example 100.0.",
    ),
    (
        "rules:\n  - {name: a, tool: refund, when: args.amount, then: ask}",
        "2:35: rule 'a': it gives a double, and has to be true or false. Compare it with something.",
    ),
    (
        "rules:\n  - {name: a, tool: refund, when: args.amount >, then: ask}",
        "2:48: rule 'a': Syntax error: mismatched input '<EOF>'",
    ),
    (
        "rules:\n  - {name: a, tool: refund, when: has(args.amount), then: ask}",
        "2:35: rule 'a': `has` is not needed: arguments are complete when they are judged. Compare "
        "with null instead.",
    ),
    (
        TOTALS + "rules:\n  - {name: a, tool: refund, when: totals.tody > 1, then: ask}",
        f"4:35: rule 'a': 'totals.tody' is not known for tool 'refund'. {FIELDS}, totals.today. "
        "Did you mean 'totals.today'?",
    ),
    # Totals.
    (
        TOTALS.replace("refund", "refnd") + "rules: []",
        "2:17: 'today': no tool matches 'refnd'. Allowed: look_up, refund. Did you mean 'refund'?",
    ),
    (
        TOTALS.replace("args.amount", "args.reason") + "rules: []",
        "2:30: 'today': 'args.reason' is no number of tool 'refund'. "
        "Allowed: args.amount, args.priority.",
    ),
    (
        TOTALS.replace("args.amount", "amount") + "rules: []",
        r"2:30: 'sum': String should match pattern '^args(\.[A-Za-z_]\w*)+$' (it is 'amount').",
    ),
    (
        TOTALS.replace("tool: refund", "tool: '*'").replace("sum: args.amount, ", "") + "rules: []",
        "2:17: 'today': 'look_up' is READ; only effects are added up.",
    ),
    (
        TOTALS.replace("subject", "customer") + "rules: []",
        "2:48: 'per': Input should be 'subject' or 'tenant' (it is 'customer').",
    ),
    (
        TOTALS.replace("24h", "0h") + "rules: []",
        "2:65: 'window': '0h' is no time at all.",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """The message names file, line and column, what is allowed, and what to do."""
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    whole = message if message.startswith("policy.yaml") else f"policy.yaml:{message}"
    assert whole in refused.value.message
    assert refused.value.message.endswith(".") or refused.value.message.endswith("?")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """In the order of the file; as data too."""
    text = (
        "rules:\n"
        "  - {name: a, tool: refnd, then: ask}\n"
        "  - {name: b, tool: refund, when: args.x == 1, then: {ask: {tier: lead}}}\n"
    )
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    places = [(item["line"], item["column"]) for item in refused.value.details["mistakes"]]
    assert places == [(2, 21), (3, 35), (3, 67)]
    assert [line.partition(" ")[0] for line in refused.value.message.splitlines()] == [
        "policy.yaml:2:21:",
        "policy.yaml:3:35:",
        "policy.yaml:3:67:",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or no UTF-8."""
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_rules(tmp_path / "none.yaml", [])
    (tmp_path / "bad.yaml").write_bytes(b"rules: \xff")
    with pytest.raises(ConfigError, match=r"bad\.yaml: cannot be read: it is not UTF-8"):
        load_rules(tmp_path / "bad.yaml", [])


def test_what_yaml_has_for_repetition_may_be_used(tmp_path: Path) -> None:
    """An anchor stands for what it names."""
    text = (
        "rules:\n  - {name: a, tool: refund, when: &large args.amount > 100, then: ask}\n"
        "  - {name: b, tool: refund, when: *large, then: {deny: No.}}\n"
    )
    found = loaded(tmp_path, text)
    assert [rule.when for rule in found.rules.rules] == ["args.amount > 100"] * 2
    assert found.judge(refund.contract, paying(101), refund.contract.risk).outcome == "ask"
