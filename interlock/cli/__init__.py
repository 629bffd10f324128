"""The command line: `interlock COMMAND`. One file for each group of commands.

Commands import the rooms they need when they run, so that `interlock --help` is quick.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its code.

    Args:
        argv: The words after `interlock`; those of this process when left out.
    """
    from interlock.cli.program import app

    try:
        app(argv)
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 0)


def _leave(code: int) -> None:
    """End the process at once.

    Python's own way out takes its thread states down, and aborts (exit code 134, seen) when one of
    the Temporal SDK's native threads comes back from a call at that moment.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


__all__ = ["main"]
