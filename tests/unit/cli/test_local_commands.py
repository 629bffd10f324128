"""Commands that need no server: model files, doctor, and bad input that is refused before."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.audit.breakers import SqlBreakers
from interlock.audit.contract import BreakerRow
from interlock.audit.database import Database
from interlock.models.catalogue import CATALOGUE


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for model files."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("INTERLOCK_MODELS_DIR", str(folder))
    return folder


def test_models_list_says_what_is_missing(interlock: Any, models_dir: Path) -> None:
    """Every file of the catalogue is listed with its hash, licence and state."""
    found = json.loads(interlock("models", "list", "--json").stdout)
    assert [(item["name"], item["sha256"]) for item in found] == [
        (file.name, file.sha256) for file in CATALOGUE
    ]
    assert {item["state"] for item in found} == {"missing"}
    assert str(models_dir) in interlock("models", "list").stdout


def test_models_verify_fails_on_a_wrong_hash(interlock: Any, models_dir: Path) -> None:
    """A file with other bytes is an error that names it and says what to do."""
    file = CATALOGUE[1]
    (models_dir / file.file_name).write_bytes(bytes(file.size))
    done = interlock("models", "verify", "--json")
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "MODEL_FILE_CORRUPT"
    assert error["details"] == {"names": [file.name]}
    assert f"interlock models pull {file.name}" in error["message"]


def test_models_pull_refuses_an_unknown_name(interlock: Any, models_dir: Path) -> None:
    """A name that is not in the catalogue is an error that lists the known ones."""
    done = interlock("models", "pull", "gpt-9")
    assert done.exit_code == 1
    assert done.stderr.startswith("MODEL_MISSING: 'gpt-9' is not a model file. Known: ")


def test_doctor_tells_what_is_wrong_and_fails(interlock: Any, models_dir: Path) -> None:
    """A server that does not answer and a missing embedder fail; each line says what to do."""
    done = interlock("doctor", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    found = {item["name"]: item for item in report["checks"]}
    assert report["ok"] is False
    assert found["settings"]["state"] == "warn"
    assert found["temporal"]["state"] == "fail"
    assert "`interlock up`" in found["temporal"]["message"]
    assert found["embedder"]["state"] == "fail"
    assert "interlock models pull" in found["embedder"]["message"]
    assert found["decisions"]["state"] == "warn"
    text = interlock("doctor")
    assert text.exit_code == 1
    assert "fail temporal" in text.stdout


def test_doctor_reads_wrong_settings(interlock: Any, tmp_path: Path) -> None:
    """A wrong interlock.toml is the one finding that matters, and the exit code is 1."""
    (tmp_path / "interlock.toml").write_text("agent = []\n")
    done = interlock("doctor", "--json")
    assert done.exit_code == 1
    last = json.loads(done.stdout)["checks"][-1]
    assert (last["name"], last["state"]) == ("settings", "fail")
    assert "'agent' is not a setting" in last["message"]


def test_doctor_finds_broken_parts_of_a_project(
    interlock: Any, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing module, folder, key and binary are each named."""
    monkeypatch.setenv("TEMPORAL_CLI", str(tmp_path / "no-temporal"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / "interlock.toml").write_text(
        'agents = ["not_there:agent"]\nknowledge = ["papers"]\n'
        '[models.fast]\ncandidates = [{ model = "openai:gpt-5-mini" }]\n'
        '[models.small]\ncandidates = [{ model = "local:smollm2-135m" }]\n'
        '[memory]\nembedder = "hashing"\n[approvals]\nhigh = "allow"\n'
    )
    found = {
        item["name"]: item for item in json.loads(interlock("doctor", "--json").stdout)["checks"]
    }
    states = {name: item["state"] for name, item in found.items()}
    assert "no module 'not_there'" in found["agents"]["message"]
    assert "'papers'" in found["knowledge"]["message"]
    assert "OPENAI_API_KEY" in found["model fast"]["message"]
    assert "interlock models pull smollm2-135m" in found["model small"]["message"]
    assert "TEMPORAL_CLI" in found["temporal binary"]["message"]
    assert {states[name] for name in ("agents", "knowledge", "model fast", "model small")} == {
        "fail"
    }
    assert (states["temporal binary"], states["embedder"], states["policy"]) == (
        "fail",
        "warn",
        "warn",
    )


def test_doctor_never_prints_a_key(
    interlock: Any, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is set is used and not shown, and a database's password neither."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-7")
    (tmp_path / "interlock.toml").write_text(
        '[models.fast]\ncandidates = [{ model = "openai:gpt-5-mini" }]\n'
        '[audit]\nurl = "postgresql+psycopg://me:secret-8@127.0.0.1:9/x"\n'
    )
    done = interlock("doctor", "--json")
    found = {item["name"]: item["state"] for item in json.loads(done.stdout)["checks"]}
    assert (found["model fast"], found["audit database"]) == ("ok", "fail")
    assert "secret" not in done.stdout + done.stderr


def test_doctor_shows_the_breakers_of_dependencies(
    interlock: Any, tmp_path: Path, models_dir: Path
) -> None:
    """One that is open is a warning with since when and why; without a database there are none."""
    (tmp_path / "interlock.toml").write_text('[memory]\nembedder = "hashing"\n')
    assert not [name for name in _states(interlock) if name.startswith("breaker")]

    async def write() -> None:
        async with Database(f"sqlite+aiosqlite:///{tmp_path}/.interlock/audit.db") as database:
            store = SqlBreakers(database)
            await store.change("crm", lambda row: row)
            since = datetime(2026, 3, 2, 10, tzinfo=UTC)
            broken = {"state": "open", "changed_at": since, "why": "TimeoutError: no answer"}
            await store.change("payments", lambda row: BreakerRow(**{**row.model_dump(), **broken}))

    asyncio.run(write())
    found = _states(interlock)
    assert (found["breaker crm"]["state"], found["breaker crm"]["message"]) == ("ok", "closed.")
    assert found["breaker payments"]["state"] == "warn"
    assert found["breaker payments"]["message"] == (
        "open since 2026-03-02 10:00:00 UTC; the last failure: TimeoutError: no answer."
    )


def _states(interlock: Any) -> dict[str, Any]:
    checks = json.loads(interlock("doctor", "--json").stdout)["checks"]
    return {item["name"]: item for item in checks}


def test_effects_of_a_deployment_that_never_ran(interlock: Any, tmp_path: Path) -> None:
    """There are none, which needs no server to be told; looking makes no database."""
    done = interlock("effects", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"effects": [], "more": False, "incidents": []}
    assert interlock("effects", "--unknown").stdout.strip() == "No such effects."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "clerk"), "either a message or --input"),
        (("run", "clerk", "hi", "--input", "{}"), "either a message or --input"),
        (("run", "clerk", "--input", "{"), "--input is no JSON"),
        (("respond", "r"), "either as text or with --result"),
        (("resolve", "r", "happened", "--result", "{"), "--result is no JSON"),
        (("ingest", "--schedule", "soon"), "is no interval"),
        (("effects", "resolve", "k", "happened", "--result", "{"), "--result is no JSON"),
        (("effects", "--unknown", "--state", "done"), "exclude each other"),
        (("effects", "show", "k"), "the ledger has no effect 'k'"),
        (("replay", "x", "--pdb", "act", "--json"), "--pdb is for a terminal"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(
    interlock: Any, words: tuple[str, ...], message: str
) -> None:
    """What is wrong in the words themselves needs no server to be told."""
    done = interlock(*words, *([] if "--json" in words else ["--json"]))
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "BAD_INPUT"
    assert message in error["message"]


def test_replay_of_a_file_that_holds_no_history(interlock: Any, tmp_path: Path) -> None:
    """A file is read without a server; one that holds no history is refused."""
    (tmp_path / "run.json").write_text("{}")
    done = interlock("replay", "run.json")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("BAD_INPUT: 'run.json' has no list of 'events'")
