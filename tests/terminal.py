"""The program at a terminal, for the tests of several rooms."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

_GOODBYE = 30.0


class Terminal:
    """The program as a person at a terminal sees it."""

    def __init__(self, folder: Path, *words: str) -> None:
        master, slave = pty.openpty()
        self._screen = os.fdopen(master, "r+b", buffering=0)
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from interlock.cli import main; main()", *words],
            cwd=folder,
            env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.text = ""

    def reads(self, words: str) -> str:
        """Wait until `words` are on the screen, and return what came since the last time.

        Raises:
            AssertionError: the program ended without them.
        """
        while words not in self.text:
            try:
                self.text += self._screen.read(4096).decode(errors="replace")
            except OSError as error:  # how a pty says that nobody is there any more
                raise AssertionError(f"no {words!r} in: {self.text}") from error
        seen, _, self.text = self.text.partition(words)
        return seen

    def types(self, line: str) -> None:
        """Type a line."""
        self._screen.write(f"{line}\n".encode())

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what came since the last time."""
        with contextlib.suppress(OSError):  # how a pty says that nobody is there any more
            while more := self._screen.read(4096):
                self.text += more.decode(errors="replace")
        return self.process.wait(_GOODBYE), self.text

    def close(self) -> None:
        """End the program and the terminal."""
        self.process.kill()
        self.process.wait()
        self._screen.close()
