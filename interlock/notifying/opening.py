"""Opens the channels that the settings name."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial

import httpx
from pydantic import SecretStr

from interlock.addresses import is_private
from interlock.errors import ConfigError
from interlock.notifying.contract import Audience, Channel
from interlock.notifying.links import request_link
from interlock.notifying.mail import Email, Login, Server
from interlock.notifying.notifier import Notifier, Route
from interlock.notifying.posting import kept_out_of_logs
from interlock.notifying.slack import Slack
from interlock.notifying.webhook import SigningSecret, Webhook
from interlock.settings import (
    ChannelSettings,
    EmailSettings,
    InboxSettings,
    Settings,
    SlackSettings,
    WebhookSettings,
    environment_key,
)

_SECONDS = 10.0


@asynccontextmanager
async def open_notifier(settings: Settings) -> AsyncIterator[Notifier]:
    """Open the channels of a deployment.

    Raises:
        ConfigError: a secret is missing, an address or a name is wrong.
    """
    check_names(settings)
    urls = [_slack_url(given) for given in settings.notify if isinstance(given, SlackSettings)]
    async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client:
        routes = [route for given in settings.notify for route in routes_of(given, client)]
        with kept_out_of_logs(url.get_secret_value() for url in urls):
            yield Notifier(routes, partial(request_link, inbox_origin(settings.inbox)))


def check_names(settings: Settings) -> None:
    """Make sure that a name says which channel is meant.

    Raises:
        ConfigError: two have the same.
    """
    names = [given.name for given in settings.notify]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"'notify' has two channels of the name {twice[0]!r}. Give each a name of its own."
        )


def inbox_origin(settings: InboxSettings) -> str:
    """Return where the inbox is reached; empty when its port is not known before it starts."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}" if settings.port else ""


def routes_of(given: ChannelSettings, client: httpx.AsyncClient) -> Iterable[Route]:
    """Return a channel of the settings; of e-mail, one for each address.

    Raises:
        ConfigError: its secret is missing, or something of it is wrong.
    """
    audience = Audience(
        tenants=tuple(given.tenants), risks=tuple(given.risks), tiers=tuple(given.tiers)
    )
    channels: list[Channel]
    if isinstance(given, WebhookSettings):
        secret = SigningSecret(_secret(given.name, given.secret_env))
        url = _checked_url(given.name, "'url'", given.url)
        channels = [Webhook(given.name, url, secret, client)]
    elif isinstance(given, SlackSettings):
        channels = [Slack(given.name, _slack_url(given), client)]
    else:
        channels = list(_emails(given))
    return [Route(channel, audience, given.arguments) for channel in channels]


def _emails(given: EmailSettings) -> Iterable[Email]:
    login = None
    if given.password_env is not None:
        login = Login(given.username, _secret(given.name, given.password_env))
    server = Server(given.host, given.port, given.security, login)
    tls = ssl.create_default_context()
    for number, to in enumerate(given.to, start=1):
        name = given.name if len(given.to) == 1 else f"{given.name} {number}"
        yield Email(name, server, sender=given.sender, to=to, tls=tls)


def _slack_url(given: SlackSettings) -> SecretStr:
    url = _secret(given.name, given.url_env)
    _checked_url(given.name, f"the address in {given.url_env}", url.get_secret_value())
    return url


def _secret(name: str, variable: str) -> SecretStr:
    found = environment_key(variable)
    if found is None:
        raise ConfigError(
            f"notify {name!r}: the environment variable {variable!r} is empty. Put its secret there."
        )
    return SecretStr(found.get_secret_value().strip())


def _checked_url(name: str, what: str, url: str) -> str:
    """Return an address that keeps what is sent there; an error does not repeat it."""
    with suppress(httpx.InvalidURL):
        httpx.URL(url)
        if is_private(url):
            return url
    raise ConfigError(
        f"notify {name!r}: {what} has to begin with https://, or be http on this machine."
    )
