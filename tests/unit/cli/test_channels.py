"""What `doctor` says of channels: whether their secrets are there, and where messages lead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.notices import SECRET

CHANNELS = """
[[notify]]
channel = "webhook"
name = "ops"
url = "https://ops.example/hook"
secret_env = "OPS_SECRET"
tenants = ["north"]
risks = ["high"]

[[notify]]
channel = "slack"
name = "desk"
url_env = "DESK_URL"
"""


def findings(interlock: Any) -> dict[str, tuple[str, str]]:
    """State and message of each finding on channels."""
    checks = json.loads(interlock("doctor", "--json").stdout)["checks"]
    found = [item for item in checks if item["name"].startswith("notify")]
    return {item["name"]: (item["state"], item["message"]) for item in found}


def test_doctor_looks_for_the_secrets(
    interlock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing one fails and is named by its variable; no secret is printed."""
    monkeypatch.setenv("OPS_SECRET", SECRET)
    monkeypatch.delenv("DESK_URL", raising=False)
    (tmp_path / "interlock.toml").write_text(CHANNELS, encoding="utf-8")
    found = findings(interlock)
    assert found["notify ops"] == ("ok", "webhook, of tenant north; risk high.")
    state, message = found["notify desk"]
    assert state == "fail"
    assert "'DESK_URL' is empty" in message
    assert found["notify"][0] == "warn"
    assert "http://127.0.0.1:8321, which only this machine reaches" in found["notify"][1]
    assert SECRET not in json.dumps(found)
    monkeypatch.setenv("DESK_URL", "https://hooks.example/very-secret")
    public = CHANNELS + '\n[inbox]\npublic_url = "https://inbox.example"\n'
    (tmp_path / "interlock.toml").write_text(public, encoding="utf-8")
    found = findings(interlock)
    assert {name: state for name, (state, _) in found.items()} == {
        "notify ops": "ok",
        "notify desk": "ok",
    }
    assert found["notify desk"][1] == "slack, of every request."


def test_doctor_says_nothing_of_channels_that_nobody_named(interlock: Any) -> None:
    """Most deployments have none."""
    assert findings(interlock) == {}


def test_doctor_sees_a_name_that_is_given_twice(interlock: Any, tmp_path: Path) -> None:
    """Before a worker refuses it."""
    twice = CHANNELS.replace('"desk"', '"ops"')
    (tmp_path / "interlock.toml").write_text(twice, encoding="utf-8")
    state, message = findings(interlock)["notify"]
    assert state == "fail"
    assert "two channels of the name 'ops'" in message
