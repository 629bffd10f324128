"""The command line: `interlock COMMAND`. One file for each group of commands.

Commands import the rooms they need when they run, so that `interlock --help` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its code.

    Args:
        argv: The words after `interlock`; those of this process when left out.
    """
    from interlock.cli.leaving import leave
    from interlock.cli.program import app

    try:
        app(argv)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)


__all__ = ["main"]
