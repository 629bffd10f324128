"""Paying money back through the payment service.

Nothing here keeps a refund from being made twice: the payment service takes every request it gets,
and what was paid back before is not subtracted. That is the ledger's work, and a check here would
only hide a mistake of it.
"""

from __future__ import annotations

import os
from decimal import Decimal

import httpx

from interlock.errors import ToolFailed, ToolRetry
from interlock.tools.contract import ToolCall
from tools.results import Order, OrderStatus, Refund
from tools.service.crm import order_lookup

_TIMEOUT_SECONDS = 8.0
_PAID_BACK = (OrderStatus.CANCELLED, OrderStatus.RETURNED)


async def refund(order_id: str, amount: Decimal, reason: str, *, call: ToolCall) -> Refund:
    """Pay `amount` of an order back, under the call's effect key as the reference.

    Raises:
        ToolRetry: no such order, or more than was paid.
        ToolFailed: the order is already paid back, or the payment service says no.
    """
    order = await order_lookup(order_id)
    _check(order, amount)
    body = {
        "order_id": order_id,
        "amount": str(amount),
        "currency": order.currency,
        "reason": reason,
        "reference": call.effect_key,
    }
    async with _service() as service:
        answer = await service.post("/refunds", json=body)
    if answer.is_client_error:
        raise ToolFailed(f"The payment service refused the refund of {order_id!r}: {answer.text}")
    answer.raise_for_status()
    return _refund(answer.json())


async def find_refund(call: ToolCall) -> Refund | None:
    """Return the refund that was made under the call's effect key, None when there is none."""
    async with _service() as service:
        answer = await service.get("/refunds", params={"reference": call.effect_key})
    answer.raise_for_status()
    made = answer.json()["refunds"]
    return _refund(made[0]) if made else None


def _service() -> httpx.AsyncClient:
    url = os.environ.get("SHOP_PAYMENTS_URL")
    if not url:
        # Certain: nothing was sent.
        raise ToolFailed(
            "No payment service is configured. Start it with 'python -m tools.payment_service' and "
            "set SHOP_PAYMENTS_URL to the address it prints."
        )
    return httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_SECONDS)


def _check(order: Order, amount: Decimal) -> None:
    if order.status in _PAID_BACK:
        raise ToolFailed(f"Order {order.order_id!r} is {order.status} and already paid back.")
    if amount > order.total:
        raise ToolRetry(
            f"{amount} {order.currency} is more than was paid for order {order.order_id!r}: at most "
            f"{order.total} {order.currency} can be paid back."
        )


def _refund(made: dict[str, str]) -> Refund:
    return Refund(
        refund_id=made["id"],
        order_id=made["order_id"],
        amount=Decimal(made["amount"]),
        currency=made["currency"],
    )
