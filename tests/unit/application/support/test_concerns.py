"""Why a person must look before anything is done."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from agents.support.concerns import concern_about, settled_before
from tools.results import Address, Customer, Order, OrderStatus, PastRefund

_DAY = date(2026, 3, 2)


def _order(status: str = "delivered") -> Order:
    return Order(
        order_id="A-1042",
        customer_id="C-0007",
        status=OrderStatus(status),
        placed_on=_DAY,
        dispatched_on=None,
        delivered_on=None,
        carrier=None,
        tracking=None,
        lines=(),
        goods=Decimal(89),
        shipping=Decimal(0),
        total=Decimal(89),
        currency="EUR",
        payment_method="card",
        address=Address(street="x", postal_code="y", city="z", country="IE"),
    )


def _customer(*refunds: str) -> Customer:
    paid = [
        PastRefund(order_id="A-1042", amount=Decimal(a), reason="r", refunded_on=_DAY)
        for a in refunds
    ]
    return Customer(
        customer_id="C-0007",
        name="Maya Lindqvist",
        country="IE",
        customer_since=_DAY,
        club_tier="mate",
        orders=(),
        past_refunds=tuple(paid),
    )


@pytest.mark.parametrize(
    ("intent", "status", "sender", "says"),
    [
        ("refund", "delivered", "C-0007", ""),
        ("refund", "dispatched", "", ""),
        ("refund", "delivered", "C-0011", "belongs to somebody else"),
        ("order_status", "delivered", "C-0011", "belongs to somebody else"),
        ("policy_question", "delivered", "C-0011", ""),
        ("refund", "cancelled", "C-0007", "is cancelled, so nothing is due"),
        ("replacement", "processing", "C-0007", "is processing, so nothing is due"),
        ("address_change", "processing", "C-0007", ""),
        ("address_change", "processing", "", "Nobody has checked"),
    ],
)
def test_rules_of_the_shop_call_a_person(intent: str, status: str, sender: str, says: str) -> None:
    """A stranger, an order that is settled, and an address that nobody vouches for."""
    concern = concern_about(intent, _order(status), _customer(), sender)
    assert says in concern
    assert bool(says) == bool(concern)


def test_what_is_paid_back_in_full_is_not_paid_again() -> None:
    """Earlier refunds of the order add up."""
    assert concern_about("refund", _order(), _customer("50", "38.99"), "C-0007") == ""
    full = concern_about("refund", _order(), _customer("50", "39"), "C-0007")
    assert full == "Order A-1042 has been paid back in full (89 EUR)."


def test_without_an_order_there_is_no_concern() -> None:
    """What to ask for is the action's business."""
    assert concern_about("refund", None, None, "") == ""


def test_earlier_cases_tell_what_was_done() -> None:
    """Only what was done, and only about this order."""
    cases: list[dict[str, Any]] = [
        {"order_id": "A-1042", "action": "refund", "outcome": "done"},
        {"order_id": "A-1042", "action": "replacement", "outcome": "rejected"},
        {"order_id": "A-1041", "action": "refund", "outcome": "done"},
        {"summary": "of an older form"},
    ]
    assert settled_before("A-1042", cases) == ["refund"]
