"""Why a person must look before anything is done: rules of the shop, over what the CRM says."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tools.results import Customer, Order, OrderStatus

_ABOUT_AN_ORDER = ("refund", "replacement", "address_change", "order_status", "cancellation")
_SENT = (OrderStatus.DISPATCHED, OrderStatus.DELIVERED)


def concern_about(intent: str, order: Order | None, customer: Customer | None, sender: str) -> str:
    """Return the first reason why a person must look at a case, in words for that person, or ''.

    Args:
        intent: What the customer wants.
        order: The order they name, if there is one.
        customer: The sender or, when that is not known, the order's customer.
        sender: Number of the customer who writes; empty when the channel has not checked it.
    """
    if order is None or intent not in _ABOUT_AN_ORDER:
        return ""
    if sender and order.customer_id != sender:
        return f"{sender} writes about order {order.order_id}, which belongs to somebody else."
    if intent == "address_change" and not sender:
        return f"Nobody has checked that the writer is the customer of order {order.order_id}."
    if intent not in ("refund", "replacement"):
        return ""
    if order.status not in _SENT:
        return f"Order {order.order_id} is {order.status}, so nothing is due for it."
    refunds = customer.past_refunds if customer else ()
    paid = sum((r.amount for r in refunds if r.order_id == order.order_id), Decimal(0))
    if paid >= order.total:
        return f"Order {order.order_id} has been paid back in full ({paid} {order.currency})."
    return ""


def settled_before(order_id: str, past: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was already done about an order in the customer's closed cases."""
    return [
        str(case["action"])
        for case in past
        if case.get("order_id") == order_id and case.get("outcome") == "done"
    ]
