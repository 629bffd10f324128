"""Whom a notice is for, and that each is told once whatever becomes of the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest
from temporalio.testing import ActivityEnvironment

from interlock.errors import NotTold
from interlock.notifying import Message
from interlock.notifying import notifier as module
from interlock.notifying.contract import Audience
from interlock.notifying.links import request_link
from interlock.notifying.notifier import Notifier, Route
from tests.notices import LINK, message

NOTICE = message().notice


class Kept:
    """A channel that keeps what it is told, or fails in some way."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.told: list[tuple[Message, str]] = []

    async def send(self, message: Message, key: str) -> None:
        """Keep it, or fail."""
        if self.error is not None:
            raise self.error
        self.told.append((message, key))


class Silent(Kept):
    """A channel that never answers."""

    async def send(self, message: Message, key: str) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class Attempt(NamedTuple):
    """How one attempt of the activity ended."""

    error: str
    known: list[Any]
    """What the next one finds in its heartbeat."""


async def tell(*channels: Kept, known: tuple[str, ...] = (), **audience: Any) -> Attempt:
    """Tell channels in one attempt."""
    env, beats = ActivityEnvironment(), [list(known)]
    env.info = replace(env.info, heartbeat_details=list(known))
    env.on_heartbeat = lambda *details: beats.append(list(details))
    routes = [Route(channel, Audience(**audience)) for channel in channels]
    error = ""
    try:
        await env.run(Notifier(routes, partial(request_link, "https://inbox.example")), NOTICE)
    except NotTold as caught:
        error = caught.message
    return Attempt(error, beats[-1])


@pytest.mark.parametrize(
    ("audience", "is_told"),
    [
        ({}, True),
        ({"tenants": ("north", "south")}, True),
        ({"tenants": ("south",)}, False),
        ({"risks": ("high",)}, True),
        ({"risks": ("low", "medium")}, False),
        ({"tiers": ("desk",)}, True),
        ({"tiers": ("lead",)}, False),
        ({"tenants": ("north",), "risks": ("high",), "tiers": ("lead",)}, False),
    ],
)
async def test_a_channel_is_told_what_it_is_for(audience: dict[str, Any], is_told: bool) -> None:
    """All of its conditions hold; one that is empty holds always."""
    one = Kept("one")
    await tell(one, **audience)
    assert bool(one.told) is is_told


async def test_a_message_has_the_link_and_no_arguments() -> None:
    """Nobody has to ask the run for them."""
    one = Kept("one")
    await tell(one)
    ((told, _),) = one.told
    assert (told.notice, told.arguments) == (NOTICE, None)
    assert told.link == LINK


async def test_one_that_fails_holds_up_no_other() -> None:
    """Whatever it raises; the error names it, and the others are remembered as told."""
    good, better = Kept("good"), Kept("better")
    bad, broken = (
        Kept("bad", NotTold("'bad' answered 503.")),
        Kept("broken", ValueError("a secret")),
    )
    error, known = await tell(bad, good, broken, better)
    assert error.startswith("2 of 4 channels were not told of the request 'c1:9be2'")
    assert "'bad' answered 503." in error
    assert "'broken' failed: ValueError." in error
    assert "a secret" not in error
    assert (len(good.told), len(better.told)) == (1, 1)
    assert sorted(known) == ["better", "good"]


async def test_the_next_attempt_tells_only_who_was_not_told() -> None:
    """What an earlier attempt has told is in its heartbeat, and stays there."""
    good, bad = Kept("good"), Kept("bad")
    attempt = await tell(good, bad, known=("good",))
    assert (len(good.told), len(bad.told)) == (0, 1)
    assert attempt == ("", ["good", "bad"])


async def test_a_sending_has_the_same_key_in_every_attempt() -> None:
    """Of one channel; another channel has another one."""
    one, other = Kept("one"), Kept("other")
    await tell(one, other)
    await tell(one)
    (_, first), (_, again) = one.told
    ((_, different),) = other.told
    assert first == again != different
    assert first.startswith("msg_")


async def test_one_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time it was not told; who came after it was."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)
    silent, good = Silent("silent"), Kept("good")
    error, known = await tell(silent, good)
    assert "'silent' did not answer" in error
    assert (len(good.told), known) == (1, ["good"])


async def test_without_channels_nobody_is_told() -> None:
    """And nothing fails: a reminder of a run may come when the last channel is gone."""
    assert await tell() == ("", [])
