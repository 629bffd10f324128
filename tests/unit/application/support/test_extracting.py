"""What a model reads out of a message, held against the message and the order."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agents.support.extracting import Wish, extract_wish, goods_meant, refund_amount
from interlock.errors import ModelUnavailable
from interlock.models.contract import MODEL_PORT
from tests.unit.application.support.articles import LAMP, MUGS, SHADE

if TYPE_CHECKING:
    from tests.unit.application.support.articles import Maker

_SAID = "The lamp came, and the shade came too, and I want the shade refunded."


def test_goods_that_the_model_quotes_count(make: Maker) -> None:
    """The customer's own words name the article, so the model's choice stands."""
    wish = Wish(article=SHADE["name"], quote="I want the shade refunded")
    assert goods_meant(wish, make.order(), _SAID) == [(SHADE, 1)]
    assert refund_amount(wish, make.order(), _SAID) == Decimal("24.00")


@pytest.mark.parametrize(
    "quote", ["", "the shade is torn", "I want", "The lamp came, and the shade came too"]
)
def test_goods_without_their_own_words_do_not(make: Maker, quote: str) -> None:
    """A quote that is not in the message, or does not tell the article apart, counts for nothing."""
    wish = Wish(article=LAMP["name"] if "lamp" not in quote else "", quote=quote)
    assert goods_meant(wish, make.order(), "It came, and I want the shade refunded.") == [
        (SHADE, 1)
    ]


def test_pieces_count_when_the_quote_says_them(make: Maker) -> None:
    """A number from nowhere is replaced by the rules' own reading."""
    order = make.order(MUGS, total="74.90")
    said = "Four guests came and three mugs broke"
    quoted = Wish(article=MUGS["name"], pieces=3, quote="three mugs broke")
    assert goods_meant(quoted, order, said) == [(MUGS, 3)]
    invented = Wish(article=MUGS["name"], pieces=2, quote="three mugs broke")
    assert goods_meant(invented, order, said) == [(MUGS, 3)]


@pytest.mark.parametrize(
    ("said", "amount", "expected"),
    [
        ("Please pay 20 EUR of the 89 EUR back", "20", "20.00"),
        ("Please pay 20 EUR of the 89 EUR back", "89 EUR", "89.00"),
        ("Please pay 20 EUR of the 89 EUR back", "50", "20.00"),
        ("Please pay 500 EUR back for the lamp", "500", "89.00"),
        ("The shade has a tear", "5", "24.00"),
        ("Lamp and shade are smashed", "", "121.90"),
        ("It arrived broken", "", "121.90"),
    ],
)
def test_amounts_are_written_or_follow_from_the_order(
    make: Maker, said: str, amount: str, expected: str
) -> None:
    """An amount that the customer did not write, or the order does not cover, is not paid."""
    assert refund_amount(Wish(amount=amount), make.order(), said) == Decimal(expected)


def test_some_pieces_of_one_line_are_paid_by_the_piece(make: Maker) -> None:
    """The shipping is paid back only when everything is."""
    order = make.order(MUGS, total="74.90")
    assert refund_amount(Wish(), order, "Two of the mugs broke") == Decimal("33.00")
    assert refund_amount(Wish(), order, "All mugs broke") == Decimal("74.90")


async def test_without_a_model_nothing_is_read(make: Maker) -> None:
    """The case goes on with the rules."""

    class Nobody:
        async def call_model(self, *_: object) -> None:
            raise ModelUnavailable("nobody answers")

    token = MODEL_PORT.set(Nobody())  # type: ignore[arg-type]  # it never answers
    assert await extract_wish(make.order(), "refund please") == Wish()
    MODEL_PORT.reset(token)
