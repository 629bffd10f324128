"""Operators at the command line: up, doctor, ingest, and what happens without a worker."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from interlock.cli.output import Output
from interlock.cli.serving import serve_all, serve_worker
from interlock.errors import ConfigError, StoreLocked
from interlock.runs import client as runs


def test_up_says_when_it_is_usable(deployment: Any) -> None:
    """The ready line is one JSON object with the address, written down for other commands."""
    noted = json.loads((deployment.folder / ".interlock" / "up.json").read_text())
    assert deployment.ready["status"] == "ready"
    assert deployment.ready["worker"] is True
    assert noted == {"address": deployment.ready["address"], "ui": None}


async def test_a_second_up_on_one_folder_is_refused(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one database would lose runs: the second says so and starts nothing."""
    monkeypatch.chdir(deployment.folder)
    with pytest.raises(StoreLocked, match="another `interlock up`"):
        await serve_all(Output(as_json=True), port=None, ui=False, worker=True, inbox=False)


async def test_a_worker_misses_its_parts_before_it_asks_for_a_server(
    deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong here is said before what may be wrong elsewhere."""
    monkeypatch.chdir(deployment.folder)
    monkeypatch.setenv("INTERLOCK_AGENTS", '["nowhere:agent"]')
    monkeypatch.setenv("INTERLOCK_TEMPORAL__ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConfigError, match="nowhere"):
        await serve_worker(Output(as_json=True))


def test_doctor_finds_a_healthy_deployment(deployment: Any, answer: Any) -> None:
    """With server and worker running nothing fails, and each part is named."""
    report = answer("doctor")
    found = {item["name"]: item for item in report["checks"]}
    assert report["ok"] is True
    assert "asker, cashier, clerk" in found["agents"]["message"]
    assert deployment.ready["address"] in found["temporal"]["message"]
    assert found["worker"]["state"] == "ok"
    assert "owned by a running worker" in found["memory"]["message"]


def test_knowledge_is_there_after_the_first_start_and_ingested_by_the_worker(
    deployment: Any, answer: Any
) -> None:
    """`up` has filled the empty memory; `ingest` lets the worker write what is new since."""
    assert answer("ingest")["documents"]["added"] == 0
    document = deployment.folder / "notes" / f"{uuid.uuid4().hex}.md"
    document.write_text(f"---\nid: {document.stem}\ntitle: New\n---\n\n# New\n\nSomething new.\n")
    done = answer("ingest")
    assert (done["by"], done["documents"]["added"], done["seeds"]) == ("worker", 1, 1)


def test_a_schedule_is_made_and_removed(answer: Any, refusal: Any) -> None:
    """`ingest --schedule` replaces the schedule of knowledge, and 'off' removes it."""
    for every in ("6h", "30min", "off", "off"):
        assert answer("ingest", "--schedule", every) == {
            "schedule": "knowledge-refresh",
            "every": every,
        }
    assert refusal("ingest", "--schedule", "0h") == (1, "BAD_INPUT")


def test_without_a_worker_it_is_said(
    interlock: Any, answer: Any, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that no worker takes is started with a warning; a question to it names the remedy."""
    monkeypatch.setenv("INTERLOCK_TEMPORAL__QUEUE_PREFIX", f"{uuid.uuid4().hex[:8]}.")
    monkeypatch.setattr(runs, "_PATIENCE", timedelta(seconds=1))
    run_id = f"alone-{uuid.uuid4().hex[:8]}"
    started = interlock("run", "clerk", "hello", "--no-follow", "--id", run_id)
    assert "No worker polls yet" in started.stderr
    assert refusal("show", run_id, "--graph") == (1, "NO_WORKER")
    assert refusal("send", run_id, "hi") == (1, "NO_WORKER")
    assert answer("show", run_id)["run"]["status"] == "running"
    checks = {item["name"]: item["state"] for item in answer("doctor")["checks"]}
    assert checks["worker"] == "warn"
