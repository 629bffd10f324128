"""The commands for the policy, on a small project and on the shop."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "replay" / "golden" / "support-refund.json"
LABELLED = GOLDEN.with_name("labelled.json")
RULES = """\
totals:
  today: {tool: refund, sum: args.amount, per: subject, window: 24h}
rules:
  - {name: dear, tool: refund, when: totals.today + args.amount > 100.0, then: {ask: {deadline: 4h}}}
  - {name: rest, then: allow}
"""
CASES = """\
cases:
  - {name: cheap, tool: refund, args: {order: A-1, amount: 100}, expect: allow}
  - {name: dear, tool: refund, args: {order: A-1, amount: 101}, expect: allow, rule: rest}
"""


@pytest.fixture
def project(interlock: Any, tmp_path: Path) -> Path:
    """A project with two tools and a policy."""
    (tmp_path / "interlock.toml").write_text(
        'tools = ["tests.unit.approvals.rules:refund", "tests.unit.approvals.rules:look_up"]\n'
        '[approvals]\npolicy = "policy.yaml"\n'
    )
    (tmp_path / "policy.yaml").write_text(RULES)
    (tmp_path / "policy_test.yaml").write_text(CASES)
    return tmp_path


def test_show_prints_version_and_rules(interlock: Any, project: Path) -> None:
    """With the line of each."""
    found = json.loads(interlock("policy", "show", "--json").stdout)
    assert found["policy"] == "policy.yaml"
    assert [(rule["name"], rule["line"]) for rule in found["rules"]] == [("dear", 4), ("rest", 5)]
    text = interlock("policy", "show").stdout
    assert f"policy.yaml, version {found['version']}" in text
    assert "totals.today + args.amount > 100.0" in text
    assert '{"ask": {"deadline": "4h"}}' in text
    tiers = "tiers:\n  desk: {who: [lead], quorum: 2}\n"
    (project / "policy.yaml").write_text(tiers + RULES)
    assert 'tier desk: {"who": ["lead"], "quorum": 2}' in interlock("policy", "show").stdout


def test_show_knows_the_default_policy(interlock: Any, tmp_path: Path) -> None:
    """Its settings are what it has."""
    (tmp_path / "interlock.toml").write_text('[approvals]\nmedium = "deny"\n')
    found = json.loads(interlock("policy", "show", "--json").stdout)
    assert found["policy"] == "RiskPolicy"
    assert found["settings"] == {"low": "allow", "medium": "deny", "high": "ask"}
    assert "medium = deny" in interlock("policy", "show").stdout


def test_a_case_that_differs_fails(interlock: Any, project: Path) -> None:
    """The difference is readable, and the exit code is 1."""
    done = interlock("policy", "test")
    assert done.exit_code == 1
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:3] == [
        "failed policy_test.yaml:3: dear",
        "expected allow by rule 'rest'",
        "got ask by rule 'dear'",
    ]
    assert lines[-1].startswith("2 cases, 1 failed. Policy ")
    report = json.loads(interlock("policy", "test", "--json").stdout)
    assert (report["ok"], [case["passed"] for case in report["cases"]]) == (False, [True, False])


def test_a_table_that_holds_passes(interlock: Any, project: Path) -> None:
    """Another file may be named."""
    (project / "other.yaml").write_text(CASES.replace("expect: allow, rule: rest", "expect: ask"))
    done = interlock("policy", "test", "other.yaml")
    assert done.exit_code == 0
    assert done.stdout.startswith("2 cases, 0 failed.")


def test_a_call_is_explained(interlock: Any, project: Path) -> None:
    """Rule, line, reason, terms and totals."""
    words = ("--tool", "refund", "--args", '{"order": "A-1", "amount": 60}', "--total", "today=50")
    found = json.loads(interlock("policy", "explain", *words, "--json").stdout)
    assert (found["outcome"], found["rule"]) == ("ask", {"name": "dear", "line": 4})
    text = interlock("policy", "explain", *words).stdout
    assert "rule    dear, line 4" in text
    assert "totals  today = 50" in text
    assert 'terms   {"deadline": "4h"}' in text
    assert json.loads(interlock("policy", "explain", *words[:4], "--json").stdout)["rule"] == {
        "name": "rest",
        "line": 5,
    }


def test_a_run_is_explained_from_its_history(interlock: Any, project: Path) -> None:
    """As its verdicts were recorded, whatever the policy says today."""
    found = json.loads(interlock("policy", "explain", str(GOLDEN), "--json").stdout)
    outcomes = {item["tool"]: item["outcome"] for item in found["verdicts"]}
    assert outcomes["refund"] == "ask"
    assert "of high risk" in interlock("policy", "explain", str(GOLDEN)).stdout


def test_labels_are_explained(interlock: Any, project: Path) -> None:
    """Those that a call would have, and what reached the calls of a run."""
    rule = "rules:\n  - {name: a, tool: refund, labels: caller, then: ask}\n"
    (project / "policy.yaml").write_text(f"{rule}  - {{name: rest, then: allow}}\n")
    words = ("--tool", "refund", "--args", '{"order": "A-1", "amount": 60}', "--label")
    for label, rule in (("amount=caller", "a"), ("caller", "a"), ("memory", "rest")):
        found = json.loads(interlock("policy", "explain", *words, label, "--json").stdout)
        assert found["rule"]["name"] == rule
    assert (
        "outside amount: caller" in interlock("policy", "explain", *words, "amount=caller").stdout
    )
    said = " ".join(interlock("policy", "explain", str(LABELLED)).stdout.split())
    assert re.search(r"outside account: caller: message \S+: pay \[once\]", said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name either a run or a call"),
        (("run-1", "--tool", "refund"), "name either a run or a call"),
        (("--tool", "refnd"), "no tool is named 'refnd'. Allowed: look_up, refund."),
        (("--tool", "refund", "--args", "{"), "--args is no JSON"),
        (("--tool", "refund", "--args", "{}"), "'order' is missing"),
        (("--tool", "refund", "--total", "today"), "--total 'today' is no total"),
        (
            ("--tool", "refund", "--label", "web"),
            "--label: no label is named 'web'. Allowed: caller",
        ),
        (("--tool", "refund", "--label", "to=caller"), "'refund' has no argument 'to'."),
    ],
)
def test_explain_refuses_what_it_cannot_explain(
    interlock: Any, project: Path, words: tuple[str, ...], message: str
) -> None:
    """The message says what to write."""
    done = interlock("policy", "explain", *words)
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())


def test_a_wrong_policy_is_found_by_every_door(interlock: Any, project: Path) -> None:
    """By the commands and by the doctor, with its place."""
    (project / "policy.yaml").write_text(RULES.replace("args.amount >", "args.amuont >"))
    for words in (
        ("policy", "show"),
        ("policy", "test"),
        ("policy", "explain", "--tool", "refund"),
    ):
        done = interlock(*words)
        assert done.exit_code == 1
        assert "CONFIG_INVALID: policy.yaml:4:" in done.stderr
    report = json.loads(interlock("doctor", "--json").stdout)
    (finding,) = (item for item in report["checks"] if item["name"] == "policy")
    assert finding["state"] == "fail"
    assert "Did you mean 'args.amount'?" in finding["message"]


def test_the_shops_policy_holds_its_table(interlock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its rules is in a case."""
    monkeypatch.chdir(ROOT)
    report = json.loads(interlock("policy", "test", "--json").stdout)
    assert report["ok"], report
    used = {case["verdict"]["rule"]["name"] for case in report["cases"]}
    shown = json.loads(interlock("policy", "show", "--json").stdout)
    assert used == {rule["name"] for rule in shown["rules"]}


def test_the_page_can_be_followed(
    interlock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of docs/policy.md fit the shop, and the table holds; so does the one in Python."""
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```(toml|yaml|python)\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)
    (toml,), (rules, cases), (code,) = (
        [textwrap.dedent(text) for _, kind, text in blocks if kind == wanted]
        for wanted in ("toml", "yaml", "python")
    )
    tools = 'tools = ["tools.contracts:TOOLS"]\n'
    (tmp_path / "interlock.toml").write_text(tools + toml)
    (tmp_path / "policy.yaml").write_text(rules)
    (tmp_path / "policy_test.yaml").write_text(cases)
    done = interlock("policy", "test")
    assert (done.exit_code, done.stdout.partition(".")[0]) == (0, "4 cases, 0 failed")

    module = f"policies_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "interlock.toml").write_text(tools + f'[approvals]\npolicy = "{module}:desk"\n')
    call = {"order_id": "A-1042", "amount": 51, "reason": "Too late"}
    for amount, outcome in ((50, "allow"), (51, "ask")):
        args = json.dumps({**call, "amount": amount})
        words = ("policy", "explain", "--tool", "refund", "--args", args, "--json")
        assert json.loads(interlock(*words).stdout)["outcome"] == outcome
