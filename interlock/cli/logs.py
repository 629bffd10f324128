"""What the processes of a deployment log: warnings and errors, without the secrets of addresses."""

from __future__ import annotations

import logging
from typing import TextIO

from interlock.errors import without_secrets


class Discreet(logging.Formatter):
    """Formats records without what addresses in them, and in tracebacks, may hold of secrets.

    The SDK and other libraries log the errors of tools as they come.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return without_secrets(super().format(record))


def log_warnings(stream: TextIO | None = None) -> None:
    """Log what is at least a warning, to the standard error stream or another one."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Discreet("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
