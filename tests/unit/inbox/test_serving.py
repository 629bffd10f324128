"""The address of an inbox: taken, with all that it needs, before anything else starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from interlock.errors import ConfigError
from interlock.inbox.serving import taken_address
from interlock.settings import Settings

OIDC = {"issuer": "https://id.example.org", "client_id": "inbox"}


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def settings(port: int, inbox: dict[str, Any] | None = None, **more: Any) -> Settings:
    """A deployment whose inbox wants a port."""
    return Settings.model_validate({"inbox": {"port": port, **(inbox or {})}, **more})


def test_a_port_that_nobody_knows_may_be_another(taken: int) -> None:
    """Where asked to; else the message names the setting."""
    with taken_address(settings(taken), any_port=True) as address:
        port = address.listener.getsockname()[1]
        assert port != taken
        assert address.origin == f"http://127.0.0.1:{port}"
    with pytest.raises(ConfigError, match=r"'inbox\.port'"), taken_address(settings(taken)):
        pass


def test_two_that_start_at_once_do_not_share_a_port() -> None:
    """Else one of them would be told that it serves, and its people would come to the other."""
    with taken_address(settings(0)) as one:
        port = one.listener.getsockname()[1]
        with taken_address(settings(port), any_port=True) as two:
            assert two.listener.getsockname()[1] != port
        with pytest.raises(ConfigError, match=r"'inbox\.port'"), taken_address(settings(port)):
            pass


@pytest.mark.parametrize(
    "given", [{"inbox": {"public_url": "https://inbox.example.org"}}, {"oidc": OIDC}]
)
def test_a_port_that_others_know_is_kept(taken: int, given: dict[str, Any]) -> None:
    """What ends TLS before the inbox, and an identity provider, send people there."""
    with (
        pytest.raises(ConfigError, match=r"'inbox\.port'"),
        taken_address(settings(taken, **given), any_port=True),
    ):
        pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc": {**OIDC, "client_secret_env": "NOT_SET"}}, "'NOT_SET'"),
        ({"approvals": {"signing_key_env": "NOT_SET"}}, "NOT_SET"),
        ({"approvals": {"require_signature": True}}, "signing_key"),
        ({"inbox": {"public_url": "http://inbox.example.org"}}, "https://"),
        ({"inbox": {"host": "0.0.0.0"}}, r"'inbox\.host'"),
        ({"profile": "production"}, "production"),
    ],
)
def test_what_it_needs_is_missed_at_once(given: dict[str, Any], said: str) -> None:
    """Each is named, and the port is free again."""
    with pytest.raises(ConfigError, match=said), taken_address(settings(0, **given)):
        pass
