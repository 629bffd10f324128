"""How a process that used Temporal ends."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process at once, with everything that was printed written out.

    Threads of the Temporal SDK's core may still call into Python while the interpreter is being
    torn down, which ends the process with "Fatal Python error: PyGILState_Release" and exit code
    134 after its work is done (temporalio/sdk-python issue 300). Nothing here relies on what the interpreter does at its end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
