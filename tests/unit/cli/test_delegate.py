"""The command `delegate`: given, listed and ended, by one of the deployment's people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date()

PEOPLE = """
[[people]]
subject = "ada"
roles = ["reviewer"]
tenants = ["north"]

[[people]]
subject = "bea"
roles = ["caller"]
"""


@pytest.fixture(autouse=True)
def _project(interlock: Any, tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text(PEOPLE)


def test_a_delegation_is_given_listed_and_ended(interlock: Any) -> None:
    """Everybody may read the list; only whoever gave one ends it."""
    assert "Nobody" in interlock("delegate").stdout
    day = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    given = interlock("delegate", "bea", "--until", day, "--as", "ada", "--json")
    (made,) = json.loads(given.stdout)
    assert (made["giver"], made["taker"]) == ("ada", "bea")
    text = interlock("delegate").stdout
    for shown in (made["id"], "ada", "bea"):
        assert shown in text
    ended = interlock("delegate", "--end", made["id"], "--as", "ada", "--json")
    assert json.loads(ended.stdout) == []
    again = interlock("delegate", "--end", made["id"], "--as", "ada")
    assert (again.exit_code, "no delegation" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bea",), "--until"),
        (("--until", "2026-12-24"), "--until"),
        (("bea", "--until", "soon", "--as", "ada"), "no time"),
        (("bea", "--until", "2001-01-01", "--as", "ada"), "not before now"),
        (("bea", "--until", "2999-01-01"), "say who you are"),
        (("bea", "--until", "2999-01-01", "--as", "eve"), "none of this deployment's people"),
        (("bee", "--until", f"{TOMORROW}", "--as", "ada"), "none of this deployment's people"),
        (("ada", "--until", f"{TOMORROW}", "--as", "bea"), "nothing to hand over"),
    ],
)
def test_what_is_none_is_refused(interlock: Any, words: tuple[str, ...], said: str) -> None:
    """The message says what to write."""
    done = interlock("delegate", *words)
    assert done.exit_code == 1
    assert said in done.stderr
