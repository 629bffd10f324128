"""In CI a skipped test fails the suite: `tests/conftest.py`, tried on small suites of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
RUNS = "def test_runs():\n    pass\n"
A_TEST = "import pytest, temporalio\ndef test_is_skipped():\n    pytest.skip('not here')\n"
A_FILE = "import pytest\npytest.importorskip('no_such_library')\n"
PARALLEL = ("-p", "xdist.plugin", "--numprocesses", "2")
"""As `make test` runs it."""


def exit_code(folder: Path, text: str, *options: str, ci: str = "") -> int:
    """Run a suite of one test that passes and of a file with `text`, with a value of `CI`."""
    shutil.copy(CONFTEST, folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_other.py").write_text(RUNS)
    (folder / "test_these.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert " passed" in done.stdout, done.stdout + done.stderr
    return done.returncode


@pytest.mark.parametrize("text", [A_TEST, A_FILE], ids=["a test", "a file"])
@pytest.mark.parametrize("options", [(), PARALLEL], ids=["one process", "two processes"])
def test_what_is_skipped_fails_the_suite_in_ci(
    tmp_path: Path, text: str, options: tuple[str, ...]
) -> None:
    """A test or a whole file, on one process and on two."""
    assert exit_code(tmp_path, text, *options, ci="true") == pytest.ExitCode.TESTS_FAILED


def test_a_suite_that_ran_whole_passes_in_ci(tmp_path: Path) -> None:
    """Nothing was skipped, so nothing fails."""
    assert exit_code(tmp_path, RUNS, ci="true") == pytest.ExitCode.OK


def test_what_is_skipped_elsewhere_is_only_shown(tmp_path: Path) -> None:
    """On one's own machine a skipped test fails nothing."""
    assert exit_code(tmp_path, A_TEST) == pytest.ExitCode.OK
