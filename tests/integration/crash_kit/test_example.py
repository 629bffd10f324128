"""The crash kit in the hands of a user: the page's example, in a project of `interlock init`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import template

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "crash-kit.md").read_text(encoding="utf-8")
POINT = "note after_call"


def blocks() -> list[str]:
    """The page's Python blocks: the test, the agent, and the reviewer."""
    return re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project made by `interlock init`, with the agent and the test of the page."""
    test, agent, decide = blocks()
    folder = template.write(tmp_path, "shop", None).folder
    (folder / "clerk.py").write_text(agent, encoding="utf-8")
    whole = test.replace("\n\n\ndef test_", f"\n\n{decide}\n\ndef test_")
    (folder / "tests" / "test_crash.py").write_text(whole, encoding="utf-8")
    return folder


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the project's crash test as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_crash.py", *options],
        cwd=folder,
        env={
            **os.environ,
            "INTERLOCK_AGENTS": '["clerk:clerk"]',
            "INTERLOCK_MEMORY__EMBEDDER": "hashing",
            # Plugins of other libraries, of which each process would load seconds of imports.
            "PYTEST_ADDOPTS": "-p no:schemathesis -p no:langsmith_plugin",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def deny(project: Path) -> Path:
    """Copy the project, with a tool that says of its lost call that it did not happen."""
    folder = shutil.copytree(project, project.with_name("denying"))
    agent = (folder / "clerk.py").read_text(encoding="utf-8")
    denying = agent.replace("timeout_seconds=2)", "timeout_seconds=2, reconcile=deny)")
    denying = denying.replace(
        "@tool", "async def deny(key: str) -> str | None:\n    return None\n\n\n@tool"
    )
    (folder / "clerk.py").write_text(denying, encoding="utf-8")
    return folder


def reports(folder: Path) -> dict[str, Any]:
    """What the run of a project's crash test wrote, by test."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def test_the_example_passes_and_a_tool_that_repeats_itself_is_named(project: Path) -> None:
    """Killed after its call the clerk writes once; one that denies its call writes twice, and fails."""
    options = [f"--interlock-crash=point:{POINT}", "--interlock-crash-json=report.json"]
    with ThreadPoolExecutor() as threads:  # at once: most of the time a dead worker is missed
        sound, broken = threads.map(lambda at: run_pytest(at, *options), (project, deny(project)))
    assert sound.returncode == 0, sound.stdout + sound.stderr
    (found,) = reports(project)["tests/test_crash.py::test_a_note_is_written_once"]
    assert [trial["point"] for trial in found["trials"]] == [POINT]
    assert found["trials"][0]["worker_killed"] is True
    assert found["undisturbed"]["effects"] == ["lamp"]
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert f"the first point that breaks an invariant is '{POINT}'" in broken.stdout
    assert "no effect is doubled" in broken.stdout
    (found,) = reports(project.with_name("denying")).popitem()[1]
    assert found["breaches"][0]["actual"] == {"lamp": 2}


def test_a_plan_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """The message says what is allowed."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_crash.py").write_text("def test_it(): pass\n", encoding="utf-8")
    done = run_pytest(tmp_path, "--interlock-crash=sometimes")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "sometimes" in done.stderr
    assert "every-point" in done.stderr


def test_one_report_of_several_processes_is_refused(tmp_path: Path) -> None:
    """With pytest-xdist each process would write the file over."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_crash.py").write_text("def test_it(): pass\n", encoding="utf-8")
    done = run_pytest(tmp_path, "-n", "2", "--interlock-crash-json=report.json")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "pytest-xdist" in done.stderr
    assert not (tmp_path / "report.json").exists()
