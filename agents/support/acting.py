"""The three things the copilot can do, each with arguments that were checked against the CRM."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from agents.support.addresses import Address, address_in, fits_country, is_said
from agents.support.extracting import extract_address, extract_wish, goods_meant, refund_amount
from agents.support.state import Action, Done, Outcome, SupportState
from agents.support.templates import which_order
from interlock.errors import (
    ActionDenied,
    ApprovalExpired,
    ApprovalRejected,
    ModelMistake,
    ToolError,
)
from interlock.tools import Tool
from tools.contracts import LOW_REFUND, address_change, refund, replacement_order
from tools.results import OrderStatus

_REASON = 300
"""Longest reason that the tools take, in characters."""


async def act_refund(state: SupportState) -> SupportState:
    """Ask for a refund of the stated amount, of the goods that are meant, or of the whole order."""
    order = state.get("order")
    if not order:
        return _needs_order("refund", state)
    wish = await extract_wish(order, state["said"])
    amount = refund_amount(wish, order, state["said"])
    if amount <= LOW_REFUND and state.get("settled"):
        return {
            "concern": f"Order {order['order_id']} was settled before, and small refunds are paid at once."
        }
    arguments = {
        "order_id": order["order_id"],
        "amount": str(amount),
        "reason": reason_for(state),
    }
    return await _do("refund", refund, arguments)


async def act_replacement(state: SupportState) -> SupportState:
    """Ask for a replacement of the goods that are meant, in the number that is meant."""
    order = state.get("order")
    if not order:
        return _needs_order("replacement", state)
    wish = await extract_wish(order, state["said"])
    goods = goods_meant(wish, order, state["said"])
    if len(goods) != 1:
        names = ", ".join(line["name"] for line in order["lines"])
        why = f"Could you tell us which article it is about: {names}?"
        return _ended("replacement", "needs_details", why=why)
    line, pieces = goods[0]
    arguments = {
        "order_id": order["order_id"],
        "sku": line["sku"],
        "quantity": pieces,
        "reason": reason_for(state),
    }
    return await _do("replacement", replacement_order, arguments)


async def act_address_change(state: SupportState) -> SupportState:
    """Change the address to what the message says, word for word."""
    order = state.get("order")
    if not order:
        return _needs_order("address_change", state)
    if order["status"] != OrderStatus.PROCESSING:
        return _ended(
            "address_change",
            "not_possible",
            why=f"Order {order['order_id']} is {order['status']}, and an address can only be changed "
            "before dispatch.",
        )
    said = state["said"]
    read = await extract_address(said)
    found = Address(read.street, read.postal_code, read.city)
    address = found if is_said(found, said) else address_in(said)
    if address is None:
        return _ended(
            "address_change",
            "needs_details",
            why="Could you tell us the complete new address: street with house number, postal code "
            "and town?",
        )
    if not fits_country(address.postal_code, order["address"]["country"]):
        return _ended(
            "address_change",
            "not_possible",
            why="An order can only be sent to another address in the same country.",
        )
    arguments = {"order_id": order["order_id"], **address._asdict()}
    return await _do("address_change", address_change, arguments)


def reason_for(state: SupportState) -> str:
    """Return what a reviewer needs in one line: the order, and the customer's words.

    Nothing in it changes when the run is carried out again: a reason is part of the action, and
    another action would be asked for and made again.
    """
    order = state.get("order") or {}
    delivered = order["delivered_on"]
    where = f"delivered {delivered}" if delivered else order["status"]
    who = "Customer" if state.get("customer_id") else "Writer, not checked to be the customer"
    words = " ".join(state["said"].split())
    text = f"Order of {order['total']} {order['currency']}, {where}. {who}: {words}"
    return text if len(text) <= _REASON else f"{text[: _REASON - 3]}..."


async def _do(action: Action, tool: Tool, arguments: dict[str, Any]) -> SupportState:
    try:
        result = await tool.ainvoke(arguments)
    except ApprovalRejected as error:
        # What follows the colon is the reviewer's own comment.
        return _ended(action, "rejected", arguments, why=error.message.partition(": ")[2])
    except ApprovalExpired:
        return _ended(action, "expired", arguments, why="Nobody could decide about it in time.")
    except (ActionDenied, ToolError, ModelMistake) as error:
        return _ended(action, "failed", arguments, why=error.message)
    answer = result.model_dump(mode="json") if isinstance(result, BaseModel) else {"answer": result}
    return _ended(action, "done", arguments, result=answer)


def _needs_order(action: Action, state: SupportState) -> SupportState:
    return _ended(action, "needs_details", why=which_order(state))


def _ended(
    action: Action,
    outcome: Outcome,
    arguments: dict[str, Any] | None = None,
    *,
    result: dict[str, Any] | None = None,
    why: str = "",
) -> SupportState:
    done: Done = {
        "action": action,
        "outcome": outcome,
        "arguments": arguments or {},
        "result": result or {},
        "why": why,
    }
    return {"done": done}
