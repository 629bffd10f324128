"""Money, goods and pieces in a customer's words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agents.support.reading import lines_meant, money_in, numbers_in, pieces_meant
from tests.unit.application.support.articles import LAMP, MUGS, SHADE

if TYPE_CHECKING:
    from agents.support.reading import Line


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("pay back 16.50 EUR please", ["16.50"]),
        ("It is only 7,50 € but", ["7.50"]),
        ("the 18 euro for the pair", ["18.00"]),
        ("€20 of the 89.00 EUR", ["20.00", "89.00"]),
        ("order A-1042 of 2026, 3 plates", []),
        ("EUR 12", ["12.00"]),
    ],
)
def test_money_is_read_with_its_currency(text: str, amounts: list[str]) -> None:
    """A number without a currency is no money."""
    assert money_in(text) == [Decimal(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("The lamp is cracked. The shade is intact.", [LAMP]),
        ("the lamp works, but the linen shade has a tear", [SHADE]),
        ("lamp and shade are both smashed", [LAMP, SHADE]),
        ("it arrived broken", []),
        ("the Fjord is broken", []),
    ],
)
def test_goods_are_those_that_something_is_wrong_with(text: str, meant: list[Line]) -> None:
    """What is fine does not count, nor a word that several lines share."""
    assert lines_meant([LAMP, SHADE], text) == meant


def test_the_only_line_is_always_meant() -> None:
    """Nobody has to name the one thing that they bought."""
    assert lines_meant([MUGS], "it broke") == [MUGS]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Two of the mugs are broken, the other 2 ok.", 2),
        ("of the four mugs one has lost its handle", 1),
        ("Three out of four did not survive", 3),
        ("both mugs are cracked", 4),
        ("the mug is cracked", 1),
        ("the mugs are cracked", 4),
        ("all are cracked, 2 badly", 4),
        ("40 guests are coming on the 3rd", 4),
    ],
)
def test_pieces_are_the_number_that_is_said(text: str, pieces: int) -> None:
    """The smallest number that the order covers; without one, the grammar decides."""
    assert pieces_meant(MUGS, text) == pieces


def test_numbers_of_other_things_do_not_count() -> None:
    """Order numbers, money and ordinals are no pieces."""
    assert numbers_in("A-1042: 2 of six, 16.50 EUR, before the 20th, another one") == [2, 6]
