"""How `Retry-After` is read from an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest

from interlock.errors import InterlockError, ToolUnavailable
from interlock.tools.retry_after import wanted_wait

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONGEST = timedelta(minutes=5)


def answered(status: int, **headers: str) -> httpx.HTTPStatusError:
    """Return what httpx raises for such an answer."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    request = httpx.Request("POST", "https://shop.test/refunds")
    response = httpx.Response(status, headers=given, request=request)
    return httpx.HTTPStatusError(f"status {status}", request=request, response=response)


def wait(error: Exception) -> float | None:
    """Return the wait that an error asks for."""
    return wanted_wait(error, NOW, LONGEST).get("retry_after_seconds")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("Wed, 25 Nov 2026 12:00:30 GMT", 30),
        ("Wed, 25 Nov 2026 12:00:30 -0000", 30),
        ("9999999999", 300),
        ("9" * 400, 300),
        ("Fri, 25 Dec 2026 12:00:00 GMT", 300),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("Wed, 25 Nov 2026 11:00:00 GMT", None),
        ("Wed, 99 Nov 2026 12:00:30 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_header_is_seconds_or_a_date_and_bounded(text: str, seconds: float | None) -> None:
    """A date counts from now; what is past, no time at all or nonsense asks for nothing."""
    assert wait(answered(429, retry_after=text)) == seconds


@pytest.mark.parametrize("status", [429, 503, 500, 413])
def test_the_header_counts_whatever_the_status(status: int) -> None:
    """A service that names a time means it, in whatever case it writes the header."""
    assert wait(answered(status, Retry_After="7")) == 7
    assert wait(answered(status)) is None


def test_the_cause_of_an_error_is_asked_too() -> None:
    """A tool that says in its own words what happened keeps the wait; its own word comes first."""
    busy = answered(429, retry_after="7")
    told = ToolUnavailable("the shop is busy")
    told.__cause__ = busy
    assert wait(told) == 7
    sooner = ToolUnavailable("the shop is busy", retry_after_seconds=2)
    sooner.__cause__ = busy
    assert wait(sooner) == 2


def test_errors_that_cause_each_other_have_an_end() -> None:
    """A circle of causes is looked at a few times, and asks for nothing."""
    error = ConnectionError("odd")
    error.__cause__ = error
    assert wait(error) is None


def test_no_time_left_is_no_wait() -> None:
    """A call whose time is over does not wait: its next attempt says that it is over."""
    assert wanted_wait(answered(429, retry_after="7"), NOW, timedelta()) == {}
    assert wanted_wait(answered(429, retry_after="7"), NOW, timedelta(seconds=-3)) == {}


def test_headers_of_other_libraries() -> None:
    """Urllib's errors have their headers themselves, aiohttp's too."""
    headers = Message()
    headers["retry-after"] = "7"
    assert wait(HTTPError("http://shop.test", 503, "busy", headers, None)) == 7
    error = ConnectionError("odd")
    error.headers = {"RETRY-AFTER": "8"}  # type: ignore[attr-defined]
    assert wait(error) == 8


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3, 3), (10**9, 300), (float("inf"), 300), (float("nan"), None), (-1, None)],
)
def test_a_tool_says_it_itself(seconds: Any, told: float | None) -> None:
    """`ToolUnavailable` takes the wait, within the same bounds."""
    error = ToolUnavailable("closed", retry_after_seconds=seconds, desk="returns")
    assert wait(error) == told
    assert error.details["desk"] == "returns"
    assert wait(ToolUnavailable("closed")) is None
    assert ToolUnavailable("closed").details == {}


@pytest.mark.parametrize("response", [None, object(), "x", type("R", (), {"status_code": 429})()])
def test_any_other_error_asks_for_nothing(response: Any) -> None:
    """What is no HTTP answer, or one without headers, is no reason to fail in another way."""
    error = InterlockError("odd") if response is None else ConnectionError("odd")
    error.response = response  # type: ignore[union-attr]
    assert wait(error) is None
