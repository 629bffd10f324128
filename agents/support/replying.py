"""The reply: drafted by the model, checked, or an honest template; then sent and remembered."""

from __future__ import annotations

import json

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.store.base import BaseStore
from langgraph.types import interrupt

from agents.support.checking import problems_of
from agents.support.state import SupportState, question
from agents.support.templates import template_for
from agents.support.understanding import CASES
from interlock.agents import model
from interlock.errors import ModelUnavailable, ToolFailed, ToolRetry
from tools.contracts import send_reply

_INSTRUCTIONS = """You write for Harbour Lane, a small web shop. Write the reply to the customer in two \
to four friendly, plain sentences. Use only the facts. Say clearly what was done. No greeting \
placeholders, no signature."""


async def draft(state: SupportState) -> SupportState:
    """Let the model write a reply from the facts."""
    prompt = [SystemMessage(_INSTRUCTIONS), HumanMessage(_brief(state))]
    try:
        answer = await model("fast").bind(max_tokens=160).ainvoke(prompt)
    except ModelUnavailable as error:
        return {"draft": "", "problems": [f"no model: {error.message}"]}
    return {"draft": str(answer.text).strip()}


def check(state: SupportState) -> SupportState:
    """Send the draft if it is sound, an honest template if it is not."""
    written = state.get("draft", "")
    found = problems_of(written, state)
    if not found:
        return {"reply": written, "reply_source": "draft", "problems": []}
    return {"reply": template_for(state), "reply_source": "template", "problems": found}


def hand_over(state: SupportState) -> SupportState:
    """Let a person answer what the copilot must not."""
    answer = interrupt(
        {
            "question": "Please answer this customer.",
            "message": question(state),
            "intent": state["intent"],
            "order": state.get("order", {}),
            "sources": [source["title"] for source in state.get("sources", [])],
        }
    )
    if isinstance(answer, str) and answer.strip():
        return {"reply": answer.strip(), "reply_source": "human", "problems": []}
    return {"reply": template_for(state), "reply_source": "template", "problems": []}


async def send(state: SupportState) -> SupportState:
    """Send the reply to the customer of the order; without one it is only the run's result."""
    customer = state.get("customer")
    message = AIMessage(state["reply"])
    if customer is None:
        return {"messages": [message]}
    order = state.get("order_id", "")
    try:
        sent = await send_reply.ainvoke(
            {
                "customer_id": customer["customer_id"],
                "subject": f"Your order {order}",
                "body": state["reply"],
            }
        )
    except (ToolFailed, ToolRetry) as error:
        return {"messages": [message], "problems": [*state["problems"], f"not sent: {error}"]}
    return {"messages": [message], "reply_id": sent.reply_id}


async def remember(state: SupportState, *, store: BaseStore) -> SupportState:
    """Keep how this case ended, for the customer's next one."""
    customer = state.get("customer")
    if customer is None:
        return {}
    done = state.get("done")
    ending = f"{done['action']} {done['outcome']}" if done else "answered"
    await store.aput(
        (CASES, customer["customer_id"]),
        str(state["messages"][-1].id),
        {
            "summary": f"{state['intent']}: {ending} ({state.get('order_id', '')})",
            "reply_source": state["reply_source"],
        },
    )
    return {}


def _brief(state: SupportState) -> str:
    order, done = state.get("order"), state.get("done")
    parts = [f"Customer message: {question(state)}", "Facts:"]
    if customer := state.get("customer"):
        parts.append(f"- The customer is {customer['name']}.")
    if order:
        goods = ", ".join(f"{line['quantity']} x {line['name']}" for line in order["lines"])
        parts.append(
            f"- Order {order['order_id']}: {goods}, total {order['total']} {order['currency']}, "
            f"{order['status']}."
        )
    if done:
        parts.append(
            f"- {done['action']}: {done['outcome']} {json.dumps(done['result'])} {done['why']}"
        )
    parts += [
        f"- {source['title']}: {source['text'][:300]}" for source in state.get("sources", [])[:2]
    ]
    return "\n".join(parts)
