"""Servers of a trial: one that loses a port while it starts is started again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from interlock.testing.crash.servers import _Server, serving

_PROGRAM = """
import pathlib, sys, time
starts = pathlib.Path(sys.argv[1])
starts.write_text(starts.read_text() + "x")
if len(starts.read_text()) <= int(sys.argv[2]):
    sys.exit("address already in use")
pathlib.Path(sys.argv[3]).touch()
time.sleep(600)
"""


class Failing(_Server):
    """A program that ends at once, as often as it is told to."""

    def __init__(self, folder: Path, failures: int) -> None:
        self.starts, self._up = folder / "starts", folder / "up"
        self.starts.write_text("")
        arguments = [str(self.starts), str(failures), str(self._up)]
        super().__init__([sys.executable, "-c", _PROGRAM, *arguments], folder / "log")

    async def _answers(self) -> bool:
        return self._up.exists()


async def test_a_server_that_ends_while_it_starts_is_started_again(tmp_path: Path) -> None:
    """Whoever runs a trial does not hear of a port that was lost."""
    server = Failing(tmp_path, failures=2)
    async with serving(server):
        assert server.starts.read_text() == "xxx"


async def test_a_server_that_never_starts_is_named_with_its_log(tmp_path: Path) -> None:
    """Each start has its words there."""
    with pytest.raises(RuntimeError, match=r"ended\. Its log says why: .*log"):
        async with serving(Failing(tmp_path, failures=9)):
            pass
    assert (tmp_path / "log").read_text().count("address already in use") == 3
