"""Reading the CRM: customers and orders."""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.errors import ToolRetry
from tools.results import (
    Address,
    Customer,
    Order,
    OrderLine,
    OrderStatus,
    OrderSummary,
    PastRefund,
)
from tools.service.database import reading
from tools.service.tables import CustomerRow, OrderLineRow, OrderRow, ParcelRow, PastRefundRow

CURRENCY = "EUR"


async def customer_lookup(customer: str) -> Customer:
    """Read a customer by number or e-mail address."""
    by_email = "@" in customer
    column = CustomerRow.email if by_email else CustomerRow.id
    async with reading() as session:
        found = await session.exec(
            select(CustomerRow).where(col(column) == (customer.lower() if by_email else customer))
        )
        row = found.one_or_none()
        if row is None:
            raise ToolRetry(
                f"No customer {customer!r}. Use the customer_id of an order, or ask the customer "
                "for the e-mail address of their account."
            )
        orders = await session.exec(
            select(OrderRow)
            .where(OrderRow.customer_id == row.id)
            .order_by(col(OrderRow.placed_on).desc(), col(OrderRow.id).desc())
        )
        summaries = [await _summary(session, order) for order in orders.all()]
        refunds = await session.exec(
            select(PastRefundRow)
            .join(OrderRow)
            .where(OrderRow.customer_id == row.id)
            .order_by(col(PastRefundRow.refunded_on).desc())
        )
        return Customer(
            customer_id=row.id,
            name=row.name,
            country=row.country,
            customer_since=row.customer_since,
            club_tier=row.club_tier,
            orders=tuple(summaries),
            past_refunds=tuple(_past_refund(refund) for refund in refunds.all()),
        )


async def order_lookup(order_id: str) -> Order:
    """Read an order by number."""
    async with reading() as session:
        return await read_order(session, order_id)


async def read_order(session: AsyncSession, order_id: str) -> Order:
    """Read an order inside the caller's session.

    Raises:
        ToolRetry: there is no such order.
    """
    row = await session.get(OrderRow, order_id)
    if row is None:
        raise ToolRetry(
            f"No order {order_id!r}. Check the number in the customer's message, look at the "
            "customer's orders with customer_lookup, or ask the customer for the order number."
        )
    lines = await _lines(session, order_id)
    parcels = await session.exec(select(ParcelRow).where(ParcelRow.order_id == order_id))
    parcel = parcels.one_or_none()
    goods = sum(line.quantity * line.unit_cents for line in lines)
    return Order(
        order_id=row.id,
        customer_id=row.customer_id,
        status=OrderStatus(row.status),
        placed_on=row.placed_on,
        dispatched_on=parcel.dispatched_on if parcel else None,
        delivered_on=parcel.delivered_on if parcel else None,
        carrier=parcel.carrier if parcel else None,
        tracking=parcel.tracking if parcel else None,
        lines=tuple(
            OrderLine(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=euros(line.unit_cents),
            )
            for line in lines
        ),
        goods=euros(goods),
        shipping=euros(row.shipping_cents),
        total=euros(goods + row.shipping_cents),
        currency=CURRENCY,
        payment_method=row.payment_method,
        address=Address(
            street=row.street,
            postal_code=row.postal_code,
            city=row.city,
            country=row.country,
        ),
    )


def euros(cents: int) -> Decimal:
    """Turn cents into EUR with two decimals."""
    return Decimal(cents).scaleb(-2)


async def _lines(session: AsyncSession, order_id: str) -> list[OrderLineRow]:
    found = await session.exec(
        select(OrderLineRow).where(OrderLineRow.order_id == order_id).order_by(OrderLineRow.sku)
    )
    return list(found.all())


async def _summary(session: AsyncSession, order: OrderRow) -> OrderSummary:
    goods = sum(line.quantity * line.unit_cents for line in await _lines(session, order.id))
    return OrderSummary(
        order_id=order.id,
        status=OrderStatus(order.status),
        placed_on=order.placed_on,
        total=euros(goods + order.shipping_cents),
    )


def _past_refund(row: PastRefundRow) -> PastRefund:
    return PastRefund(
        order_id=row.order_id,
        amount=euros(row.amount_cents),
        reason=row.reason,
        refunded_on=row.refunded_on,
    )
