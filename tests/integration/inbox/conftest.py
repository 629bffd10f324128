"""An inbox before a real server and worker, and people who call it over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from interlock.approvals.people import Person
from interlock.inbox.app import application
from interlock.inbox.opening import open_inbox
from interlock.inbox.services import Inbox
from interlock.inbox.serving import served_inbox, taken_address
from interlock.inbox.sessions import issue_key
from interlock.runs.client import Runs
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.workflows.runtime import Runtime
from tests.integration.inbox.desk import agents

ORIGIN = "https://inbox.test"

PEOPLE = {
    "ada": Person(subject="ada", roles=("reviewer",), tenants=("north",)),
    "bea": Person(subject="bea", roles=("reviewer",), tenants=("north",)),
    "lea": Person(subject="lea", roles=("lead",), tenants=("north",)),
    "ben": Person(subject="ben", roles=("reviewer",), tenants=("south",)),
    "cal": Person(subject="cal", roles=("caller",), tenants=("north",)),
    "olga": Person(subject="olga", roles=("operator",), tenants=("*",)),
    "nobody": Person(subject="nobody"),
}

_CONFIGURED = {"subject", "name", "roles", "tenants"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment with the agents of `desk`."""
    folder = tmp_path_factory.mktemp("inbox")
    inbox = {
        "requests_per_minute": 100_000,
        "logins_per_minute": 100_000,
        "refresh_seconds": 0.05,
    }
    people = [person.model_dump(include=_CONFIGURED) for person in PEOPLE.values()]
    async with worker_env(server, folder, agents=agents(), inbox=inbox, people=people) as env:
        yield env


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inbox(env: WorkerEnv) -> AsyncIterator[Inbox]:
    """The inbox of that deployment, whose board is kept fresh."""
    runs = Runs(env.app.settings, env.client)
    runtime: Runtime = env.app.runtime
    async with open_inbox(env.app.settings, runs, origin=ORIGIN, runtime=runtime) as inbox:
        following = asyncio.create_task(inbox.board.follow())
        yield inbox
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@asynccontextmanager
async def serving(env: WorkerEnv, port: int = 0) -> AsyncIterator[Inbox]:
    """An inbox of that deployment on a port, as `interlock inbox` serves it."""
    given = env.app.settings.inbox.model_copy(update={"port": port})
    settings = env.app.settings.model_copy(update={"inbox": given})
    runs = Runs(settings, env.client)
    with taken_address(settings) as address:
        async with served_inbox(settings, runs, address, runtime=env.app.runtime) as inbox:
            yield inbox


Client = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest_asyncio.fixture(loop_scope="session")
async def browser(inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody has signed in with."""
    transport = httpx.ASGITransport(application(inbox))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def client(inbox: Inbox) -> AsyncIterator[Client]:
    """A program with an API key of someone of `PEOPLE`."""
    opened: list[httpx.AsyncClient] = []

    async def call(subject: str) -> httpx.AsyncClient:
        key = await issue_key(inbox.credentials, PEOPLE[subject], timedelta(hours=1), subject)
        transport = httpx.ASGITransport(application(inbox))
        headers = {"Authorization": f"Bearer {key}"}
        opened.append(httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers))
        return opened[-1]

    yield call
    for one in opened:
        await one.aclose()


Ask = Callable[..., Awaitable[tuple[Handle, dict[str, Any]]]]


@pytest_asyncio.fixture(loop_scope="session")
async def ask(env: WorkerEnv, inbox: Inbox) -> AsyncIterator[Ask]:
    """Start a run that asks a person, and return it with its request as the API lists it.

    A run that nobody decides on is cancelled after the test.
    """
    started: list[Handle] = []

    async def call(
        agent: str = "refunder", tenant: str = "north", **case: Any
    ) -> tuple[Handle, dict[str, Any]]:
        given = {"order": uuid.uuid4().hex, "amount": 40, "text": "Sorry!", **case}
        handle = await env.start(agent, given, tenant=tenant)
        started.append(handle)
        await env.pending(handle)
        seer = Person(subject="seer", roles=("reviewer",), tenants=("*",))
        version = inbox.board.version
        while True:
            for item in await inbox.board.items():
                if item.workflow_id == handle.id:
                    return handle, inbox.requests.view(seer, item).model_dump(mode="json")
            version = await inbox.board.changed(version)

    yield call
    for handle in started:
        if (await handle.describe()).close_time is None:
            await handle.signal("cancel_run", "the test is over")
            await handle.result()
