"""What the tools answer: frozen data, safe in a workflow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class OrderStatus(StrEnum):
    """Where an order is."""

    PROCESSING = "processing"
    """Paid and not yet dispatched: it can still be changed or cancelled."""
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    """Cancelled before dispatch and paid back in full."""
    RETURNED = "returned"
    """Came back and was paid back."""


class Address(_Result):
    """Where an order goes."""

    street: str
    postal_code: str
    city: str
    country: str
    """Two letters, ISO 3166."""


class OrderLine(_Result):
    """Some pieces of one product in an order."""

    sku: str
    name: str
    quantity: int
    unit_price: Decimal


class Order(_Result):
    """An order as the copilot and a reviewer need to see it."""

    order_id: str
    customer_id: str
    status: OrderStatus
    placed_on: date
    dispatched_on: date | None
    delivered_on: date | None
    carrier: str | None
    tracking: str | None
    lines: tuple[OrderLine, ...]
    goods: Decimal
    shipping: Decimal
    total: Decimal
    """Goods and shipping: the most that can be paid back."""
    currency: str
    payment_method: str
    address: Address


class OrderSummary(_Result):
    """One line of a customer's history."""

    order_id: str
    status: OrderStatus
    placed_on: date
    total: Decimal


class PastRefund(_Result):
    """A refund that the CRM knows of from earlier cases."""

    order_id: str
    amount: Decimal
    reason: str
    refunded_on: date


class Customer(_Result):
    """A customer and their history, without e-mail and address: the copilot has no use for them."""

    customer_id: str
    name: str
    country: str
    customer_since: date
    club_tier: str
    orders: tuple[OrderSummary, ...]
    """Newest first."""
    past_refunds: tuple[PastRefund, ...]
    """Newest first."""


class Refund(_Result):
    """Money on its way back to the customer."""

    refund_id: str
    order_id: str
    amount: Decimal
    currency: str


class Replacement(_Result):
    """A free order that replaces goods of an earlier one."""

    replacement_id: str
    order_id: str
    sku: str
    quantity: int


class AddressChange(_Result):
    """The address an order now goes to."""

    order_id: str
    address: Address


class SentReply(_Result):
    """A reply that is in the outbox."""

    reply_id: str
    customer_id: str
