"""Settings: found, merged and checked; what is wrong is named with its place and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from interlock.errors import ConfigError
from interlock.settings import Settings, environment_key, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the machine that runs the tests has set."""
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def project(tmp_path: Path):
    """Write an `interlock.toml`."""

    def write(text: str) -> Path:
        (tmp_path / "interlock.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def refusal(folder: Path) -> str:
    """Why the settings of a folder are refused."""
    with pytest.raises(ConfigError) as refused:
        load_settings(folder)
    assert refused.value.code == "CONFIG_INVALID"
    return refused.value.message


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """Commands that need no project work anywhere."""
    settings = load_settings(tmp_path)
    assert settings == Settings(project_dir=tmp_path)
    assert (settings.limits.steps, settings.approvals.high) == (100, "ask")


def test_the_nearest_file_above_is_found(project, tmp_path: Path) -> None:
    """From a folder below, the project is the folder that has the file; a nearer one wins."""
    folder = project("agents = ['a:b']\n")
    below = folder / "src" / "deep"
    below.mkdir(parents=True)
    found = load_settings(below)
    assert (found.agents, found.project_dir) == (["a:b"], folder)
    (folder / "src" / "interlock.toml").write_text("agents = ['c:d']\n")
    assert load_settings(below).agents == ["c:d"]


def test_the_current_folder_is_where_the_search_starts(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an argument the file of the current project is read."""
    monkeypatch.chdir(project("knowledge = ['docs']\n"))
    assert load_settings().knowledge == ["docs"]


def test_the_environment_wins_over_the_file(project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value is replaced; its neighbours in the same section stay as the file has them."""
    folder = project("agents = ['a:b']\n[limits]\nsteps = 7\nsignals = 20\n")
    monkeypatch.setenv("INTERLOCK_LIMITS__STEPS", "9")
    monkeypatch.setenv("INTERLOCK_TEMPORAL__ADDRESS", "example.org:7233")
    monkeypatch.setenv("INTERLOCK_AGENTS", '["c:d"]')
    settings = load_settings(folder)
    assert (settings.limits.steps, settings.limits.signals) == (9, 20)
    assert settings.temporal.address == "example.org:7233"
    assert settings.agents == ["c:d"]


def test_signatures_are_required_as_the_profile_says(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off in development and on in production, unless development turns them on."""
    assert not load_settings(project("")).signatures_required
    assert load_settings(project("[approvals]\nrequire_signature = true\n")).signatures_required
    assert load_settings(project("profile = 'production'\n")).signatures_required
    monkeypatch.setenv("INTERLOCK_PROFILE", "production")
    assert load_settings(project("[approvals]\nlow = 'ask'\n")).signatures_required


def test_production_does_without_no_signature(project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both settings are named, wherever each is set, and what to do."""
    off = "[approvals]\nrequire_signature = false\n"
    message = refusal(project(f"profile = 'production'\n{off}"))
    assert message.startswith("interlock.toml: 'approvals.require_signature' is false, and")
    assert "'profile' is 'production'" in message
    monkeypatch.setenv("INTERLOCK_APPROVALS__REQUIRE_SIGNATURE", "false")
    assert "Leave the former out" in refusal(project("profile = 'production'\n"))
    assert "'development' or 'production'" in refusal(project("profile = 'staging'\n"))


HOOK = "[[notify]]\nchannel = 'webhook'\nname = 'a'\nurl = 'https://x.y'\nsecret_env = 'A'\n"
MAIL = "[[notify]]\nchannel = 'email'\nname = 'a'\nhost = 'x'\nsender = 'a@b.c'\nto = ['d@e.f']\n"
CANDIDATE = "[models.fast]\ncandidates = [{ model = 'scripted:x', "


@pytest.mark.parametrize(
    ("text", "place", "allowed"),
    [
        ("agent = []\n", "'agent'", ["agents", "tools", "limits", "temporal"]),
        ("[limits]\nsignls = 5\n", "'limits.signls'", ["model_mistakes", "signals", "steps"]),
        ("[temporal]\nport = 7233\n", "'temporal.port'", ["address", "namespace"]),
        ("[models.fast]\nmodel = 'x:y'\ncandidates = []\n", "'models.fast.model'", ["candidates"]),
        (CANDIDATE + "timeout = 3 }]\n", "'models.fast.candidates.0.timeout'", ["timeout_seconds"]),
        (CANDIDATE + "key = '' }]\n", "'models.fast.candidates.0.key'", ["api_key_env", "model"]),
        (HOOK + "secret = 'x'\n", "'notify.0.webhook.secret'", ["secret_env", "tenants", "url"]),
        (MAIL + "tls = true\n", "'notify.0.email.tls'", ["password_env", "security", "to"]),
        ("[[people]]\nsubject = 'a'\nrole = 'x'\n", "'people.0.role'", ["roles", "tenants"]),
    ],
)
def test_an_unknown_key_is_named_with_what_is_allowed(
    project, text: str, place: str, allowed: list[str]
) -> None:
    """At every depth: where it is, and which keys there are at that place."""
    message = refusal(project(text))
    assert f"{place} is not a setting. Allowed here: " in message
    listed = message.split(f"{place} is not a setting. Allowed here: ")[1].split(".")[0]
    names = listed.split(", ")
    assert set(allowed) <= set(names)
    assert names == sorted(names)
    assert "project_dir" not in names
    assert message.startswith("interlock.toml: ")


def test_an_unknown_key_of_the_environment_is_named(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt variable of a section is refused like a key of the file."""
    monkeypatch.setenv("INTERLOCK_LIMITS__STEP", "9")
    assert "'limits.step' is not a setting. Allowed here: " in refusal(project(""))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\nsteps = 'many'\n", ["'limits.steps'", "valid integer", "(got 'many')"]),
        ("[limits]\nsteps = 0\n", ["'limits.steps'", "greater than or equal to 1", "(got 0)"]),
        ("[approvals]\nhigh = 'maybe'\n", ["'approvals.high'", "'allow', 'ask' or 'deny'"]),
        ("[approvals]\ndeadline_seconds = -1\n", ["'approvals.deadline_seconds'", "(got -1)"]),
        ("agents = 'a:b'\n", ["'agents'", "valid list"]),
        ("[models.fast]\ncandidates = []\n", ["'models.fast.candidates'", "at least 1 item"]),
        (CANDIDATE + "tool_calling = 'x' }]\n", ["candidates.0.tool_calling", "'schema'"]),
        ("[[notify]]\nchannel = 'fax'\n", ["'notify.0'", "'webhook', 'slack', 'email'"]),
        (HOOK + "risks = ['huge']\n", ["'notify.0.webhook.risks.0'", "'high'"]),
        (MAIL + "username = 'x'\n", ["'notify.0.email'", "give both or neither"]),
        (
            MAIL + "username = 'x'\npassword_env = 'P'\nsecurity = 'none'\n",
            ["'notify.0.email'", "never sent in the clear"],
        ),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_named(project, text: str, says: list[str]) -> None:
    """Where it is, what it has to be, and what it is."""
    message = refusal(project(text))
    assert all(part in message for part in says), message


@pytest.mark.parametrize("given", ["issuer = 'https://id.test'", "client_id = 'c'"])
def test_half_a_provider_is_refused(project, given: str) -> None:
    """In words of ours, and without all that the section holds."""
    assert refusal(project(f"[oidc]\n{given}\n")) == (
        "interlock.toml: 'oidc': 'issuer' and 'client_id' go together: give both or neither."
    )


def test_a_person_is_named_once(project) -> None:
    """Of two, one would count in silence."""
    people = "".join(f"[[people]]\nsubject = '{subject}'\n" for subject in ("ada", "bea", "ada"))
    assert "'people' has 'ada' more than once" in refusal(project(people))


def test_everything_wrong_is_told_at_once(project) -> None:
    """Whoever corrects a file corrects it once."""
    message = refusal(project("colour = 1\n[limits]\nsteps = 0\nsignals = 'x'\n"))
    assert all(part in message for part in ("'colour'", "'limits.steps'", "'limits.signals'"))


@pytest.mark.parametrize("text", ["agents = [\n", "agents = 'a\n", "= 3\n"])
def test_bad_toml_is_named(project, text: str) -> None:
    """The message has the file and what the reader says of the place."""
    message = refusal(project(text))
    assert message.startswith("interlock.toml: ")
    assert "line" in message or "document" in message


def test_a_variable_that_is_no_json_is_named(project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list in the environment is JSON; anything else is refused with the name of the setting."""
    monkeypatch.setenv("INTERLOCK_AGENTS", "a:b")
    assert '"agents"' in refusal(project(""))


def test_settings_do_not_change() -> None:
    """What was read holds for the life of the process."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().agents = ["x:y"]
    with pytest.raises(ValidationError, match="frozen"):
        Settings().limits.steps = 3


def test_a_key_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's key comes wrapped; one that is unset or empty is none."""
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    key = environment_key("SOME_KEY")
    assert key is not None
    assert "sk-secret" not in f"{key} {key!r}"
    assert key.get_secret_value() == "sk-secret"
    monkeypatch.setenv("SOME_KEY", "")
    assert environment_key("SOME_KEY") is None
    monkeypatch.delenv("SOME_KEY")
    assert environment_key("SOME_KEY") is None
