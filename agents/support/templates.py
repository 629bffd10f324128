"""Honest replies for when a draft does not hold: they say only what is known."""

from __future__ import annotations

from datetime import date
from typing import Any

from agents.support.passages import excerpt
from agents.support.state import Done, Source, SupportState

_CLOSING = "If anything is missing, just answer this message."
_OR_A_PERSON = "If this is not what you asked, just answer, or write 'a person, please' and a colleague takes over."
_NOT_UNDERSTOOD = (
    "Thank you for your message. If you wrote to ask us for something, please tell us a little more; "
    "for an order its number helps. Or write 'a person, please' and a colleague takes over."
)
_NEWEST = 3
_SIGNED = "Harbour Lane (automatic reply)"
_ACTS = {
    "refund": "make the refund",
    "replacement": "send the replacement",
    "address_change": "change the address",
}
_ASKED_OF_A_PERSON = (
    "Thank you for your message. A colleague is looking into it and will come back to you within one "
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
        return f"{_status(order)} {_CLOSING}" if order else which_order(state)
    sources = state.get("sources")
    if sources and state["intent"] != "other":
        return _from_help_pages(sources)
    return _NOT_UNDERSTOOD


def which_order(state: SupportState) -> str:
    """Return the question for the order number, with the customer's newest orders where known."""
    if named := state["order_id"]:
        return f"We cannot find an order {named}. Could you check the number and tell us again?"
    orders = (state.get("customer") or {}).get("orders", [])[:_NEWEST]
    if not orders:
        return "Could you tell us your order number? It looks like A-1234."
    newest = ", ".join(f"{order['order_id']} ({order['status']})" for order in orders)
    return f"Which order is it about? Your newest ones are {newest}."


def _letter(state: SupportState, body: str) -> str:
    customer = state.get("customer")
    hello = f"Hello {customer['name'].split()[0]}," if customer else "Hello,"
    return f"{hello}\n\n{body}\n\n{_SIGNED}"


def _about(done: Done) -> str:
    if done["outcome"] == "done":
        return _about_success(done)
    if done["outcome"] == "needs_details":
        return f"We would like to help with that. {done['why']}"
    what = _ACTS[done["action"]]
    if done["outcome"] == "not_possible":
        return f"We are sorry, but we cannot {what}. {done['why']}"
    if done["outcome"] == "expired":
        return f"We are sorry: we could not {what}. {done['why']} Please write to us again."
    why = f" The reason: {done['why']}" if done["why"] else ""
    return f"A colleague has looked at your request, and we cannot {what}.{why}"


def _about_success(done: Done) -> str:
    result, arguments = done["result"], done["arguments"]
    order_id = arguments["order_id"]
    if done["action"] == "refund":
        amount = result.get("amount", arguments["amount"])
        return (
            f"We are sorry about the trouble with order {order_id}. We have refunded {amount} EUR to "
            "your original payment method; it arrives there within a few working days."
        )
    if done["action"] == "replacement":
        number = f" (number {result['replacement_id']})" if "replacement_id" in result else ""
        return (
            f"We are sorry about the trouble with order {order_id}. A replacement is on its way to you, "
            f"free of charge{number}."
        )
    to = f"{arguments['street']}, {arguments['postal_code']} {arguments['city']}"
    return f"The address of order {order_id} has been changed to {to}."


def _from_help_pages(sources: list[Source]) -> str:
    first = sources[0]
    others = dict.fromkeys(s["title"] for s in sources[1:] if s["title"] != first["title"])
    more = f"It may also be on {_listed(list(others))}. " if others else ""
    return (
        f"Thank you for your message. Our help page '{first['title']}' says:\n\n"
        f"{excerpt(first['text'])}\n\n{more}{_OR_A_PERSON}"
    )


def _listed(titles: list[str]) -> str:
    return " or ".join(f"'{title}'" for title in titles)


def _status(order: dict[str, Any]) -> str:
    goods = ", ".join(f"{line['quantity']} x {line['name']}" for line in order["lines"])
    which = f"Your order {order['order_id']} ({goods})"
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
