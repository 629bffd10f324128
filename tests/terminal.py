"""A terminal for the tests of several rooms: what a person reads there, and what they type."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

INTERLOCK = (sys.executable, "-c", "from interlock.cli import main; main()")
"""What starts the program."""
_GOODBYE = 30.0


class Terminal:
    """A program as a person at a terminal sees it."""

    def __init__(
        self, folder: Path, *command: str, environment: Mapping[str, str] = os.environ
    ) -> None:
        master, slave = pty.openpty()
        self._screen = os.fdopen(master, "r+b", buffering=0)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "COLUMNS": "200", "TERM": "dumb"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.text = ""

    def reads(self, words: str) -> str:
        """Wait until `words` are on the screen, and return what came since the last time.

        Raises:
            AssertionError: the program ended before; the message has what it said.
        """
        while words not in self.text:
            try:
                self.text += self._screen.read(4096).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"no {words!r} in:\n{self.text}") from error
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

    def interrupt(self) -> None:
        """Press Ctrl-C, so that a program which still runs can end what it started."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GOODBYE)

    def close(self) -> None:
        """End the program and the terminal."""
        self.process.kill()
        self.process.wait()
        self._screen.close()
