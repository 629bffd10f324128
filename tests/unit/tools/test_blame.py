"""Which errors of a tool are failures of what it calls."""

from __future__ import annotations

import socket
from email.message import Message
from urllib.error import HTTPError

import httpx
import openai
import pytest
import requests

from interlock.errors import BadArguments, ToolFailed, ToolRetry, ToolUnavailable
from interlock.tools.blame import is_dependencys_failure
from interlock.tools.calling import CallEnded
from tests.unit.tools.test_retry_after import answered

REQUEST = httpx.Request("POST", "https://shop.test")


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error that was raised from another."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        answered(500),
        answered(503),
        TimeoutError(),
        ConnectionResetError("reset"),
        socket.gaierror(-2, "no such host"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
        openai.APITimeoutError(REQUEST).with_traceback(None),
        ToolUnavailable("closed"),
        HTTPError("http://shop.test", 502, "bad gateway", Message(), None),
        CallEnded("no answer within 1 s", still_running=False),
        CallEnded("no answer within 1 s, and it still runs", still_running=True),
        caused(RuntimeError("the shop is down"), httpx.ConnectError("refused")),
        caused(ToolUnavailable("the shop is down"), answered(503)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failures_of_the_dependency(error: Exception) -> None:
    """Timeouts, connections, answers from 500 on, and a tool's own word."""
    if isinstance(error, openai.APITimeoutError):
        error.__cause__ = httpx.ReadTimeout("slow")  # as its client raises it
    assert is_dependencys_failure(error) is True


@pytest.mark.parametrize(
    "error",
    [
        answered(404),
        answered(429),
        ToolFailed("declined"),
        ToolRetry("no such order"),
        BadArguments("wrong"),
        caused(ToolUnavailable("busy"), answered(429)),
        caused(ToolFailed("declined"), answered(409)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_answers_of_the_dependency(error: Exception) -> None:
    """A clear no, a mistake of the model and being busy show that it is there."""
    assert is_dependencys_failure(error) is False


@pytest.mark.parametrize(
    "error",
    [
        KeyError("total"),
        FileNotFoundError(2, "no such file", "prices.csv"),
        CallEnded("it was cancelled", still_running=False, was_cancelled=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_tells_nothing(error: Exception) -> None:
    """A mistake in the tool's code and a cancellation say nothing of the dependency."""
    assert is_dependencys_failure(error) is None
