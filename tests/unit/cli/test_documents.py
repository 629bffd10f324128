"""The pages about decisions can be followed: what they show fits the shop and the settings."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from interlock.settings import load_settings
from interlock.signing import decision_signer

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def test_the_way_from_nothing_to_a_decision_holds(interlock: Any, tmp_path: Path) -> None:
    """Its policy fits the shop and asks two people; its settings and a new key go together."""
    rules, *_ = blocks("approvals.md", "yaml")
    oidc, people, approvals, *_ = blocks("approvals.md", "toml")
    (tmp_path / "policy.yaml").write_text(rules, encoding="utf-8")
    made = json.loads(interlock("keys", "new", "--json").stdout)
    signing = re.sub(r"signing-\w+", f"signing-{made['id']}", approvals)
    key = f'[approvals.keys.{made["id"]}]\npublic = "{made["public"]}"\n'
    parts = ('tools = ["tools.contracts:TOOLS"]\n', oidc, people, signing, key)
    (tmp_path / "interlock.toml").write_text("\n".join(parts), encoding="utf-8")
    settings = load_settings(tmp_path)
    assert [person.subject for person in settings.people] == ["ada", "ben"]
    assert decision_signer(settings).key_id == made["id"]
    (args,) = re.findall(r"--tool refund --args '(\{.*?\})'", (DOCS / "approvals.md").read_text())
    words = ("policy", "explain", "--tool", "refund", "--args", args, "--json")
    asked = json.loads(interlock(*words).stdout)["ask"]
    assert (asked["quorum"], asked["who"], asked["escalation"][0]["who"]) == (
        2,
        ["reviewer"],
        ["lead"],
    )


@pytest.mark.parametrize("page", ["approvals.md", "inbox.md", "policy.md"])
def test_settings_that_a_page_shows_are_settings(page: str, tmp_path: Path) -> None:
    """Each block is what a file may have."""
    for block in blocks(page, "toml"):
        (tmp_path / "interlock.toml").write_text(block, encoding="utf-8")
        load_settings(tmp_path)
