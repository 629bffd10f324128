"""Honest replies for when a draft does not hold: they say only what is known."""

from __future__ import annotations

from datetime import date
from typing import Any

from agents.support.passages import excerpt
from agents.support.state import Done, SupportState

_CLOSING = "If anything is missing, just answer this message."
_OR_A_PERSON = "If this is not what you asked, just answer, or write 'a person, please' and a colleague takes over."
_SIGNED = "Harbour Lane (automatic reply)"
_NAMES = {"refund": "the refund", "replacement": "the replacement", "address_change": "the change"}
_ASKED_OF_A_PERSON = (
    "thank you for your message. A colleague is looking into it and will come back to you within one "
    "working day."
)


def template_for(state: SupportState) -> str:
    """Return a reply made of facts alone."""
    return _letter(state, statement_for(state))


def promise_for(state: SupportState) -> str:
    """Return what a person may send at once when they take a case over."""
    return _letter(state, _ASKED_OF_A_PERSON)


def statement_for(state: SupportState) -> str:
    """Return what there is to say, without greeting and signature."""
    done, order = state.get("done"), state.get("order")
    if done:
        return f"{_about(done)} {_CLOSING}"
    if state["intent"] == "order_status":
        return f"{_status(order)} {_CLOSING}" if order else _which_order(state)
    sources = state.get("sources")
    if sources:
        title, text = sources[0]["title"], excerpt(sources[0]["text"])
        return (
            f"thank you for your message. Our help page '{title}' says:\n\n{text}\n\n{_OR_A_PERSON}"
        )
    return (
        "thank you for your message. If there is something we can do for you, please tell us a little "
        "more; for an order its number helps."
    )


def _letter(state: SupportState, body: str) -> str:
    customer = state.get("customer")
    hello = f"Hello {customer['name'].split()[0]}," if customer else "Hello,"
    return f"{hello}\n\n{body}\n\n{_SIGNED}"


def _about(done: Done) -> str:
    if done["outcome"] == "done":
        return _about_success(done)
    if done["outcome"] == "needs_details":
        return f"we would like to help with that. Could you tell us {done['why']}?"
    name = _NAMES[done["action"]]
    if done["outcome"] == "not_possible":
        return f"we cannot do that: {done['why']}."
    if done["outcome"] == "expired":
        return f"we are sorry: {done['why']}, so {name} was not made. Please write to us again."
    why = f" The reason: {done['why']}" if done["why"] else ""
    return f"a colleague has looked at your request and could not agree to {name}.{why}"


def _about_success(done: Done) -> str:
    result, arguments = done["result"], done["arguments"]
    order_id = arguments["order_id"]
    if done["action"] == "refund":
        amount = result.get("amount", arguments["amount"])
        return (
            f"we are sorry about the trouble with order {order_id}. We have refunded {amount} EUR to "
            "your original payment method; it arrives there within a few working days."
        )
    if done["action"] == "replacement":
        number = f" (number {result['replacement_id']})" if "replacement_id" in result else ""
        return (
            f"we are sorry about the trouble with order {order_id}. A replacement is on its way to you, "
            f"free of charge{number}."
        )
    to = f"{arguments['street']}, {arguments['postal_code']} {arguments['city']}"
    return f"the address of order {order_id} has been changed to {to}."


def _which_order(state: SupportState) -> str:
    if named := state["order_id"]:
        return f"we cannot find an order {named}. Could you check the number and tell us again?"
    orders = (state.get("customer") or {}).get("orders", [])[:3]
    if not orders:
        return "could you tell us your order number? It looks like A-1234."
    newest = ", ".join(f"{order['order_id']} ({order['status']})" for order in orders)
    return f"which order is it about? Your newest ones are {newest}."


def _status(order: dict[str, Any]) -> str:
    goods = ", ".join(f"{line['quantity']} x {line['name']}" for line in order["lines"])
    which = f"your order {order['order_id']} ({goods})"
    parcel = f"with {order['carrier']}, tracking number {order['tracking']}"
    match order["status"]:
        case "processing":
            return f"{which} is being prepared and has not left our warehouse yet."
        case "dispatched":
            return f"{which} left our warehouse on {_day(order['dispatched_on'])} {parcel}."
        case "delivered":
            return f"{which} was delivered on {_day(order['delivered_on'])} {parcel}."
        case status:
            return f"{which} is {status} and has been paid back."


def _day(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"
