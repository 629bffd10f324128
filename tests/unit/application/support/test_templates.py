"""Honest replies: every state of a case has one, made of facts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agents.support.passages import excerpt, plain_text
from agents.support.templates import promise_for, template_for

if TYPE_CHECKING:
    from tests.unit.application.support.articles import Maker


def test_a_reply_greets_and_says_that_it_is_automatic(make: Maker) -> None:
    """By first name when it is known, and signed as what it is."""
    reply = template_for(make.state(done=make.done("done")))
    assert reply.startswith("Hello Lukas,\n\nWe are sorry about the trouble with order A-1035. ")
    assert "We have refunded 24.00 EUR to your original payment method" in reply
    assert reply.endswith("\n\nHarbour Lane (automatic reply)")
    assert template_for(make.state(customer={})).startswith("Hello,\n\n")


@pytest.mark.parametrize(
    ("outcome", "why", "says"),
    [
        ("rejected", "No photo.", "we cannot make the refund. The reason: No photo."),
        ("rejected", "", "we cannot make the refund. If"),
        (
            "expired",
            "Nobody decided.",
            "We are sorry: we could not make the refund. Nobody decided.",
        ),
        ("not_possible", "It is dispatched.", "but we cannot make the refund. It is dispatched."),
        ("needs_details", "Which one?", "We would like to help with that. Which one?"),
    ],
)
def test_what_was_not_done_is_explained(make: Maker, outcome: str, why: str, says: str) -> None:
    """With the reviewer's reason, the shop's rule, or what is missing."""
    assert says in template_for(make.state(done=make.done(outcome, why=why)))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("processing", "is being prepared and has not left our warehouse yet."),
        ("dispatched", "left our warehouse on 11 February 2026 with Tidewater Post, tracking"),
        ("delivered", "was delivered on 20 February 2026"),
        ("cancelled", "is cancelled and has been paid back."),
    ],
)
def test_an_order_is_told_as_the_crm_has_it(make: Maker, status: str, says: str) -> None:
    """Goods, dates and parcel."""
    state = make.state(intent="order_status", order=make.order(status=status))
    assert says in template_for(state)
    assert "1 x 'Fjord' ceramic lamp" in template_for(state)


def test_an_order_that_is_not_known_is_asked_for(make: Maker) -> None:
    """With what the customer bought last, if it is known who writes."""
    state = make.state(intent="order_status", order={}, order_id="")
    assert "Could you tell us your order number?" in template_for(state)
    state["order_id"] = "A-9999"
    assert "We cannot find an order A-9999." in template_for(state)
    state["order_id"] = ""
    state["customer"]["orders"] = [{"order_id": "A-1056", "status": "processing"}]
    assert "Your newest ones are A-1056 (processing)." in template_for(state)


def test_a_question_is_answered_with_the_page(make: Maker) -> None:
    """The page is named and quoted, others are named, and a person is offered."""
    pages = [
        {"document": d, "title": t, "text": "It **runs out** in 5 years.", "score": 0.5}
        for d, t in (("a", "Gift cards"), ("a", "Gift cards"), ("b", "Payment"))
    ]
    reply = template_for(make.state(intent="policy_question", sources=pages))
    assert "Our help page 'Gift cards' says:\n\nIt runs out in 5 years.\n\n" in reply
    assert "It may also be on 'Payment'." in reply
    assert "write 'a person, please'" in reply
    other = template_for(make.state(intent="other", sources=pages))
    assert "Gift cards" not in other


def test_a_person_gets_a_suggestion_that_they_can_keep(make: Maker) -> None:
    """It promises an answer within the time that the help pages name."""
    assert "within one working day" in promise_for(make.state())


def test_markdown_is_read_as_plain_text() -> None:
    """Marks go, paragraphs are joined, tables become lines."""
    text = "You may\n**return** it:\n\n- in a\n  month\n- or two\n\n| To | EUR |\n| --- | --- |\n| IE | 4.90 |"
    assert plain_text(text) == ("You may return it:\n- in a month\n- or two\n- To, EUR\n- IE, 4.90")


def test_a_long_passage_ends_with_a_sentence() -> None:
    """What is cut is marked."""
    assert excerpt("One two. Three four. Five six.", 22) == "One two. Three four. ..."
    assert excerpt("short", 22) == "short"
    assert excerpt("x" * 30, 22) == "x" * 22 + " ..."
