"""A deployment that `interlock up` runs for the tests of this folder, and the program to talk to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from interlock.approvals.contract import ApprovalRequest
from interlock.approvals.signatures import SigningKey
from interlock.cli.program import app
from interlock.replay.reader import StepReader
from interlock.replay.steps import Asked
from interlock.runs.client import Runs
from tests.terminal import INTERLOCK, Terminal

PROJECT = Path(__file__).with_name("project")
_GOODBYE = 30.0

KEY = SigningKey.new()
PEOPLE = f"""
[approvals.keys.{KEY.id}]
public = "{KEY.public}"

[[people]]
subject = "ann"
roles = ["reviewer"]
tenants = ["default"]

[[people]]
subject = "noor"
roles = ["reviewer"]
tenants = ["north"]
"""
"""Whom commands may sign for, and the key that the worker verifies with."""


@dataclass
class Deployment:
    """A project folder, and what `interlock up` said when it was ready there."""

    folder: Path
    ready: dict[str, Any]
    process: subprocess.Popen[str]


def _start(*words: str, folder: Path) -> subprocess.Popen[str]:
    """Start the program as a user does, with pipes for its streams."""
    environment = {key: value for key, value in os.environ.items() if key != "TEMPORAL_ADDRESS"}
    return subprocess.Popen(
        [*INTERLOCK, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The project of this folder, run by `interlock up`; ended by SIGTERM, cleanly."""
    folder = tmp_path_factory.mktemp("till") / "project"
    shutil.copytree(PROJECT, folder)
    with (folder / "interlock.toml").open("a", encoding="utf-8") as settings:
        settings.write(PEOPLE)
    process = _start("up", "--json", "--no-ui", folder=folder)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, errors = process.communicate()
        raise AssertionError(errors)
    yield Deployment(folder, json.loads(line), process)
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=_GOODBYE)
    assert (process.returncode, rest) == (0, ""), errors
    assert not (folder / ".interlock" / "up.json").exists()


Start = Callable[..., subprocess.Popen[str]]
Interlock = Callable[..., Result]


@pytest.fixture
def start(deployment: Deployment) -> Iterator[Start]:
    """Start the program in a process of its own, in the project's folder or in another."""
    started: list[subprocess.Popen[str]] = []

    def call(*words: str, folder: Path | None = None) -> subprocess.Popen[str]:
        started.append(_start(*words, folder=folder or deployment.folder))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def terminal(deployment: Deployment) -> Iterator[Callable[..., Terminal]]:
    """Start the program at a terminal, in the project's folder."""
    opened: list[Terminal] = []

    def call(*words: str) -> Terminal:
        opened.append(Terminal(deployment.folder, *INTERLOCK, *words))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


@pytest.fixture
def interlock(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Interlock:
    """Run one command in the project's folder."""
    monkeypatch.chdir(deployment.folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)

    def call(*words: str) -> Result:
        # In a thread, because a command runs an event loop and the tests have one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(CliRunner().invoke, app, list(words)).result()

    return call


@pytest.fixture
def answer(interlock: Interlock) -> Callable[..., Any]:
    """Run one command with --json that has to succeed, and return what it prints."""

    def call(*words: str) -> Any:
        done = interlock(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return call


@pytest.fixture
def refusal(interlock: Interlock) -> Callable[..., tuple[int, str]]:
    """Run one command with --json that has to fail; return its exit code and the error's code."""

    def call(*words: str) -> tuple[int, str]:
        done = interlock(*words, "--json")
        return done.exit_code, str(json.loads(done.stdout)["error"]["code"])

    return call


@pytest.fixture
def asked(interlock: Interlock) -> Callable[[str], ApprovalRequest]:
    """Wait until a run asks a person, and return what it asks."""

    async def wait(workflow_id: str) -> ApprovalRequest:
        runs, reader = await Runs.connect(), StepReader()
        async for event in runs.events(workflow_id):
            if any(isinstance(step, Asked) for step in reader.feed(event)):
                return (await runs.pending(workflow_id))[0]
        raise AssertionError(f"run {workflow_id!r} ended without asking anybody")

    def call(workflow_id: str) -> ApprovalRequest:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, wait(workflow_id)).result()

    return call


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have the key that signs; the worker does not."""
    monkeypatch.setenv("TILL_KEY", KEY.text.get_secret_value())
    monkeypatch.setenv("INTERLOCK_APPROVALS__SIGNING_KEY_ENV", "TILL_KEY")


@pytest.fixture
def steps_of(interlock: Interlock, answer: Callable[..., Any]) -> Callable[[str], list[Any]]:
    """Wait for the end of a run, and return its steps as `show` prints them."""

    async def end(workflow_id: str) -> None:
        runs = await Runs.connect()
        async for _ in runs.events(workflow_id):
            pass

    def call(workflow_id: str) -> list[Any]:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, end(workflow_id)).result()
        found: list[Any] = answer("show", workflow_id)["steps"]
        return found

    return call
