"""`interlock keys new`, and what `doctor` says of keys."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from interlock.approvals.signatures import SigningKey
from interlock.errors import ConfigError
from interlock.settings import Settings
from interlock.signing import decision_signer, key_ring


def made(interlock: Any, *words: str) -> dict[str, Any]:
    """A new key, as the command prints it."""
    found: dict[str, Any] = json.loads(interlock("keys", "new", *words, "--json").stdout)
    return found


def settings(key: dict[str, Any], **approvals: Any) -> Settings:
    """A deployment that knows a key."""
    keys = {key["id"]: {"public": key["public"]}}
    return Settings(approvals={"keys": keys, **approvals})


def finding(interlock: Any, name: str = "decisions") -> Any:
    """What `doctor` says of something, or None."""
    checks = json.loads(interlock("doctor", "--json").stdout)["checks"]
    return next((item for item in checks if item["name"] == name), None)


def test_a_new_key_signs_for_whoever_knows_its_public_part(interlock: Any, tmp_path: Path) -> None:
    """The private key is in a file that nobody else reads, and nowhere on the screen."""
    key = made(interlock, "my.key")
    path = tmp_path / "my.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text(encoding="utf-8").strip()
    assert secret.startswith("interlock-ed25519:")
    assert secret not in json.dumps(key)
    signer = decision_signer(settings(key, signing_key_file=path))
    assert signer.key_id == key["id"]
    shown = interlock("keys", "new").stdout
    assert "interlock-ed25519" not in shown
    assert "[approvals.keys." in shown


def test_a_key_is_never_written_over(interlock: Any, tmp_path: Path) -> None:
    """The old one is needed to know what it signed."""
    made(interlock, "my.key")
    before = (tmp_path / "my.key").read_text(encoding="utf-8")
    done = interlock("keys", "new", "my.key")
    assert (done.exit_code, done.stderr.startswith("BAD_INPUT: my.key exists")) == (1, True)
    assert (tmp_path / "my.key").read_text(encoding="utf-8") == before


def test_the_private_key_may_be_in_the_environment(
    interlock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name that the settings give."""
    key = made(interlock, "my.key")
    given = settings(key, signing_key_env="MY_KEY")
    with pytest.raises(ConfigError, match="'MY_KEY'"):
        decision_signer(given)
    monkeypatch.setenv("MY_KEY", (tmp_path / "my.key").read_text(encoding="utf-8"))
    assert decision_signer(given).key_id == key["id"]


def test_what_is_wrong_with_keys_is_told_before_anybody_decides(
    interlock: Any, tmp_path: Path
) -> None:
    """None named, two named, a missing file, a key nobody knows, and none where one is required."""
    key, other = made(interlock, "my.key"), SigningKey.new()
    stranger = {"id": other.id, "public": other.public}
    for given, message in [
        (settings(key), "name the private key"),
        (settings(key, signing_key_env="A", signing_key_file="b"), "name the private key"),
        (settings(key, signing_key_file=tmp_path / "none.key"), "cannot be read"),
        (settings(stranger, signing_key_file=tmp_path / "my.key"), "does not have it"),
    ]:
        with pytest.raises(ConfigError, match=message):
            decision_signer(given)
    with pytest.raises(ConfigError, match=r"'approvals.keys' is empty"):
        key_ring(Settings(approvals={"require_signature": True}))


def test_in_production_a_worker_needs_a_key(interlock: Any, tmp_path: Path) -> None:
    """It says which command makes one; `doctor` names what is for development only."""
    with pytest.raises(ConfigError, match=r"'profile' is 'production'.*`interlock keys new`"):
        key_ring(Settings(profile="production"))
    (tmp_path / "interlock.toml").write_text('profile = "production"\n', encoding="utf-8")
    checks = json.loads(interlock("doctor", "--json").stdout)["checks"]
    found = {item["name"]: item for item in checks}
    assert found["profile"]["message"] == "production."
    states = {
        name: found[name]["state"] for name in ("decisions", "inbox", "sign-in", "audit file")
    }
    assert states == {"decisions": "fail", "inbox": "fail", "sign-in": "warn", "audit file": "warn"}
    assert "links" not in found
    (tmp_path / "interlock.toml").write_text("", encoding="utf-8")
    checks = json.loads(interlock("doctor", "--json").stdout)["checks"]
    warned = [item["name"] for item in checks if item["state"] == "warn"]
    assert {"links", "decisions"} <= set(warned)


def test_doctor_warns_while_unsigned_decisions_count(interlock: Any, tmp_path: Path) -> None:
    """And says so when only signed ones do, or when a key is wrong."""
    assert finding(interlock)["state"] == "warn"
    key = made(interlock, "my.key")
    file = tmp_path / "interlock.toml"
    on = f'[approvals]\nrequire_signature = true\nsigning_key_file = "my.key"\n[approvals.keys.{key["id"]}]\n'
    file.write_text(f'{on}public = "{key["public"]}"\n', encoding="utf-8")
    found = finding(interlock)
    assert (found["state"], found["message"]) == (
        "ok",
        "only signed ones count; 1 key(s) are known.",
    )
    assert finding(interlock, "signing key") is None
    (tmp_path / "my.key").chmod(0o644)
    found = finding(interlock, "signing key")
    assert (found["state"], "others on this machine may read" in found["message"]) == ("warn", True)
    file.write_text(f'{on}public = "AAAA"\n', encoding="utf-8")
    assert finding(interlock)["state"] == "fail"
