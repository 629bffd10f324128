"""Support cases on real parts, with a scripted model: what is done, what is asked, what is replied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent

from interlock.context import CallContext
from interlock.memory import Search
from interlock.payloads import payloads_in, plain
from interlock.testing.env import Handle
from tests.integration.application.copilot.script import REFUNDED
from tests.integration.application.copilot.shop import Shop

_BROKEN = "My order A-1042 arrived broken, I want my money back."


async def _state(handle: Handle) -> dict[str, Any]:
    state: dict[str, Any] = await handle.query("state")
    return state


async def test_a_refund_is_approved_made_once_and_told(shop: Shop) -> None:
    """From message to reply: known customer, right amount, one refund, one letter, one memory."""
    handle = await shop.case(_BROKEN, "C-0007")
    (action,) = await shop.env.pending(handle)
    assert (action.tool, action.risk) == ("refund", "high")
    assert action.arguments["order_id"] == "A-1042"
    assert action.arguments["amount"] == "89.00"
    assert action.arguments["reason"].endswith(f"Customer: {_BROKEN}")
    assert action.arguments["reason"].startswith("Order of 89.00 EUR, delivered 2026-02-")
    assert await shop.payments.refunds(order_id="A-1042") == []
    await shop.env.decide(handle, action, "approve")
    closed = await handle.result()
    (made,) = await shop.payments.refunds(order_id="A-1042")
    assert (made["amount"], closed["done"]["result"]["refund_id"]) == ("89.00", made["id"])
    assert (closed["intent"], closed["reply_source"], closed["reply"]) == (
        "refund",
        "draft",
        REFUNDED,
    )
    assert closed["usage"]["models"] == {"scripted:script.json": 2}
    sent = shop.rows("SELECT subject, body FROM outbox_reply WHERE customer_id = 'C-0007'")
    assert sent == [("Your order A-1042", REFUNDED)]
    await shop.env.replay(handle)
    again = await shop.case("Where is A-1042?", "C-0007")
    await again.result()
    assert (await _state(again))["past_cases"] == ["refund: refund done (A-1042)"]


async def test_an_invented_draft_is_replaced_by_a_marked_template(shop: Shop) -> None:
    """The reply says only what was done, is marked, and the log says what the draft had wrong."""
    handle = await shop.case(
        "The enamel is chipped at the spout of the kettle, A-1038. Please send a new one.", "C-0004"
    )
    (action,) = await shop.env.pending(handle)
    assert (action.tool, action.risk) == ("replacement_order", "medium")
    assert (action.arguments["sku"], action.arguments["quantity"]) == ("HL-KETTLE-GALLEY", 1)
    await shop.env.decide(handle, action, "approve")
    closed = await handle.result()
    assert closed["reply_source"] == "template"
    number = closed["done"]["result"]["replacement_id"]
    assert f"free of charge (number {number})" in closed["reply"]
    assert closed["reply"].endswith("Harbour Lane (automatic reply)")
    problems = (await _state(handle))["problems"]
    assert "says 50, which no source has" in problems
    await shop.env.replay(handle)


async def test_a_rejection_is_told_with_its_reason(shop: Shop) -> None:
    """Nothing is paid, and the customer reads the reviewer's words."""
    handle = await shop.case("The lantern of A-1022 has died. I want my money back.", "C-0004")
    (action,) = await shop.env.pending(handle)
    await shop.env.decide(handle, action, "reject", comment="Please send us a photo first.")
    closed = await handle.result()
    assert closed["done"]["outcome"] == "rejected"
    assert "The reason: Please send us a photo first." in closed["reply"]
    assert await shop.payments.refunds(order_id="A-1022") == []


async def test_a_stranger_gets_nothing_done(shop: Shop) -> None:
    """An order of somebody else goes to a person, without a tool call and without its details."""
    handle = await shop.case("Please refund order A-1035 to me, the lamp was damaged.", "C-0011")
    (question,) = await shop.env.pending(handle)
    assert question.kind == "question"
    assert (
        question.payload["why"]
        == "C-0011 writes about order A-1035, which belongs to somebody else."
    )
    assert question.payload["order"] == {}
    assert question.payload["customer"]["name"] == "Pilar Ortega"
    await shop.env.decide(handle, question, "respond", result="We have written to the customer.")
    closed = await handle.result()
    assert (closed["reply"], closed["reply_source"]) == (
        "We have written to the customer.",
        "human",
    )
    assert closed["usage"]["model_calls"] == 0
    assert await shop.payments.refunds(order_id="A-1035") == []
    await shop.env.replay(handle)


async def test_a_crm_that_does_not_answer_is_told_to_a_person(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that their order does not exist, and the customer's data is in no error."""
    monkeypatch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    handle = await shop.case("Please refund A-1042.", "C-0007")
    (question,) = await shop.env.pending(handle)
    assert question.payload["why"] == "The CRM did not answer, so nothing could be checked."
    await shop.env.decide(handle, question, "reject")
    assert (await handle.result())["reply_source"] == "none"
    events = (await handle.fetch_history()).events
    told = str([plain(payload) for event in events for payload in payloads_in(event)])
    assert "no such table" in told
    assert "parameters: (" not in told
    await shop.env.replay(handle)


async def test_a_person_may_send_the_suggestion_or_nothing(shop: Shop) -> None:
    """Approving sends what the copilot suggests; rejecting ends the case without a letter."""
    sources = []
    for verb in ("approve", "reject"):
        handle = await shop.case("I want to talk to a human being.", "C-0008")
        (question,) = await shop.env.pending(handle)
        await shop.env.decide(handle, question, verb)
        closed = await handle.result()
        sources.append((closed["reply_source"], bool(closed["reply"])))
        expected = question.payload["suggestion"] if verb == "approve" else ""
        assert closed["reply"] == expected
    assert sources == [("template", True), ("none", False)]
    assert len(shop.rows("SELECT id FROM outbox_reply WHERE customer_id = 'C-0008'")) == 1


async def test_an_address_is_changed_for_its_customer_only(shop: Shop) -> None:
    """A checked customer's address change needs nobody; an unchecked writer's goes to a person."""
    text = "Please deliver A-1057 to 7 Teeling Street, F91 TX20 Sligo instead."
    stranger = await shop.case(text)
    (question,) = await shop.env.pending(stranger)
    assert question.payload["why"].startswith("Nobody has checked")
    await shop.env.decide(stranger, question, "reject")
    await stranger.result()
    handle = await shop.case(text, "C-0004")
    closed = await handle.result()
    assert closed["done"]["outcome"] == "done"
    assert "has been changed to 7 Teeling Street, F91 TX20 Sligo." in closed["reply"]
    rows = shop.rows("SELECT street, postal_code, city FROM \"order\" WHERE id = 'A-1057'")
    assert rows == [("7 Teeling Street", "F91 TX20", "Sligo")]


async def test_what_fails_after_approval_goes_to_a_person(shop: Shop) -> None:
    """A sold-out replacement is not promised: a person reads why and answers."""
    handle = await shop.case("The carafe of A-1028 has a crack. Please exchange it.", "C-0002")
    (action,) = await shop.env.pending(handle)
    await shop.env.decide(handle, action, "approve")
    (question,) = await shop.env.pending(handle)
    assert "out of stock" in question.payload["why"]
    await shop.env.decide(handle, question, "respond", result="It will be back in May.")
    assert (await handle.result())["reply"] == "It will be back in May."


async def test_a_missing_order_number_is_asked_for_and_taken(shop: Shop) -> None:
    """In a conversation the answer to our question goes on with the same wish."""
    handle = await shop.env.start(
        "support",
        {"messages": ["One of my mugs came broken, please refund it."], "customer_id": "C-0009"},
        conversation=True,
    )
    await shop.idle(handle)
    transcript = await handle.query("transcript")
    assert (
        "Which order is it about? Your newest ones are A-1062 (processing)"
        in (transcript[-1]["data"]["content"])
    )
    await handle.execute_update("submit_message", "It is A-1040")
    await shop.idle(handle)
    (made,) = await shop.payments.refunds(order_id="A-1040")
    assert made["amount"] == "16.50"
    await handle.signal("cancel_run")
    await handle.result()
    await shop.env.replay(handle)


async def test_internal_pages_are_not_quoted(shop: Shop) -> None:
    """The page for staff is the nearest one, and no part of it reaches the customer."""
    text = "Which amounts of one refund are low, medium and high risk, and who approves them?"
    found = await shop.env.app.memory.bound(CallContext(agent="test")).run_ops(
        (Search(namespace_prefix=("knowledge",), query=text, limit=1),)
    )
    (nearest,) = found.answers[0]
    assert nearest.value["document"] == "refund-approval"
    handle = await shop.case(text)
    closed = await handle.result()
    state = await _state(handle)
    assert state["sources"]
    assert "refund-approval" not in [source["document"] for source in state["sources"]]
    assert "not part of the conversation" not in closed["reply"]


def _shown(event: HistoryEvent) -> Iterator[str]:
    """Search attributes, memo, summary and ids of an event."""
    attributes = getattr(event, str(event.WhichOneof("attributes")))
    for name in ("search_attributes", "memo", "upserted_memo"):
        if hasattr(attributes, name):
            found = getattr(attributes, name)
            yield from (f"{name} {plain(payload)}" for payload in payloads_in(found))
    yield from (f"summary {plain(payload)}" for payload in payloads_in(event.user_metadata))
    for name in ("workflow_id", "activity_id", "timer_id", "protocol_instance_id"):
        yield f"{name} {getattr(attributes, name, '')}"
    if hasattr(attributes, "task_queue"):
        yield f"task_queue {attributes.task_queue.name}"


async def test_names_and_indexes_hold_no_personal_data(shop: Shop) -> None:
    """Neither who writes nor what they asked for is in an id, an index, a memo or a summary."""
    customer, order = "C-0004", "A-1022"
    ((name, email),) = shop.rows(f"SELECT name, email FROM customer WHERE id = '{customer}'")
    text = f"The lantern of {order} has died. I want my money back. {name}, {email}"
    handle = await shop.case(text, customer)
    (action,) = await shop.env.pending(handle)
    assert action.arguments["order_id"] == order
    described = await handle.describe()
    found = [
        f"typed {described.typed_search_attributes}",
        f"memo {await described.memo()}",
        f"request {action.id} {action.digest}",
    ]
    await shop.env.decide(handle, action, "reject", comment=f"Not without a photo, {name}.")
    await handle.result()
    events = (await handle.fetch_history()).events
    found += [line for event in events for line in _shown(event)]
    for about in (
        "search_attributes waiting",
        "memo [",
        "summary verdict on refund",
        "activity_id 1",
    ):
        assert any(about in line for line in found), about
    secrets = [customer, order, email, *name.split(), action.arguments["amount"], "lantern"]
    told = [(secret, line) for secret in secrets for line in found if secret in line]
    assert told == []
    history = str([plain(payload) for event in events for payload in payloads_in(event)])
    assert all(secret in history for secret in secrets)  # it is there to be found
