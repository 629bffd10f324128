"""A busy service, over real HTTP: when the next attempt comes, and what the ledger says meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
import requests
from anthropic import Anthropic
from openai import AsyncOpenAI
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from interlock.audit.contract import LedgerState
from interlock.errors import LedgerConflict, ToolUnavailable
from interlock.tools.activities import ToolActivities
from tests.integration.tools.bench import GRACE, Bench
from tests.integration.tools.test_activities import OneCall, environment, real_time, working


@dataclass
class Service:
    """An HTTP service on this machine that answers as it is told."""

    url: str = ""
    status: int = 429
    headers: dict[str, str] = field(default_factory=dict)
    busy_times: int = 99
    """How many requests are answered with `status`; later ones with 200."""
    asked_at: list[datetime] = field(default_factory=list)

    def answer(self) -> tuple[int, dict[str, str]]:
        """Return the status and headers of the next answer."""
        self.asked_at.append(datetime.now(UTC))
        if len(self.asked_at) > self.busy_times:
            return 200, {}
        return self.status, self.headers


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, headers = service.answer()
            body = b"{}"
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that is always busy."""
    with serving(Service()) as running:
        yield running


async def by_httpx(url: str) -> None:
    """Ask with httpx."""
    async with httpx.AsyncClient() as client:
        (await client.post(url)).raise_for_status()


async def by_requests(url: str) -> None:
    """Ask with requests."""
    requests.post(url, timeout=5).raise_for_status()  # noqa: ASYNC210 - the server is a thread


async def by_openai(url: str) -> None:
    """Ask with the client of OpenAI, its own retries off."""
    async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        await client.embeddings.create(model="m", input="x")


async def by_anthropic(url: str) -> None:
    """Ask with the client of Anthropic, its own retries off."""
    with Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])


async def in_its_own_words(url: str) -> None:
    """Ask with httpx, and say what it means."""
    try:
        await by_httpx(url)
    except httpx.HTTPStatusError as error:
        raise ToolUnavailable("the shop is busy") from error


CLIENTS = [by_httpx, by_requests, by_openai, by_anthropic, in_its_own_words]


async def delay_of(bench: Bench, kind: str, **options: Any) -> timedelta | None:
    """Return when Temporal makes the next attempt after one on a busy service."""
    gateway = bench.gateway(bench.tool(kind), **options)
    with pytest.raises(ApplicationError) as caught:
        await environment().run(ToolActivities(gateway).call_tool, bench.call())
    assert not caught.value.non_retryable
    return caught.value.next_retry_delay


def asking(bench: Bench, service: Service, client: Callable[[str], Any] = by_httpx) -> None:
    """Let the tool ask the service before it pays."""

    async def behave(point: str) -> None:
        if point == "before":
            await client(service.url)

    bench.shop.behave = behave


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_client_library_is_understood(
    bench: Bench, service: Service, client: Callable[[str], Any]
) -> None:
    """The header of whatever they raise becomes the delay of Temporal's next attempt."""
    service.headers = {"Retry-After": "40"}
    asking(bench, service, client)
    assert await delay_of(bench, "read") == timedelta(seconds=40)


@pytest.mark.parametrize("kind", ["idempotent", "read"])
@pytest.mark.parametrize("status", [429, 503])
async def test_seconds_and_dates(bench: Bench, service: Service, kind: str, status: int) -> None:
    """Both forms count, from the time of the answer, cut to what the deployment allows."""
    asking(bench, service)
    service.status = status
    for text, seconds in (
        ("40", 40),
        (format_datetime(bench.clock() + timedelta(seconds=30), usegmt=True), 30),
        ("4000", 60),
    ):
        service.headers = {"Retry-After": text}
        assert await delay_of(bench, kind, longest_wait_seconds=60) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", [None, "soon", "-5", "Wed, 99 Nov 2026 12:00:30 GMT"])
async def test_what_is_no_time_is_ignored(bench: Bench, service: Service, text: str | None) -> None:
    """The attempt fails as it would without a header, and Temporal chooses when to come back."""
    service.headers = {} if text is None else {"Retry-After": text}
    asking(bench, service)
    assert await delay_of(bench, "read") is None


async def test_a_wait_is_no_longer_than_the_grant(bench: Bench, service: Service) -> None:
    """Who approved the call is told that it was refused when the grant ends, not long after."""
    service.headers = {"Retry-After": "600"}
    asking(bench, service, in_its_own_words)
    gateway = bench.gateway(bench.tool("external"))
    call = bench.call(grant=bench.grant(seconds=60))
    with pytest.raises(ToolUnavailable) as caught:
        await gateway.run(call)
    assert caught.value.details["retry_after_seconds"] == 60
    bench.clock.advance(60)
    outcome = await gateway.run(call, attempt=2)
    assert (outcome.status, outcome.code) == ("refused", "APPROVAL_EXPIRED")


async def test_a_wait_is_no_longer_than_the_activity(bench: Bench, service: Service) -> None:
    """With a schedule-to-close timeout the next attempt comes while there is time, if at all."""
    service.headers = {"Retry-After": "600"}
    asking(bench, service)
    found = environment()
    found.info = replace(
        found.info,
        schedule_to_close_timeout=timedelta(seconds=90),
        scheduled_time=datetime.now(UTC) - timedelta(seconds=30),
    )
    with pytest.raises(ApplicationError) as caught:
        await found.run(ToolActivities(bench.gateway(bench.tool("read"))).call_tool, bench.call())
    assert caught.value.next_retry_delay is not None
    assert 50 < caught.value.next_retry_delay.total_seconds() <= 60


async def test_a_tool_that_knows_nothing_happened_says_so(bench: Bench, service: Service) -> None:
    """With its `ToolUnavailable` the row is FAILED, and the next attempt makes the effect."""
    service.headers, service.busy_times = {"Retry-After": "40"}, 1
    asking(bench, service, in_its_own_words)
    gateway = bench.gateway(bench.tool("external"))
    with pytest.raises(ToolUnavailable, match="did not happen") as caught:
        await gateway.run(bench.call())
    assert caught.value.details["retry_after_seconds"] == 40
    assert (await bench.row()).state is LedgerState.FAILED
    assert (await gateway.run(bench.call(), attempt=2)).status == "done"
    assert len(bench.shop.paid) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_bare_refusal_after_the_effect_is_in_doubt(
    bench: Bench, service: Service, status: int
) -> None:
    """A tool may make several requests: 429 for the last takes nothing back and repeats nothing.

    Whoever looks what became of it waits as long as was asked.
    """
    service.status, service.headers = status, {"Retry-After": "40"}

    async def behave(point: str) -> None:
        if point == "after":
            await by_httpx(service.url)

    bench.shop.behave = behave
    gateway = bench.gateway(bench.tool("external"))
    with pytest.raises(LedgerConflict) as caught:
        await gateway.run(bench.call())
    assert caught.value.details["retry_after_seconds"] == 40
    bench.clock.advance(40)
    assert (await gateway.run(bench.call(), attempt=2)).status == "unknown"
    assert len(bench.shop.paid) == 1


async def test_a_short_wait_does_not_shorten_the_deadline(bench: Bench, service: Service) -> None:
    """The effect may still happen until its deadline and a grace, whatever the header says."""
    service.status, service.headers = 503, {"Retry-After": "1"}
    asking(bench, service)
    with pytest.raises(LedgerConflict) as caught:
        await bench.gateway(bench.tool("external")).run(bench.call())
    assert caught.value.details["retry_after_seconds"] == pytest.approx(5 + GRACE)


@pytest.fixture
async def busy_once() -> AsyncIterator[Service]:
    """A service that is busy for its first request, and says for how long."""
    with serving(Service(busy_times=1, headers={"Retry-After": "1"})) as running:
        yield running


@pytest.mark.parametrize("kind", ["external", "read"])
async def test_the_next_attempt_comes_after_the_wait(
    bench: Bench, server: Client, busy_once: Service, kind: str
) -> None:
    """On a real Temporal server the second request comes a second after the first was refused."""
    real_time(bench)
    asking(bench, busy_once, in_its_own_words)
    async with working(server, bench.gateway(bench.tool(kind))) as (client, queue):
        outcome = await client.execute_workflow(
            OneCall.run, bench.call(), id=f"busy-{kind}-{queue}", task_queue=queue
        )
    assert outcome.status == "done"
    first, second = busy_once.asked_at
    assert (second - first).total_seconds() >= 1.0
