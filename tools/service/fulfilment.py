"""Changing what leaves the warehouse: replacements and delivery addresses."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.errors import ToolFailed, ToolRetry
from interlock.tools.contract import ToolCall
from tools.results import Address, AddressChange, Order, OrderStatus, Replacement
from tools.service.crm import read_order
from tools.service.database import reading, writing
from tools.service.tables import AddressHistoryRow, OrderRow, ProductRow, ReplacementRow

_SENT = (OrderStatus.DISPATCHED, OrderStatus.DELIVERED)


async def replacement_order(
    order_id: str, sku: str, quantity: int, reason: str, *, call: ToolCall
) -> Replacement:
    """Take goods from stock and send them, under the call's effect key as the reference.

    Raises:
        ToolRetry: no such order, or it does not hold so many of that article.
        ToolFailed: the order was never sent, or the article is out of stock.
        ToolUnavailable: the call's deadline is over; nothing was taken.
    """
    async with writing(call.deadline) as session:
        order = await read_order(session, order_id)
        _check_line(order, sku, quantity)
        await _take(session, sku, quantity)
        row = ReplacementRow(
            order_id=order_id,
            sku=sku,
            quantity=quantity,
            reason=reason,
            reference=call.effect_key,
            created_at=datetime.now(UTC),
        )
        session.add(row)
        await session.flush()
        return _replacement(row)


async def find_replacement(call: ToolCall) -> Replacement | None:
    """Return the replacement made under the call's effect key, None when there is none."""
    async with reading() as session:
        found = await session.exec(
            select(ReplacementRow).where(ReplacementRow.reference == call.effect_key)
        )
        row = found.first()
        return _replacement(row) if row else None


async def address_change(
    order_id: str, street: str, postal_code: str, city: str, *, call: ToolCall
) -> AddressChange:
    """Give an order another address in the same country; once per effect key.

    Raises:
        ToolRetry: no such order.
        ToolFailed: the order has left the warehouse or was cancelled.
        ToolUnavailable: the call's deadline is over; nothing was changed.
    """
    async with writing(call.deadline) as session:
        found = await session.exec(
            select(AddressHistoryRow).where(AddressHistoryRow.key == call.effect_key)
        )
        if (earlier := found.one_or_none()) is not None:
            return _change(earlier)
        order = await read_order(session, order_id)
        if order.status is not OrderStatus.PROCESSING:
            raise ToolFailed(
                f"Order {order_id!r} is {order.status}: its address can only be changed before "
                "dispatch."
            )
        change = AddressHistoryRow(
            order_id=order_id,
            key=call.effect_key,
            old_address=order.address.model_dump_json(),
            street=street,
            postal_code=postal_code,
            city=city,
            country=order.address.country,
            changed_at=datetime.now(UTC),
        )
        session.add(change)
        row = await session.get_one(OrderRow, order_id)
        row.street, row.postal_code, row.city = street, postal_code, city
        return _change(change)


def _check_line(order: Order, sku: str, quantity: int) -> None:
    if order.status not in _SENT:
        raise ToolFailed(
            f"Order {order.order_id!r} is {order.status}: only what was sent can be replaced."
        )
    bought = {line.sku: line.quantity for line in order.lines}
    if quantity > bought.get(sku, 0):
        held = ", ".join(f"{count} x {name}" for name, count in bought.items())
        raise ToolRetry(
            f"Order {order.order_id!r} does not hold {quantity} x {sku!r}. It holds {held}."
        )


async def _take(session: AsyncSession, sku: str, quantity: int) -> None:
    product = await session.get_one(ProductRow, sku)
    if product.stock < quantity:
        raise ToolFailed(
            f"{product.name} ({sku!r}) is out of stock: {product.stock} left. Offer a refund, or "
            "to wait for the next delivery."
        )
    product.stock -= quantity


def _replacement(row: ReplacementRow) -> Replacement:
    return Replacement(
        replacement_id=f"RP-{row.id:05d}",
        order_id=row.order_id,
        sku=row.sku,
        quantity=row.quantity,
    )


def _change(row: AddressHistoryRow) -> AddressChange:
    return AddressChange(
        order_id=row.order_id,
        address=Address(
            street=row.street, postal_code=row.postal_code, city=row.city, country=row.country
        ),
    )
