"""The command line: `interlock COMMAND`. One file for each group of commands.

Commands import the rooms they need when they run, so that `interlock --help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from interlock.cli.leaving import leave


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code.

    Args:
        argv: The words after `interlock`; those of this process when left out.
    """
    from interlock.cli.program import app

    try:
        app(argv)
    except SystemExit as ended:
        if "temporalio" in sys.modules:
            leave(ended.code if isinstance(ended.code, int) else 0)
        raise
    raise SystemExit(0)


__all__ = ["main"]
