"""The API as its description tells of it: every operation, for every person."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings

from interlock.inbox.app import LARGEST_BODY
from interlock.inbox.headers import HEADERS
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import ORIGIN, Ask, Client

DESCRIPTION = "/api/v1/openapi.json"
Operation = tuple[str, str, dict[str, Any]]


async def operations(client: httpx.AsyncClient) -> list[Operation]:
    """Return what the description has: method, path and what it says of it."""
    paths = (await client.get(DESCRIPTION)).json()["paths"]
    return [
        (method.upper(), path, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def filled(path: str, *, key: str, workflow_id: str) -> str:
    """Return a path with names in it."""
    return path.replace("{key}", key).replace("{workflow_id}", workflow_id)


def _body(path: str, request: dict[str, Any]) -> Any:
    choice = {"verb": "reject", "digest": request["digest"]}
    if path.endswith("/hitl"):
        return {"decisions": [{"type": "reject"}]}
    return (
        choice if path.endswith("/decision") else {"decisions": [{**choice, "key": request["key"]}]}
    )


async def test_no_operation_shows_or_changes_another_tenants_things(
    env: WorkerEnv, ask: Ask, client: Client
):
    """Whatever ben of the south calls with the names of the north's things, he finds nothing.

    The same calls by ada of the north find them, so the test would see a leak.
    """
    secret = "north-only-7f3a"
    handle, request = await ask(tenant="north", order=secret, text=secret)
    ada, ben = await client("ada"), await client("ben")
    found = await operations(ada)
    assert len(found) >= 12
    shown = set()
    for method, path, _ in found:
        address = filled(path, key=request["key"], workflow_id=handle.id)
        sent = {"json": _body(path, request)} if method == "POST" else {}
        headers = {"If-Match": f'"{request["digest"]}"'}
        if method == "GET":
            seen = await ada.get(address)
            assert seen.status_code == 200, (address, seen.text)
            shown |= {path} if secret in seen.text or handle.id in seen.text else set()
        hidden = await ben.request(method, address, headers=headers, **sent)
        assert secret not in hidden.text, address
        if "{" in path:
            assert hidden.status_code == 404, (address, hidden.text)
            assert handle.id not in hidden.text or "there is no run" in hidden.text
        elif path == "/api/v1/decisions":
            (answer,) = hidden.json()["answers"]
            assert (answer["accepted"], answer["code"]) == (False, "REQUEST_NOT_FOUND")
        else:
            assert handle.id not in hidden.text, address
    assert {"/api/v1/requests", "/api/v1/runs", "/api/v1/runs/{workflow_id}/steps"} <= shown
    assert len(await env.open_requests(handle)) == 1
    filtered = await ben.get("/api/v1/runs", params={"tenant": "north"})
    assert filtered.json() == {"runs": [], "next": ""}


async def test_an_unknown_thing_and_another_tenants_are_told_apart_by_nothing(
    ask: Ask, client: Client
):
    """The answer to a guess does not say whether the thing exists."""
    handle, request = await ask(tenant="north")
    ben = await client("ben")
    there = await ben.get(f"/api/v1/runs/{handle.id}")
    nowhere = await ben.get("/api/v1/runs/refunder-nowhere")
    assert there.json()["detail"].replace(handle.id, "X") == nowhere.json()["detail"].replace(
        "refunder-nowhere", "X"
    )
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert (await ben.get(f"/api/v1/requests/{request['key']}")).status_code == 404


async def test_every_operation_wants_to_know_who_asks(client: Client, browser: httpx.AsyncClient):
    """Without a session or a token, and with one that does not hold, each answers 401."""
    for method, path, _ in await operations(await client("ada")):
        address = filled(path, key="a2V5", workflow_id="run")
        for headers in ({}, {"Authorization": "Bearer ilk_wrong"}, {"Authorization": "Basic eA=="}):
            answer = await browser.request(method, address, headers=headers)
            assert answer.status_code in (401, 429), (address, headers)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] in ("NOT_SIGNED_IN", "TOO_MANY_REQUESTS")


async def test_no_operation_ignores_a_parameter(client: Client, browser: httpx.AsyncClient):
    """One that it is not described with is refused, with those it is; who asks is asked first."""
    ada = await client("ada")
    for method, path, operation in await operations(ada):
        address = filled(path, key="a2V5", workflow_id="run")
        misspelt = {"tenent": "north"}
        answer = await ada.request(method, address, params=misspelt)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT"), address
        assert "'tenent'" in answer.json()["detail"]
        for known in operation.get("parameters", []):
            assert (known["name"] in answer.json()["detail"]) == (known["in"] == "query"), address
        assert (await browser.request(method, address, params=misspelt)).status_code == 401


async def test_every_answer_has_the_security_headers(client: Client, browser: httpx.AsyncClient):
    """Pages, files, the API, errors and what does not exist."""
    addresses = [
        path for method, path, _ in await operations(await client("ada")) if method == "GET"
    ]
    for address in [*addresses, DESCRIPTION, "/", "/login", "/static/inbox.css", "/nowhere"]:
        headers = (await browser.get(address)).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, address
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert headers["Cache-Control"] in ("no-store", "no-cache")
    refused = await browser.get("/login", headers={"Host": "evil.test"})
    assert refused.status_code == 400
    assert refused.headers["X-Frame-Options"] == "DENY"


async def test_a_request_that_is_too_large_is_not_read(browser: httpx.AsyncClient):
    """Whoever sends it: nobody knows yet who that is."""
    for address in ("/api/v1/decisions", "/login/link"):
        answer = await browser.post(address, content=b"x" * (LARGEST_BODY + 1))
        assert answer.status_code == 413
        assert answer.headers["X-Frame-Options"] == "DENY"


async def test_what_the_description_allows_never_fails_the_inbox(
    inbox: Inbox, ask: Ask, client: Client
):
    """Generated requests, right and wrong, are answered as described and never with 5xx."""
    await ask()
    reviewer = await client("ada")
    loop = asyncio.get_running_loop()
    schema = schemathesis.openapi.from_dict((await reviewer.get(DESCRIPTION)).json())

    def send(case: Any) -> None:
        kwargs = case.as_transport_kwargs(base_url=ORIGIN)
        request = reviewer.build_request(
            kwargs["method"],
            kwargs["url"],
            params=kwargs.get("params"),
            headers={**dict(kwargs.get("headers") or {}), **dict(reviewer.headers)},
            content=json.dumps(kwargs["json"]) if "json" in kwargs else kwargs.get("data"),
        )
        if "json" in kwargs:
            request.headers["Content-Type"] = "application/json"
        answer = asyncio.run_coroutine_threadsafe(reviewer.send(request), loop).result(60)
        assert answer.status_code < 500, (str(request.url), answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"

    def explore() -> int:
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in operations:
            _ON_EACH(given(case=operation.as_strategy())(send))()
        return len(operations)

    assert await asyncio.to_thread(explore) >= 12


_ON_EACH = settings(
    max_examples=12,
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
