"""Proofs say what they need to be judged and repeated: `tests/proofs.py`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plots import PLOTS, digest
from tests.proofs import has_changes

ROOT = Path(__file__).parents[2]


def calls_of_write_proof() -> Iterator[tuple[str, ast.Call]]:
    """Every place that writes a proof, with its file."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "write_proof":
                yield path.name, node


def test_every_proof_says_its_seeds() -> None:
    """A proof names the seeds that it draws from, or says that it draws nothing."""
    calls = list(calls_of_write_proof())
    assert len(calls) >= 6
    silent = [name for name, call in calls if "seeds" not in {word.arg for word in call.keywords}]
    assert silent == []


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (None, False),
        ("docs/proof/crash.json", False),
        ("docs/images/proof/rate.png", False),
        ("docs/proof.md", True),
        ("new.py", True),
    ],
)
def test_only_changes_beside_proofs_count(tmp_path: Path, path: str | None, changed: bool) -> None:
    """A proof that another one of the same run wrote is no uncommitted change."""
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    if path is not None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert has_changes(tmp_path) is changed


@pytest.mark.parametrize("proof", PLOTS)
def test_plots_are_of_the_proof_as_it_is_written(proof: str) -> None:
    """Each was drawn from the committed figures and from nothing else, and a page shows it."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    now = digest((ROOT / "docs" / "proof" / f"{proof}.json").read_bytes())
    for name in PLOTS[proof]:
        image = ROOT / "docs" / "images" / "proof" / f"{name}.png"
        assert now.encode() in image.read_bytes(), "`python -m tests.plots` draws it anew"
        assert f"(images/proof/{name}.png)" in pages


PROOF = """
from tests import proofs

def test_proof(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "ROOT", tmp_path)
    proofs.progress("half of it")
    proofs.write_proof("half", {"tried": 1}, seeds=[7])
    assert '"seeds": [\\n  7\\n ]' in (tmp_path / "docs" / "proof" / "half.json").read_text()
"""


def test_a_proof_shows_how_far_it_is_and_what_it_wrote(tmp_path: Path) -> None:
    """As `make proof` runs it: lines on the screen, although output is captured, and the files."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_half.py").write_text(PROOF)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.proofs", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, _, after = done.stdout.partition(" proofs ===")
    assert "\n  half of it\n" in before
    assert "docs/proof/half.json" in after
