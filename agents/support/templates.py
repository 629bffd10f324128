"""Honest replies for when a draft does not hold: they say only what is known."""

from __future__ import annotations

from agents.support.state import Done, SupportState

_CLOSING = "If anything is missing, just answer this message."


def template_for(state: SupportState) -> str:
    """Return a reply made of facts alone."""
    customer = state.get("customer")
    hello = f"Hello {customer['name'].split()[0]}," if customer else "Hello,"
    return f"{hello}\n\n{_body(state)} {_CLOSING}\n\nHarbour Lane"


def _body(state: SupportState) -> str:
    done = state.get("done")
    if done is not None:
        return _about(done)
    if state.get("intent") == "order_status" and "order" in state:
        return _status(state)
    if state.get("intent") in ("order_status", "cancellation") and "order" not in state:
        return "Could you tell us your order number? It looks like A-1234."
    sources = state.get("sources", [])
    if sources:
        return f"Thank you for your message. This is what our help pages say:\n\n{sources[0]['text']}\n\n"
    return "Thank you for your message. A colleague will read it and answer you."


def _about(done: Done) -> str:
    result, arguments = done["result"], done["arguments"]
    if done["outcome"] == "needs_details":
        return f"We would like to help with that. Could you tell us {done['why']}?"
    if done["outcome"] != "done":
        return (
            "We have looked at your request. We could not carry it out as asked; a colleague will "
            "get back to you about it."
        )
    if done["action"] == "refund":
        amount = result.get("amount", arguments.get("amount"))
        return (
            f"We are sorry about the trouble with order {arguments['order_id']}. We have refunded "
            f"{amount} EUR to your original payment method; it usually arrives within a few days."
        )
    if done["action"] == "replacement":
        return (
            f"We are sorry about the trouble with order {arguments['order_id']}. A replacement "
            f"is on its way to you, free of charge (number {result.get('replacement_id', '')})."
        )
    return (
        f"The address of order {arguments['order_id']} has been changed to "
        f"{arguments['street']}, {arguments['postal_code']} {arguments['city']}."
    )


def _status(state: SupportState) -> str:
    order = state["order"]
    parcel = (
        f" It travels with {order['carrier']}, number {order['tracking']}."
        if order.get("tracking")
        else ""
    )
    return f"Your order {order['order_id']} is {order['status']}.{parcel}"
