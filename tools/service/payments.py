"""Paying money back through the payment service.

Nothing here keeps a refund from being made twice: the payment service takes every request it gets,
and what was paid back before is not subtracted. That is the ledger's work, and a check here would
only hide a mistake of it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal

import httpx

from interlock.errors import ToolFailed, ToolRetry, ToolUnavailable
from interlock.tools.contract import ToolCall
from tools.results import Order, OrderStatus, Refund
from tools.service.crm import order_lookup

_TIMEOUT_SECONDS = 8.0
_SHARE = 0.8
"""How much of a call's time its request gets: the rest is there to ask what became of it."""
_PAID_BACK = (OrderStatus.CANCELLED, OrderStatus.RETURNED)


async def refund(order_id: str, amount: Decimal, reason: str, *, call: ToolCall) -> Refund:
    """Pay `amount` of an order back, under the call's effect key as the reference.

    After the call's deadline the service refuses it, so that it is not paid when the gateway has
    asked and calls again.

    Raises:
        ToolRetry: no such order, or more than was paid.
        ToolFailed: the order is already paid back, or the payment service says no.
        ToolUnavailable: nothing was sent, or it came too late; nothing was paid.
    """
    order = await order_lookup(order_id)
    _check(order, amount)
    body = {
        "order_id": order_id,
        "amount": str(amount),
        "currency": order.currency,
        "reason": reason,
        "reference": call.effect_key,
        "not_after": call.deadline.isoformat() if call.deadline else None,
    }
    answer = await _post(body, call.deadline)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        # It was the one request of this call; the answer's `Retry-After` is read from the cause.
        busy = httpx.HTTPStatusError("busy", request=answer.request, response=answer)
        raise ToolUnavailable("the payment service takes no more requests now") from busy
    if answer.status_code == httpx.codes.PRECONDITION_FAILED:
        raise ToolUnavailable(f"the refund of {order_id!r} came too late to the payment service")
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


async def _post(body: dict[str, str | None], deadline: datetime | None) -> httpx.Response:
    try:
        async with _service(deadline) as service:
            return await service.post("/refunds", json=body)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ToolUnavailable(f"nothing was sent to the payment service: {error}") from error


def _service(deadline: datetime | None = None) -> httpx.AsyncClient:
    url = os.environ.get("SHOP_PAYMENTS_URL")
    if not url:
        # Certain: nothing was sent.
        raise ToolFailed(
            "No payment service is configured. Start it with 'python -m tools.payment_service' and "
            "set SHOP_PAYMENTS_URL to the address it prints."
        )
    return httpx.AsyncClient(base_url=url, timeout=_seconds(deadline))


def _seconds(deadline: datetime | None) -> float:
    if deadline is None:
        return _TIMEOUT_SECONDS
    left = (deadline - datetime.now(UTC)).total_seconds()
    return min(max(_SHARE * left, 1.0), _TIMEOUT_SECONDS)


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
