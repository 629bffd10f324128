"""What a draft may say: nothing that is not so, in a tone that a customer can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agents.support.checking import problems_of

if TYPE_CHECKING:
    from tests.unit.application.support.articles import Maker

_MUGS = (
    "Glazed inside and out, food-safe and free of lead. It may go into the dishwasher and the "
    "microwave, but not into the oven or over a flame."
)


def _question(make: Maker, said: str, text: str = _MUGS) -> Any:
    sources = [{"document": "care", "title": "Care of ceramics", "text": text, "score": 0.5}]
    return make.state(
        said, intent="product_question", wishes=[], order={}, order_id="", sources=sources
    )


@pytest.mark.parametrize(
    "draft",
    [
        "I am sorry about the trouble with the shade, Lukas. We have refunded 24.00 EUR to your "
        "original payment method.",
        "Dear Lukas, we have refunded 24 EUR for order A-1035. The money arrives within a few "
        "working days. Please let us know if you have any further questions.",
    ],
)
def test_a_sound_draft_may_go(make: Maker, draft: str) -> None:
    """It says what was done in nearly the words of the facts, and courtesies beside."""
    assert problems_of(draft, make.state(done=make.done("done"))) == []


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        ("We have refunded 42.00 EUR to your original payment method.", "says 42.00"),
        ("We have refunded 24.00 EUR and sent you a voucher as well.", "no source says"),
        ("Thank you for your message. We are happy to help you with this.", "does not say"),
        ("We have refunded 24.00 EUR. Dear [customer name], goodbye.", "placeholder"),
        ("We have refunded 24.00 EUR. We have refunded 24.00 EUR.", "repeats itself"),
        ("We have refunded 24.00 EUR to your original payment", "breaks off"),
        ("WE HAVE REFUNDED your money, 24.00 EUR, to YOUR PAYMENT method.", "shouts"),
        ("As an AI language model I have refunded 24.00 EUR to you.", "says 'as an ai'"),
        ("Refunded.", "9 characters"),
    ],
)
def test_an_unsound_draft_may_not(make: Maker, draft: str, problem: str) -> None:
    """The problem is named, for the log."""
    assert problem in "; ".join(problems_of(draft, make.state(done=make.done("done"))))


@pytest.mark.parametrize("outcome", ["rejected", "failed", "needs_details", "not_possible"])
def test_what_did_not_happen_is_not_claimed(make: Maker, outcome: str) -> None:
    """A refund that a person rejected was not made, whatever the model says."""
    draft = "We are sorry about the trouble. We have refunded 24.00 EUR to you."
    found = problems_of(draft, make.state(done=make.done(outcome, why="Could you say more?")))
    assert "claims a refund that did not happen" in found


def test_a_missing_detail_must_be_asked_for(make: Maker) -> None:
    """A statement does not get an answer."""
    done = make.done("needs_details", why="Could you tell us your order number?")
    asks = "We would like to help with that. Could you tell us your order number?"
    assert problems_of(asks, make.state(done=done)) == []
    states = "We would like to help you, and look for your order number."
    assert "does not ask for what is missing" in problems_of(states, make.state(done=done))


@pytest.mark.parametrize(
    "draft",
    [
        "Yes, it may go into the dishwasher and the microwave, but not into the oven.",
        "Thank you for your message. It may go into the microwave. Let us know if you need more.",
    ],
)
def test_an_answer_from_the_page_may_go(make: Maker, draft: str) -> None:
    """It may leave out what was not asked."""
    assert problems_of(draft, _question(make, "is the mug safe in a microwave")) == []


@pytest.mark.parametrize(
    "draft",
    [
        "The mug is not safe to put in a microwave. Thank you for your message.",
        "It may go into the dishwasher and the oven, but not in the microwave.",
        "It may go into the dishwasher, but only without the microwave.",
        "Yes, the mug is safe to put in a microwave. Thank you for asking us.",
        "Thank you for your message. We are always happy to help you with this.",
        "We will be glad to send you a new mug by the end of April.",
    ],
)
def test_an_answer_that_turns_the_page_around_may_not(make: Maker, draft: str) -> None:
    """The words of the page in another sense, the question said back, and promises."""
    assert problems_of(draft, _question(make, "is the mug safe in a microwave")) != []


def test_what_the_customer_told_may_be_said_back(make: Maker) -> None:
    """Their statements, and not their questions."""
    said = "The reset mail does not come. Is the link valid for an hour?"
    state = _question(make, said, "Please look into your spam folder.")
    echo = "We are sorry that the reset mail does not come. Please look into your spam folder."
    assert problems_of(echo, state) == []
    answer = "The link is valid for an hour. Please look into your spam folder."
    assert "no source says 'The link is valid for an hour.'" in problems_of(answer, state)


def test_a_polite_demand_asks_too(make: Maker) -> None:
    """A question mark is not the only way to ask."""
    done = make.done("needs_details", why="Could you tell us your order number?")
    assert problems_of("Sure, please tell us your order number.", make.state(done=done)) == []
