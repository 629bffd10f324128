"""`interlock inbox`: it serves, signs in by the link that it prints, and ends on a signal."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.cli.conftest import Deployment, Start


@pytest.fixture
def served(start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Start the inbox on a free port and give its ready line; a signal ends it cleanly."""
    monkeypatch.setenv("INTERLOCK_INBOX__PORT", "0")
    monkeypatch.setenv(
        "INTERLOCK_PEOPLE", '[{"subject": "ada", "roles": ["reviewer"], "tenants": ["north"]}]'
    )
    process = start("inbox", "--as", "ada", "--json")
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    yield json.loads(line)
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, ""), errors


def test_the_printed_link_signs_in_whom_the_configuration_names(served: dict[str, Any]) -> None:
    """The link leads to a form; sent, it signs in once, as the person that it was made for."""
    link = httpx.URL(served["link"])
    assert str(link).startswith(served["inbox"])
    with httpx.Client(base_url=served["inbox"]) as browser:
        assert browser.get("/api/v1/me").status_code == 401
        assert "Sign in" in browser.get(link).text
        sent = browser.post("/login/link", data={"token": link.params["token"]})
        assert (sent.status_code, sent.headers["location"]) == (303, "/")
        assert browser.get("/api/v1/me").json() == {
            "subject": "ada",
            "name": "",
            "roles": ["reviewer"],
            "tenants": ["north"],
        }
        assert browser.get("/api/v1/requests").json()["requests"] == []
    with httpx.Client(base_url=served["inbox"]) as another:
        again = another.post("/login/link", data={"token": link.params["token"]})
        assert again.status_code == 401


def test_a_key_opens_the_api_until_it_is_revoked(
    served: dict[str, Any], answer: Callable[..., Any], refusal: Callable[..., Any]
) -> None:
    """A key is made, listed without its secret, and revoked by commands."""
    made = answer("inbox", "key", "create", "nightly", "--role", "caller", "--tenant", "north")
    listed = answer("inbox", "key", "list")
    (mine,) = [key for key in listed if key["label"] == "nightly"]
    assert made["key"] not in json.dumps(listed)
    headers = {"Authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=served["inbox"], headers=headers) as program:
        assert program.get("/api/v1/me").json()["subject"] == "machine:nightly"
        assert program.get("/api/v1/runs").status_code == 200
        answer("inbox", "key", "revoke", mine["id"])
        assert program.get("/api/v1/me").status_code == 401
    assert refusal("inbox", "key", "revoke", mine["id"]) == (1, "BAD_INPUT")


def test_up_serves_the_inbox_too(deployment: Deployment) -> None:
    """Whoever starts a deployment may do everything in it."""
    ready = deployment.ready
    with httpx.Client(base_url=ready["inbox"]) as browser:
        token = httpx.URL(ready["link"]).params["token"]
        assert browser.post("/login/link", data={"token": token}).status_code == 303
        me = browser.get("/api/v1/me").json()
    assert (me["roles"], me["tenants"]) == (["admin", "caller", "operator", "reviewer"], ["*"])


def test_another_link_is_printed_for_an_inbox_that_runs(answer: Callable[..., Any]) -> None:
    """Its address is the one of the settings."""
    found = answer("inbox", "link", "--as", "zoe")
    assert found["link"].startswith("http://127.0.0.1:8321/login/link?token=")


def test_a_port_that_is_taken_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which setting to change."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("INTERLOCK_INBOX__PORT", str(port))
        process = start("inbox", "--json")
        answer, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    error = json.loads(answer)["error"]
    assert error["code"] == "CONFIG_INVALID"
    assert f"127.0.0.1:{port}" in error["message"]
    assert "'inbox.port'" in error["message"]
