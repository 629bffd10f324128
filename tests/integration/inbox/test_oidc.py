"""Signing in at an identity provider that is a process of its own, and tokens of its making."""

from __future__ import annotations

import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import SecretStr

from interlock.cli.signing_in import signing_in
from interlock.errors import ConfigError, OperatorError
from interlock.inbox.app import application
from interlock.inbox.oidc import Provider
from interlock.inbox.opening import open_inbox, provider_of
from interlock.inbox.services import Inbox
from interlock.runs.client import Runs
from interlock.settings import OidcSettings, Settings
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import ORIGIN
from tests.integration.inbox.issuer import CLIENT

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Start the provider and give its address."""
    words = [sys.executable, "-m", "tests.integration.inbox.issuer"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.communicate()


@pytest_asyncio.fixture(loop_scope="session")
async def with_oidc(env: WorkerEnv, issuer: str) -> AsyncIterator[Inbox]:
    """An inbox that knows the provider, and one person by configuration."""
    given = env.app.settings.model_dump() | {
        "oidc": {
            "issuer": issuer,
            "client_id": CLIENT,
            "roles": {"grp-support": "reviewer"},
        },
        "people": [{"subject": "u-boss", "roles": ["operator"], "tenants": ["*"]}],
        "inbox": {"logins_per_minute": 1000},
    }
    settings = type(env.app.settings)(**given)
    runs = Runs(settings, env.client)
    async with open_inbox(settings, runs, origin=ORIGIN, runtime=env.app.runtime) as inbox:
        yield inbox


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(with_oidc: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before that inbox."""
    transport = httpx.ASGITransport(application(with_oidc))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def provider(issuer: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the provider."""
    async with httpx.AsyncClient(base_url=issuer) as client:
        yield client


async def _sent_there(visitor: httpx.AsyncClient) -> str:
    left = await visitor.get("/login/oidc", params={"next": "/runs"})
    assert left.status_code == 303
    return left.headers["Location"]


async def _sign_in(visitor: httpx.AsyncClient, provider: httpx.AsyncClient, **claims: Any) -> Any:
    await provider.post("/next", json=claims)
    back = await provider.get(await _sent_there(visitor))
    assert back.status_code == 302, back.text
    return await visitor.get(back.headers["Location"])


async def test_a_person_signs_in_at_the_provider(
    visitor: httpx.AsyncClient, provider: httpx.AsyncClient
):
    """The browser comes back signed in, with the roles and tenants that its claims map to."""
    claims = {
        "sub": "u-1",
        "name": "Uma",
        "roles": ["grp-support", "grp-canteen"],
        "tenants": "north",
    }
    back = await _sign_in(visitor, provider, **claims)
    assert (back.status_code, back.headers["Location"]) == (303, "/runs")
    me = (await visitor.get("/api/v1/me")).json()
    assert me == {"subject": "u-1", "name": "Uma", "roles": ["reviewer"], "tenants": ["north"]}


async def test_of_a_configured_person_the_claims_do_not_count(
    visitor: httpx.AsyncClient, provider: httpx.AsyncClient
):
    """What stands in `people` wins."""
    await _sign_in(visitor, provider, sub="u-boss", roles=["grp-support"], tenants=["south"])
    me = (await visitor.get("/api/v1/me")).json()
    assert (me["roles"], me["tenants"]) == (["operator"], ["*"])


async def test_who_comes_back_uninvited_is_not_signed_in(
    visitor: httpx.AsyncClient, provider: httpx.AsyncClient
):
    """Another browser's answer, one that was used, another state and an error sign nobody in."""
    await provider.post("/next", json={"sub": "u-1"})
    back = (await provider.get(await _sent_there(visitor))).headers["Location"]
    state = httpx.URL(back).params["state"]
    other = back.replace(state, "x" * len(state))
    assert (await visitor.get(other)).status_code == 401
    assert (await visitor.get(back)).status_code == 401  # the attempt is used up
    back = (await provider.get(await _sent_there(visitor))).headers["Location"]
    visitor.cookies.clear()
    assert (await visitor.get(back)).status_code == 401
    back = (await provider.get(await _sent_there(visitor))).headers["Location"]
    odd = back.replace(httpx.URL(back).params["state"], "%C3%BC")
    assert (await visitor.get(odd)).status_code == 401
    assert (await visitor.get("/login/callback", params={"error": "denied"})).status_code == 401
    assert (await visitor.get("/api/v1/me")).status_code == 401


async def test_an_answer_to_another_request_is_refused(
    visitor: httpx.AsyncClient, provider: httpx.AsyncClient
):
    """A token with another nonce was made for somebody else's sign-in."""
    for nonce in ("another", "ü", 7, None):
        back = await _sign_in(visitor, provider, sub="u-1", nonce=nonce)
        assert back.status_code == 401
    assert (await visitor.get("/api/v1/me")).status_code == 401


async def _me(visitor: httpx.AsyncClient, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await visitor.get("/api/v1/me", headers=headers)).status_code


async def test_a_bearer_token_of_the_provider_is_taken_while_it_holds(
    visitor: httpx.AsyncClient, provider: httpx.AsyncClient, issuer: str
):
    """Another audience, issuer, time or signature, and none at all, are refused."""

    async def minted(**claims: Any) -> str:
        told = await provider.post("/mint", json={"claims": {"sub": "u-2", **claims}})
        return str(told.json()["token"])

    good = await minted()
    assert await _me(visitor, good) == 200
    assert await _me(visitor, await minted(aud="another")) == 401
    assert await _me(visitor, await minted(iss="https://evil.test")) == 401
    assert await _me(visitor, await minted(exp=int(time.time()) - 60)) == 401
    assert await _me(visitor, await minted(nbf=int(time.time()) + 600)) == 401
    head, body, signature = good.split(".")
    assert await _me(visitor, f"{head}.{body}.{signature[:-8]}AAAAAAAA") == 401
    unsigned = jwt.encode(
        {"alg": "HS256", "kid": "first"},
        {"iss": issuer, "aud": CLIENT, "sub": "u-2", "exp": time.time() + 60},
        OctKey.import_key("a secret that anybody may have chosen"),
    )
    assert await _me(visitor, unsigned) == 401
    assert await _me(visitor, "x" * 20_000) == 401


async def test_keys_are_fetched_again_when_the_provider_has_new_ones(
    visitor: httpx.AsyncClient,
    provider: httpx.AsyncClient,
    with_oidc: Inbox,
    monkeypatch: pytest.MonkeyPatch,
):
    """A token under a new key is taken, but strays do not have the keys fetched over and over."""

    async def minted() -> str:
        return str((await provider.post("/mint", json={"claims": {"sub": "u-3"}})).json()["token"])

    old = await minted()
    assert await _me(visitor, old) == 200
    await provider.post("/rotate")
    new = await minted()
    assert await _me(visitor, new) == 401  # fetched a moment ago
    monkeypatch.setattr("interlock.inbox.oidc._KEYS_SECONDS", 0.0)
    assert await _me(visitor, new) == 200
    assert await _me(visitor, old) == 401


async def test_a_provider_that_is_away_makes_no_known_key_forgotten(
    provider: httpx.AsyncClient, issuer: str, monkeypatch: pytest.MonkeyPatch
):
    """A stray token has the keys fetched anew; while that fails, good ones are still believed."""
    answers = {"up": True}

    async def serve(request: httpx.Request) -> httpx.Response:
        return await provider.get(request.url) if answers["up"] else httpx.Response(503, json={})

    monkeypatch.setattr("interlock.inbox.oidc._KEYS_SECONDS", 0.0)
    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as through:
        client = Provider(OidcSettings(issuer=issuer, client_id=CLIENT), through, None)
        told = await provider.post("/mint", json={"claims": {"sub": "u-4"}})
        token = str(told.json()["token"])
        assert (await client.verified(token))["sub"] == "u-4"
        answers["up"] = False
        with pytest.raises(OperatorError):
            await client.verified("a.stray.token")
        assert (await client.verified(token))["sub"] == "u-4"


async def test_a_provider_is_asked_over_tls_only():
    """Whoever can change what it says on the way could sign in as anybody."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as http:
        settings = OidcSettings(issuer="http://id.test", client_id=CLIENT)
        with pytest.raises(ConfigError, match="https://"):
            await Provider(settings, http, None).verified("a.b.c")


async def test_a_clients_secret_is_said_as_the_provider_wants_it(
    provider: httpx.AsyncClient, issuer: str
):
    """In the form where it is taken there, and else in the header, encoded as OAuth says."""
    settings = OidcSettings(issuer=issuer, client_id=CLIENT)
    said = []
    for methods in (["client_secret_post", "client_secret_basic"], ["client_secret_basic"]):
        await provider.post("/secrets", json=methods)
        client = Provider(settings, provider, SecretStr("s:e crét"))
        asked = {"redirect_uri": f"{ORIGIN}/login/callback", "nonce": "n", "verifier": "v" * 43}
        await provider.post("/next", json={"sub": "u-1"})
        left = await client.where_to_sign_in(state="s", **asked)
        code = httpx.URL((await provider.get(left)).headers["Location"]).params["code"]
        assert (await client.exchange(code, **asked))["sub"] == "u-1"
        said.append((await provider.post("/secrets", json=["client_secret_basic"])).json())
    encoded = b64encode(b"inbox:s%3Ae+cr%C3%A9t").decode()
    assert said == [
        {"header": "", "form": "s:e crét"},
        {"header": f"Basic {encoded}", "form": ""},
    ]


async def test_doctor_asks_the_provider(issuer: str) -> None:
    """One that answers is told where people come back to; another address and name are told."""

    async def said(address: str) -> tuple[str, str]:
        oidc = OidcSettings(issuer=address, client_id=CLIENT)
        (finding,) = await signing_in(Settings(oidc=oidc))
        return finding.state, finding.message

    state, message = await said(issuer)
    assert state == "ok"
    assert "http://127.0.0.1:8321/login/callback" in message
    state, message = await said(f"{issuer}/")
    assert (state, f"calls itself {issuer!r}" in message) == ("fail", True)
    state, message = await said(f"{issuer}/elsewhere")
    assert (state, "does not answer at" in message) == ("fail", True)
    assert await signing_in(Settings()) == []


async def test_a_clients_secret_that_is_not_there_is_named(
    provider: httpx.AsyncClient, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody signs in: without it the provider would take nobody."""
    monkeypatch.delenv("INBOX_SECRET", raising=False)
    oidc = OidcSettings(issuer=issuer, client_id=CLIENT, client_secret_env="INBOX_SECRET")
    with pytest.raises(ConfigError, match="'INBOX_SECRET'"):
        provider_of(Settings(oidc=oidc), provider)
    monkeypatch.setenv("INBOX_SECRET", "s")
    assert provider_of(Settings(oidc=oidc), provider) is not None
