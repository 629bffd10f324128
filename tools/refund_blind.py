"""A refund that cannot be looked up afterwards: what a worse payment service would offer.

The deployment does not register it. The crash tests do, to show that an outcome nobody can tell is
put before a person and never repeated.
"""
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from interlock.tools import Effect, tool
from tools.contracts import (
    PAYMENTS,
    PAYMENTS_BREAKER,
    Euros,
    OrderId,
    Reason,
    risk_of_refund,
)
from tools.results import Refund


@tool(
    effect=Effect.EXTERNAL,
    risk=risk_of_refund,
    timeout_seconds=10,
    attempts=3,
    dependency=PAYMENTS,
    breaker=PAYMENTS_BREAKER,
    while_open="wait",
    amount="amount",
    runs="tools.service.payments:refund",
)
async def refund_blind(order_id: OrderId, amount: Euros, reason: Reason) -> Refund:
    """Pay money back to the customer's original payment method, with no way to look it up."""
