"""Replies to customers: rows in the CRM's outbox, which the mail system empties."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import select

from interlock.errors import ToolRetry
from interlock.tools.contract import ToolCall
from tools.results import SentReply
from tools.service.database import reading, writing
from tools.service.tables import CustomerRow, OutboxReplyRow


async def send_reply(customer_id: str, subject: str, body: str, *, call: ToolCall) -> SentReply:
    """Put a reply into the outbox, under the call's effect key as the reference.

    Raises:
        ToolRetry: there is no such customer.
        ToolUnavailable: the call's deadline is over; nothing was sent.
    """
    async with writing(call.deadline) as session:
        if await session.get(CustomerRow, customer_id) is None:
            raise ToolRetry(
                f"No customer {customer_id!r}. Use the customer_id of the order or the case."
            )
        row = OutboxReplyRow(
            customer_id=customer_id,
            subject=subject,
            body=body,
            reference=call.effect_key,
            created_at=datetime.now(UTC),
        )
        session.add(row)
        await session.flush()
        return _sent(row)


async def find_reply(call: ToolCall) -> SentReply | None:
    """Return the reply sent under the call's effect key, None when there is none."""
    async with reading() as session:
        found = await session.exec(
            select(OutboxReplyRow).where(OutboxReplyRow.reference == call.effect_key)
        )
        row = found.first()
        return _sent(row) if row else None


def _sent(row: OutboxReplyRow) -> SentReply:
    return SentReply(reply_id=f"M-{row.id:05d}", customer_id=row.customer_id)
