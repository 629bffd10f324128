"""The goldens replay where nothing is installed but what a replay needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.proofs import write_proof
from tests.replay.bare import LIBRARIES, SEEDS, divergences, replayed
from tests.replay.deployment import NAMES, ROOT, golden

NOT_NEEDED = frozenset(
    {
        "aiosqlite",
        "alembic",
        "cel-expr-python",
        "chromadb",
        "onnxruntime",
        "sqlalchemy",
        "sqlmodel",
        "tokenizers",
    }
)
"""What the engine requires for databases, for conditions of policies, for Chroma and for its embedder. The libraries of providers
are extras, so they are not required at all."""
APPLICATION = (
    "agents",
    "interlock.toml",
    "tools",
    "workflows",
    "tests/graphs.py",
    "tests/replay",
    "tests/throttled.py",
)
"""What is replayed; the engine comes from its wheel."""
SHOP = ("assistant-refund", "knowledge-refresh", "support-refund")
"""Goldens of the application as `interlock.toml` names it."""


def needed() -> set[str]:
    """Return the distributions that the engine requires, also through others, but for NOT_NEEDED."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo: list[tuple[str, frozenset[str]]] = [("interlock", frozenset())]
    while todo:
        name, extras = todo.pop()
        for line in requires(name) or ():
            wanted = Requirement(line)
            found = (canonicalize_name(wanted.name), frozenset(wanted.extras))
            if found[0] not in NOT_NEEDED and found not in seen and _applies(wanted, extras):
                seen.add(found)
                todo.append(found)
    return {name for name, _ in seen}


def _applies(wanted: Requirement, extras: frozenset[str]) -> bool:
    marker = wanted.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def locked(names: set[str]) -> str:
    """Return the part of the lock that is about some distributions, with their hashes."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    return "".join(entry for entry in entries if entry.partition("==")[0] in names)


class Bare:
    """An environment of its own, and beside it a copy of the application."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "venv" / "bin" / "python"
        self.project = folder / "project"
        self._folder = folder

    def make(self) -> None:
        """Install from the lock what is needed, then the wheel alone, and copy the application."""
        lock = self._folder / "needed.lock"
        lock.write_text(locked(needed()), encoding="utf-8")
        wheel = next(
            WheelBuilder(str(ROOT)).build(directory=str(self._folder), versions=["standard"])
        )
        run(sys.executable, "-m", "venv", "--without-pip", self._folder / "venv")
        self._install("--require-hashes", "-r", lock)
        self._install(wheel)
        for name in APPLICATION:
            kind = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            kind(ROOT / name, self.project / name)

    def _install(self, *what: str | Path) -> None:
        uv = Path(sys.executable).with_name("uv")
        run(uv, "pip", "install", "-q", "--python", self.python, "--no-deps", *what)

    def installed(self) -> list[str]:
        """Return all that is in the environment, as 'name==version'."""
        lister = "from importlib.metadata import distributions as d; import json; "
        lister += "print(json.dumps(sorted(f'{i.name.lower()}=={i.version}' for i in d())))"
        found: list[str] = json.loads(run(self.python, "-c", lister))
        return found

    def importable(self) -> list[str]:
        """Return which of the barred libraries the environment has all the same."""
        finder = "from importlib.util import find_spec; import json, sys; "
        finder += "print(json.dumps([n for n in sys.argv[1:] if find_spec(n)]))"
        found: list[str] = json.loads(run(self.python, "-c", finder, *LIBRARIES))
        return found

    def command(self, golden: str) -> dict[str, Any]:
        """Replay a golden with the program `interlock`, as an engineer does."""
        file = Path("tests") / "replay" / "golden" / f"{golden}.json"
        program = self.python.with_name("interlock")
        report: dict[str, Any] = json.loads(
            run(program, "replay", file, "--json", folder=self.project)
        )
        return report


def run(*words: str | Path, folder: Path | None = None) -> str:
    """Run a command that has to succeed, and return what it prints."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_only_what_is_needed_is_taken_from_the_lock() -> None:
    """The lock has every distribution that a replay needs, and none of them is a barred one."""
    names = needed()
    assert {"langgraph", "langchain-core", "temporalio", "pydantic", "typer"} <= names
    assert not names & {*NOT_NEEDED, *(name.replace("_", "-") for name in LIBRARIES)}
    entries = re.findall(r"^(\S+?)==", locked(names), flags=re.MULTILINE)
    assert set(entries) == names


def test_what_is_replayed_is_all_there() -> None:
    """What the goldens' deployment imports of these tests is copied beside it."""
    code = (ROOT / "tests/replay/deployment.py").read_text(encoding="utf-8")
    modules = re.findall(r"^from (tests\.[\w.]+) import", code, flags=re.MULTILINE)
    paths = [Path(*module.split(".")).with_suffix(".py") for module in modules]
    assert paths
    copied = [Path(name) for name in APPLICATION]
    assert [path for path in paths if not {path, *path.parents} & {*copied}] == []


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_goldens_replay_with_only_what_a_replay_needs(tmp_path: Path) -> None:
    """No database, no Chroma and no provider library is installed; every seed, every golden."""
    bare = Bare(tmp_path)
    bare.make()
    assert bare.importable() == []
    found = [replayed(bare.python, bare.project, seed) for seed in SEEDS]
    for each in found:
        assert Path(each["engine"]).is_relative_to(tmp_path / "venv")
        assert sorted(each["reports"]) == list(NAMES)
        assert divergences(each) == {}
        assert each == found[0]
    assert [bare.command(name)["divergences"] for name in SHOP] == [[]] * len(SHOP)
    write_proof(
        "replay",
        {
            "installed": bare.installed(),
            "not_importable": list(LIBRARIES),
            "replays": sum(len(each["reports"]) for each in found),
            "divergences": sum(len(divergences(each)) for each in found),
            "replayed_by_command": list(SHOP),
            "goldens": {
                name: {
                    "workflow": golden(name).workflow_type,
                    "events": report["events"],
                    "commands": report["commands"],
                }
                for name, report in found[0]["reports"].items()
            },
        },
        seeds=[int(seed) for seed in SEEDS],  # of Python's hashes
    )
