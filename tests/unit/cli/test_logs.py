"""Logs of a worker and of the inbox: what went wrong, without keys that addresses hold."""

from __future__ import annotations

import logging
from io import StringIO

import pytest

from interlock.cli.logs import log_warnings


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is logged, by a process that has no handler yet."""
    stream = StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.NOTSET)
    log_warnings(stream)
    return stream


def test_a_traceback_of_a_library_is_logged_without_its_key(log: StringIO) -> None:
    """Also where one error has another as its cause; the place and the reason stay."""
    address = "https://ann:hunter2@crm.example/orders?api_key=hunter2"
    try:
        try:
            raise ConnectionError(f"GET {address} failed")
        except ConnectionError as error:
            raise RuntimeError(f"no answer of {address}") from error
    except RuntimeError:
        logging.getLogger("temporalio.activity").warning(
            "the call of %s failed", address, exc_info=True
        )
    said = log.getvalue()
    assert "hunter2" not in said
    assert said.startswith(
        "WARNING temporalio.activity: the call of https://...@crm.example/orders?"
    )
    assert said.count("crm.example/orders") == 3
    for kept in ("ConnectionError: GET", "RuntimeError: no answer of", "Traceback"):
        assert kept in said


def test_what_is_no_warning_is_not_logged(log: StringIO) -> None:
    """Whoever runs a worker sees what needs them."""
    logging.getLogger("httpx").info("HTTP Request: GET https://crm.example")
    assert log.getvalue() == ""
