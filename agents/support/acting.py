"""The three things the copilot can do, each with arguments that were checked against the CRM."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.support.state import Action, Done, SupportState, question
from interlock.agents import model
from interlock.errors import (
    ActionDenied,
    ApprovalExpired,
    ApprovalRejected,
    ModelMistake,
    ModelUnavailable,
    ToolFailed,
)
from interlock.tools import Tool
from tools.contracts import address_change, refund, replacement_order


class Wish(BaseModel):
    """What the customer said about a refund or a replacement."""

    amount: str = Field(
        "", max_length=12, description="Amount they ask for, digits only, or empty."
    )
    reason: str = Field("", max_length=120, description="Why, in a few words from the message.")


class NewAddress(BaseModel):
    """The address the customer wants an order sent to."""

    street: str = Field("", max_length=80, description="Street and house number, or empty.")
    postal_code: str = Field("", max_length=12, description="Postal code, or empty.")
    city: str = Field("", max_length=60, description="City, or empty.")


async def act_refund(state: SupportState) -> SupportState:
    """Ask for a refund of the stated amount, or of the order's total when none is stated."""
    order = state.get("order")
    if order is None:
        return _needs_details("refund", "the order number")
    wish = await _extract(Wish, question(state))
    arguments = {
        "order_id": order["order_id"],
        "amount": str(stated_amount(wish.amount, question(state), Decimal(order["total"]))),
        "reason": _reason(wish, state),
    }
    return await _do("refund", refund, arguments)


async def act_replacement(state: SupportState) -> SupportState:
    """Ask for a replacement of the line the customer means, or of the only one there is."""
    order = state.get("order")
    if order is None:
        return _needs_details("replacement", "the order number")
    line = meant_line(order["lines"], question(state))
    if line is None:
        return _needs_details("replacement", "which article of the order it is about")
    wish = await _extract(Wish, question(state))
    arguments = {
        "order_id": order["order_id"],
        "sku": line["sku"],
        "quantity": 1,
        "reason": _reason(wish, state),
    }
    return await _do("replacement", replacement_order, arguments)


async def act_address_change(state: SupportState) -> SupportState:
    """Change the address to what the message says, word for word."""
    order = state.get("order")
    if order is None:
        return _needs_details("address_change", "the order number")
    found = await _extract(NewAddress, question(state))
    parts = {"street": found.street, "postal_code": found.postal_code, "city": found.city}
    if not all(part and part.lower() in question(state).lower() for part in parts.values()):
        return _needs_details(
            "address_change", "the new street with house number, postal code and city"
        )
    return await _do("address_change", address_change, {"order_id": order["order_id"], **parts})


def stated_amount(extracted: str, text: str, total: Decimal) -> Decimal:
    """Return the extracted amount if the customer wrote it and the order covers it, else the total."""
    digits = re.sub(r"[^\d.]", "", extracted.replace(",", "."))
    try:
        amount = Decimal(digits)
    except InvalidOperation:
        return total
    written = digits in text.replace(",", ".") and amount == amount.quantize(Decimal("0.01"))
    return amount if written and 0 < amount <= total else total


def meant_line(lines: list[dict[str, Any]], text: str) -> dict[str, Any] | None:
    """Return the order line whose name shares most words with the text; the only line if one."""
    if len(lines) == 1:
        return lines[0]
    words = set(text.lower().split())
    scored = [(len(words & set(line["name"].lower().split())), line) for line in lines]
    best = max(scored, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


async def _extract(schema: type[Any], text: str) -> Any:
    """Let the model fill a schema from the message; an empty one when it cannot."""
    prompt = [
        SystemMessage(
            "Copy what the customer wrote into the fields. Leave a field empty when the message "
            "does not say it."
        ),
        HumanMessage(text),
    ]
    try:
        return await model("fast").with_structured_output(schema).ainvoke(prompt)
    except (OutputParserException, ModelUnavailable):
        return schema()


def _reason(wish: Wish, state: SupportState) -> str:
    said = wish.reason.strip()
    if len(said) >= 3 and said.lower() in question(state).lower():
        return said
    return f"Customer wrote: {question(state)[:200]}"


async def _do(action: Action, tool: Tool, arguments: dict[str, Any]) -> SupportState:
    try:
        result = await tool.ainvoke(arguments)
    except (ApprovalRejected, ApprovalExpired, ActionDenied) as error:
        return _ended(action, "rejected", arguments, why=error.message)
    except (ToolFailed, ModelMistake) as error:
        return _ended(action, "failed", arguments, why=error.message)
    answer = result.model_dump(mode="json") if isinstance(result, BaseModel) else {"answer": result}
    return _ended(action, "done", arguments, result=answer)


def _needs_details(action: Action, what: str) -> SupportState:
    return _ended(action, "needs_details", {}, why=what)


def _ended(
    action: Action,
    outcome: Any,
    arguments: dict[str, Any],
    *,
    result: dict[str, Any] | None = None,
    why: str = "",
) -> SupportState:
    done: Done = {
        "action": action,
        "outcome": outcome,
        "arguments": arguments,
        "result": result or {},
        "why": why,
    }
    return {"done": done}
