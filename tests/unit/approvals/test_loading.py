"""The policy that settings name: a file, an object in Python, or the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.approvals import Policy, RiskPolicy
from interlock.approvals.loading import load_policy
from interlock.approvals.rule_policy import RulePolicy
from interlock.errors import ConfigError
from tests.unit.approvals import policies
from tests.unit.approvals.rules import TOOLS

HERE = "tests.unit.approvals.policies"
DEFAULT = RiskPolicy(low="allow", medium="ask", high="ask")


def found(reference: str | None, folder: Path = Path()) -> Policy:
    """Load it."""
    contracts = [tool.contract for tool in TOOLS.values()]
    return load_policy(reference, folder, contracts, default=DEFAULT)


def test_without_a_name_the_default_holds() -> None:
    """As it did before there were files."""
    assert found(None) is DEFAULT


def test_a_file_is_looked_for_in_the_project(tmp_path: Path) -> None:
    """And its name is what verdicts say."""
    (tmp_path / "rules.yml").write_text("rules: [{name: a, then: ask}]")
    policy = found("rules.yml", tmp_path)
    assert isinstance(policy, RulePolicy)
    assert policy.name == "rules.yml"


def test_an_object_in_python_is_a_policy() -> None:
    """With a version and `judge`."""
    assert found(f"{HERE}:weekend") is policies.weekend


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("policy.json", "'approvals.policy' is 'policy.json'. Write a file that ends in .yaml"),
        ("not.there:policy", "no module 'not'"),
        (f"{HERE}:nothing", "has no attribute 'nothing'"),
        (f"{HERE}:no_policy", "names object. Name an object with `version` and `judge`"),
        (f"{HERE}:Weekend", "names the class Weekend. Name an object"),
        (f"{HERE}:unversioned", "has the version '1.0'. Give 12 hex digits"),
    ],
)
def test_anything_else_is_refused(reference: str, message: str) -> None:
    """The message says what to write."""
    with pytest.raises(ConfigError) as refused:
        found(reference)
    assert message in refused.value.message
