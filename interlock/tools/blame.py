"""Whether an error of a tool is a failure of what the tool calls. Pure."""

from __future__ import annotations

from typing import Any

import httpx

from interlock.errors import ModelMistake, ToolFailed, ToolUnavailable
from interlock.tools.calling import CallEnded
from interlock.tools.retry_after import causes

_SERVER_ERROR = 500


def is_dependencys_failure(error: BaseException) -> bool | None:
    """Say whether the dependency failed, or has answered; None when the error tells neither.

    Failures are timeouts, lost or refused connections, answers from 500 on, and a tool's own
    `ToolUnavailable`. A clear no, the model's mistake and any other HTTP answer, 429 among them, are
    answers. A mistake in the tool's code and a cancellation tell nothing.
    """
    for each in causes(error):
        status = _status(each)
        if status is not None:
            return status >= _SERVER_ERROR
    if isinstance(error, ModelMistake | ToolFailed):
        return False
    if isinstance(error, CallEnded):
        return None if error.was_cancelled else True
    if isinstance(error, ToolUnavailable) or any(map(_is_connection, causes(error))):
        return True
    return None


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error, whichever library raised it."""
    response: Any = getattr(error, "response", None)
    for holder, name in (
        (response, "status_code"),
        (error, "status_code"),
        (error, "status"),
        (error, "code"),
    ):
        found = getattr(holder, name, None)
        if isinstance(found, int):
            return found
    return None


def _is_connection(error: BaseException) -> bool:
    # An OSError about a file is a mistake of the tool; one about a connection names no file.
    is_about_a_file = isinstance(error, OSError) and error.filename is not None
    kinds = (OSError, TimeoutError, httpx.TransportError)
    return isinstance(error, kinds) and not is_about_a_file
