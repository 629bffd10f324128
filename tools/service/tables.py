"""The tables of the CRM. Money is in cents, so that SQLite never rounds it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class CrmTable(SQLModel, registry=registry()):
    """A table of the CRM, apart from the engine's own tables."""


class ProductRow(CrmTable, table=True):
    """An article of the shop."""

    __tablename__ = "product"

    sku: str = Field(primary_key=True)
    name: str
    price_cents: int
    stock: int


class CustomerRow(CrmTable, table=True):
    """Somebody with an account, and where they live."""

    __tablename__ = "customer"

    id: str = Field(primary_key=True)
    name: str
    email: str = Field(unique=True)
    street: str
    postal_code: str
    city: str
    country: str
    customer_since: date
    club_tier: str


class OrderRow(CrmTable, table=True):
    """An order and where it goes."""

    __tablename__ = "order"

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    status: str
    placed_on: date
    shipping_cents: int
    payment_method: str
    street: str
    postal_code: str
    city: str
    country: str


class OrderLineRow(CrmTable, table=True):
    """Some pieces of one article, at the price of that day."""

    __tablename__ = "order_line"

    order_id: str = Field(foreign_key="order.id", primary_key=True)
    sku: str = Field(foreign_key="product.sku", primary_key=True)
    name: str
    quantity: int
    unit_cents: int


class ParcelRow(CrmTable, table=True):
    """The parcel of an order that has left the house."""

    __tablename__ = "parcel"

    tracking: str = Field(primary_key=True)
    order_id: str = Field(foreign_key="order.id", unique=True)
    carrier: str
    dispatched_on: date
    delivered_on: date | None = None


class PastRefundRow(CrmTable, table=True):
    """A refund of an earlier case, noted by hand."""

    __tablename__ = "past_refund"

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(foreign_key="order.id", index=True)
    amount_cents: int
    reason: str
    refunded_on: date


class ReplacementRow(CrmTable, table=True):
    """A free order that replaces goods of an earlier one."""

    __tablename__ = "replacement"

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(foreign_key="order.id", index=True)
    sku: str = Field(foreign_key="product.sku")
    quantity: int
    reason: str
    reference: str = Field(index=True)
    """The effect key of the call. Not unique: keeping calls single is not the CRM's business."""
    created_at: datetime


class AddressHistoryRow(CrmTable, table=True):
    """One change of an order's address."""

    __tablename__ = "address_history"

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(foreign_key="order.id", index=True)
    key: str = Field(unique=True)
    """The idempotency key: a second change under it changes nothing."""
    old_address: str
    street: str
    postal_code: str
    city: str
    country: str
    changed_at: datetime


class OutboxReplyRow(CrmTable, table=True):
    """A reply that the mail system will pick up."""

    __tablename__ = "outbox_reply"

    id: int | None = Field(default=None, primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    subject: str
    body: str
    reference: str = Field(index=True)
    """The effect key of the call, as for a replacement."""
    created_at: datetime
