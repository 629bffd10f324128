"""Kept answers: when a tool is called again, for whom they count, and how they are forgotten."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from interlock.audit.contract import AuditEvent
from interlock.audit.store import SqlAuditStore
from interlock.errors import ConfigError, ToolFailed
from interlock.observing import AuditObserver
from interlock.tools import Cache, Effect, Tool, tool
from interlock.tools.answers import DiskAnswers
from interlock.tools.contract import ToolCall, ToolOutcome
from tests.integration.tools.bench import Bench

PRICES = Cache(ttl_seconds=60, tags=("prices",))


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[DiskAnswers]:
    """A cache in a new folder."""
    made = DiskAnswers(tmp_path / "answers")
    yield made
    made.close()


class Catalogue:
    """What a tool looks up, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.gate: asyncio.Event | None = None

    def tool(self, terms: Cache | None = PRICES, name: str = "price") -> Tool:
        """Return a tool that asks."""

        @tool(effect=Effect.READ, name=name, cache=terms)
        async def price(article: str) -> dict[str, Any]:
            """Look a price up."""
            self.asked.append(article)
            count = len(self.asked)
            if self.gate is not None:
                self.begun.set()
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            return {"article": article, "price": count}

        return price


def call(bench: Bench, article: str = "lamp", tenant: str = "t", name: str = "price") -> ToolCall:
    """Return a call of the tool."""
    context = bench.context().model_copy(update={"tenant": tenant})
    arguments = {"article": article}
    return bench.call(tool=name, arguments=arguments, context=context)


async def test_an_equal_call_is_answered_from_the_cache(bench: Bench, answers: DiskAnswers) -> None:
    """The second call of any worker of the machine gets the first one's answer, and says so."""
    shop = Catalogue()
    for number in range(3):
        gateway = bench.gateway(shop.tool(), answers=answers)
        outcome = await gateway.run(call(bench))
        assert outcome == ToolOutcome(
            status="done", result={"article": "lamp", "price": 1}, cached=number > 0
        )
    assert shop.asked == ["lamp"]
    assert [made.cached for _, made, _ in bench.observer.calls] == [False, True, True]


async def test_only_equal_questions_of_one_tenant_share_an_answer(
    bench: Bench, answers: DiskAnswers
) -> None:
    """Other arguments, another tenant, another tool and another version ask anew."""
    shop = Catalogue()
    gateway = bench.gateway(shop.tool(), shop.tool(name="cost"), answers=answers)
    other_version = bench.gateway(shop.tool(Cache(ttl_seconds=61)), answers=answers)
    await gateway.run(call(bench))
    await gateway.run(call(bench, article="rug"))
    await gateway.run(call(bench, tenant="other"))
    await gateway.run(call(bench, name="cost"))
    await other_version.run(call(bench))
    assert len(shop.asked) == 5


async def test_the_audit_says_that_an_answer_was_kept(bench: Bench, answers: DiskAnswers) -> None:
    """The event of a hit has the outcome `cached`, where a call has `done`."""
    gateway = bench.gateway(Catalogue().tool(), answers=answers)
    store = Store()
    observer = AuditObserver(store)
    at = bench.clock()
    for _ in range(2):
        outcome = await gateway.run(call(bench))
        event = observer.tool_called(call(bench), outcome, started_at=at, ended_at=at, token=0)
        await observer.record([event])
    assert [event.outcome for event in store.kept] == ["done", "cached"]


class Store(SqlAuditStore):
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.kept: list[AuditEvent] = []

    async def record(self, events: Sequence[AuditEvent]) -> int:
        """Keep them."""
        self.kept += events
        return len(events)


async def test_an_answer_has_its_time(bench: Bench, answers: DiskAnswers) -> None:
    """After its time the tool is called again."""
    shop = Catalogue()
    gateway = bench.gateway(shop.tool(Cache(ttl_seconds=0.05)), answers=answers)
    await gateway.run(call(bench))
    await asyncio.sleep(0.06)
    assert (await gateway.run(call(bench))).result["price"] == 2


async def test_errors_are_not_kept(bench: Bench, answers: DiskAnswers) -> None:
    """What failed is asked again."""
    shop = Catalogue()
    gateway = bench.gateway(shop.tool(), answers=answers)
    shop.error = ToolFailed("closed")
    assert (await gateway.run(call(bench))).status == "failed"
    shop.error = None
    assert not (await gateway.run(call(bench))).cached


async def test_a_forgotten_tag_is_asked_anew(bench: Bench, answers: DiskAnswers) -> None:
    """Also the answer of a call that was under way when it was forgotten; other tags stay."""
    shop = Catalogue()
    other = shop.tool(Cache(ttl_seconds=60, tags=("stock",)), name="stock")
    gateway = bench.gateway(shop.tool(), other, answers=answers)
    await gateway.run(call(bench, name="stock"))
    shop.gate = asyncio.Event()
    running = asyncio.create_task(gateway.run(call(bench)))
    await shop.begun.wait()
    await answers.forget("prices")
    shop.gate.set()
    await running
    assert not (await gateway.run(call(bench))).cached
    assert (await gateway.run(call(bench))).cached
    assert (await gateway.run(call(bench, name="stock"))).cached


async def test_processes_share_the_folder(
    bench: Bench, answers: DiskAnswers, tmp_path: Path
) -> None:
    """What another process forgets is forgotten here; the command does it."""
    shop = Catalogue()
    (tmp_path / "interlock.toml").write_text("")
    shared = DiskAnswers(tmp_path / ".interlock" / "answers")
    gateway = bench.gateway(shop.tool(), answers=shared)
    await gateway.run(call(bench))
    assert (await gateway.run(call(bench))).cached
    command = "from interlock.cli import main; main()"
    words = ("-c", command, "cache", "forget", "prices", "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert json.loads(said) == {"forgotten": "prices"}
    assert not (await gateway.run(call(bench))).cached
    shared.close()


async def test_a_cache_that_cannot_be_used_is_no_error(bench: Bench, tmp_path: Path) -> None:
    """The tool is called each time, and its answer is what counts."""
    (tmp_path / "answers").write_text("this is no folder")
    shop = Catalogue()
    gateway = bench.gateway(shop.tool(), answers=DiskAnswers(tmp_path / "answers"))
    for number in (1, 2):
        outcome = await gateway.run(call(bench))
        assert (outcome.result["price"], outcome.cached) == (number, False)


@pytest.mark.parametrize("effect", [Effect.IDEMPOTENT, Effect.EXTERNAL])
def test_effects_are_never_cached(effect: Effect) -> None:
    """An effect that was answered and not made would be lost: refused when it is defined."""
    with pytest.raises(ConfigError, match=f"cache is for PURE and READ; {effect}"):

        @tool(effect=effect, cache=PRICES)
        async def pay(amount: int) -> int:
            """Pay."""
            return amount


def test_a_tool_that_takes_the_call_is_not_cached() -> None:
    """Its answer may depend on the run or the subject, which the key does not have."""
    with pytest.raises(ConfigError, match="takes 'call', which says more"):

        @tool(effect=Effect.READ, cache=PRICES)
        async def mine(amount: int, call: ToolCall) -> int:
            """Look."""
            return amount
