"""Audit events: written once, read back as they were."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain

import pytest
from pydantic import ValidationError

from interlock.audit.contract import EventFilter, ModelUsage
from interlock.context import CallContext
from interlock.errors import NotSerializable

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def ids(store, **where):
    """Return the ids of the matching events."""
    return [event.id for event in await store.events(EventFilter(**where))]


async def test_event_comes_back_as_it_was(store, make_event):
    """Every field of an event survives, unicode, big numbers and nesting included."""
    context = CallContext(
        agent="support", tenant="Ünïcode", subject="s-1", release="r", lineage="n/w/1", node="act"
    )
    event = make_event(
        "e1",
        kind="model_call",
        name="strong",
        run_id="run-1",
        context=context,
        started_at=NOON.replace(microsecond=123456),
        cost_usd=0.1 + 0.2,
        input_tokens=2**40,
        output_tokens=7,
        refs={"prompt": "a" * 64, "ответ": "b" * 64},
        details={"z": 1, "a": [None, True, 1.5, 2**70, {"😀": "line\nbreak \x00"}], "": {}},
    )

    assert await store.record([event]) == 1

    [found] = await store.events(EventFilter())
    assert found == event
    assert list(found.details) == ["z", "a", ""]


async def test_details_take_their_json_form(store, make_event):
    """Values that JSON does not know are kept in pydantic's JSON form, without losing digits."""
    details = {"amount": Decimal("1.50"), "at": NOON, "day": date(2026, 1, 1), "nan": float("nan")}

    await store.record([make_event("e1", details=details)])

    [found] = await store.events(EventFilter())
    assert found.details == {
        "amount": "1.50",
        "at": "2026-01-01T12:00:00Z",
        "day": "2026-01-01",
        "nan": "NaN",
    }


async def test_details_without_json_form_are_refused(store, make_event):
    """An event whose details JSON cannot hold is refused, and none of its batch is written."""
    with pytest.raises(NotSerializable):
        await store.record([make_event("e1"), make_event("e2", details={"x": object()})])

    assert await store.count(EventFilter()) == 0


async def test_times_are_utc(store, make_event):
    """A time of another zone comes back as the same moment in UTC."""
    there = NOON.astimezone(timezone(timedelta(hours=-7)))

    await store.record([make_event("e1", started_at=there, ended_at=there)])

    [found] = await store.events(EventFilter())
    assert found.started_at == NOON
    assert found.started_at.tzinfo == found.ended_at.tzinfo == UTC


def test_times_without_a_zone_are_refused(make_event):
    """An event cannot be made with a time that does not say where."""
    with pytest.raises(ValidationError, match="timezone"):
        make_event("e1", started_at=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_same_id_is_one_event(store, make_event):
    """An id that was written before is not written again, and the first content stays."""
    assert await store.record([make_event("e1", outcome="first"), make_event("e2")]) == 2

    again = [make_event("e1", outcome="second"), make_event("e3"), make_event("e3")]
    assert await store.record(again) == 1

    events = await store.events(EventFilter())
    assert [(event.id, event.outcome) for event in events] == [
        ("e1", "first"),
        ("e2", "done"),
        ("e3", "done"),
    ]


async def test_concurrent_retries_write_once(store, make_event):
    """Retries of one batch at the same time write each event once in all."""
    batch = [make_event(f"e{number}") for number in range(20)]

    counts = await asyncio.gather(*(store.record(batch) for _ in range(10)))

    assert sum(counts) == 20
    assert await store.count(EventFilter()) == 20


async def test_big_batch_is_one_record(store, make_event):
    """A batch beyond the databases' limit of bound values is written whole."""
    batch = [make_event(f"e{number}") for number in range(4000)]

    assert await store.record(batch) == 4000
    assert await ids(store, limit=10_000) == [event.id for event in batch]


async def test_nothing_is_recorded_of_nothing(store):
    """An empty batch is no error."""
    assert await store.record([]) == 0


async def test_events_come_oldest_first(store, make_event):
    """Events are in the order of their start; those of one moment in the order recorded."""
    await store.record([make_event("late", started_at=NOON + timedelta(seconds=1))])
    await store.record([make_event("z", started_at=NOON), make_event("a", started_at=NOON)])
    await store.record([make_event("early", started_at=NOON - timedelta(microseconds=1))])

    assert await ids(store) == ["early", "z", "a", "late"]


async def test_filters_join(store, make_event):
    """Unset filters let everything pass; set ones all have to hold."""
    other = CallContext(agent="support", tenant="other")
    await store.record(
        [
            make_event("1"),
            make_event("2", workflow_id="wf-2"),
            make_event("3", kind="verdict"),
            make_event("4", context=other),
            make_event("5", started_at=NOON, workflow_id="wf-2", context=other),
        ]
    )

    assert await ids(store) == ["1", "2", "3", "4", "5"]
    assert await ids(store, workflow_id="wf-2") == ["2", "5"]
    assert await ids(store, kind="verdict") == ["3"]
    assert await ids(store, tenant="other") == ["4", "5"]
    assert await ids(store, since=NOON) == ["5"]
    assert await ids(store, since=NOON.astimezone(timezone(timedelta(hours=9)))) == ["5"]
    assert await ids(store, since=NOON + timedelta(microseconds=1)) == []
    assert await ids(store, workflow_id="wf-2", tenant="other") == ["5"]
    assert await ids(store, workflow_id="wf-2", kind="verdict") == []


async def test_pages_cover_everything_once(store, make_event):
    """Pages of any size, one after the other, give each event once; the count knows how many."""
    await store.record([make_event(f"{number:02}", kind="run") for number in range(11)])
    await store.record([make_event("other")])

    pages = [await ids(store, kind="run", limit=4, offset=offset) for offset in (0, 4, 8, 12)]

    assert [len(page) for page in pages] == [4, 4, 3, 0]
    assert list(chain(*pages)) == [f"{number:02}" for number in range(11)]
    assert await store.count(EventFilter(kind="run", limit=1, offset=5)) == 11


async def test_usage_adds_up_model_calls(store, make_event):
    """Tokens and cost of model calls are added up by workflow; unknown prices are counted."""

    def call(event_id, workflow_id, cost, tokens):
        return make_event(
            event_id,
            kind="model_call",
            workflow_id=workflow_id,
            cost_usd=cost,
            input_tokens=tokens,
            output_tokens=1,
        )

    await store.record(
        [
            call("1", "b", 0.5, 2**40),
            call("2", "b", 0.25, 2**40),
            call("3", "b", None, 5),
            call("4", "a", None, 3),
            make_event("5", kind="run", workflow_id="a", cost_usd=9.0, input_tokens=9),
        ]
    )

    a = ModelUsage(
        workflow_id="a", calls=1, unpriced_calls=1, cost_usd=0, input_tokens=3, output_tokens=1
    )
    b = ModelUsage(
        workflow_id="b",
        calls=3,
        unpriced_calls=1,
        cost_usd=0.75,
        input_tokens=2**41 + 5,
        output_tokens=3,
    )
    assert await store.usage(EventFilter()) == [a, b]
    assert await store.usage(EventFilter(limit=1, offset=1)) == [b]
    assert await store.usage(EventFilter(workflow_id="a")) == [a]
    assert await store.usage(EventFilter(workflow_id="none")) == []


async def test_names_of_any_text_are_recorded(store, make_event):
    """A tool name that a model made up keeps no event from being written or found."""
    await store.record([make_event("e1", name="refu\x00nd\ud800", workflow_id="wf\x00")])

    [found] = await store.events(EventFilter(workflow_id="wf\x00"))
    assert found.name == "refu\ufffdnd\ufffd"


async def test_the_newest_of_one_thing_come_first(store, make_event):
    """By name and outcome, from the newest back, as many as are asked for."""
    outcomes = ["approve", "requested", "reject", "approve"]
    events = [
        make_event(
            f"e{number}",
            kind="decision",
            name="refund",
            outcome=outcome,
            started_at=NOON + timedelta(seconds=number),
        )
        for number, outcome in enumerate(outcomes)
    ]
    await store.record([*events, make_event("other", kind="decision", name="wire")])

    where = {"kind": "decision", "name": "refund", "newest_first": True}
    assert await ids(store, **where) == ["e3", "e2", "e1", "e0"]
    assert await ids(store, **where, outcomes=("approve", "reject"), limit=2) == ["e3", "e2"]
    assert await ids(store, name="refund", outcomes=("requested",)) == ["e1"]
