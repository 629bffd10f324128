"""Wishes and order numbers in a customer's words."""

from __future__ import annotations

import pytest

from agents.support.wording import order_number, wishes_in, without_order_numbers


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("I want my money back.", ["refund"]),
        ("Please reimburse me for the vase", ["refund"]),
        ("Could you give back what I paid for shipping?", ["refund"]),
        ("Can you send me a new one?", ["replacement"]),
        ("Please replace it.", ["replacement"]),
        ("I don't want a refund, I want an intact bowl.", []),
        ("No refund please. Just resend it.", ["replacement"]),
        ("Instead of a refund, please exchange the lamp", ["replacement"]),
        ("Cancel my order", ["cancellation"]),
        ("Is the parcel with my tracking number lost?", ["order_status"]),
        ("I want to speak to a manager", ["complaint_or_human"]),
        ("Please send it to my mother", ["address_change"]),
        ("Can the plates go in the dishwasher?", []),
    ],
)
def test_a_wish_is_heard_unless_it_is_denied(text: str, wishes: list[str]) -> None:
    """Words name a wish; a 'no' or 'instead of' just before them takes it back."""
    assert wishes_in(text) == wishes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("order A-1042 please", "A-1042"),
        ("a-1042", "A-1042"),
        ("A 1042 or A-1043", "A-1042"),
        ("Order #A1042.", "A-1042"),
        ("a 1042 piece puzzle", ""),
        ("A-10423", ""),
        ("call me on 1042", ""),
    ],
)
def test_order_numbers_are_found_however_they_are_written(text: str, number: str) -> None:
    """The first one counts; other numbers do not."""
    assert order_number(text) == number


def test_numbers_are_taken_out_for_the_embedder() -> None:
    """The text stays readable, and a text of nothing but a number stays as it is."""
    assert without_order_numbers("My order A-1042 arrived  broken") == "My order arrived broken"
    assert without_order_numbers("A-1042") == "A-1042"
