"""The reply: drafted by the model, checked, or an honest template; then sent and remembered."""

from __future__ import annotations

import re
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.store.base import BaseStore
from langgraph.types import interrupt

from agents.support.checking import facts_of, problems_of
from agents.support.extracting import NO_MODEL
from agents.support.state import SupportState
from agents.support.templates import promise_for, template_for
from agents.support.understanding import CASES
from interlock.agents import model
from interlock.errors import ModelMistake, ToolError
from tools.contracts import send_reply

_INSTRUCTIONS = """You write for Harbour Lane, a small web shop. Write the reply to the customer in two \
to four friendly, plain sentences. Say clearly what was done or what holds. Stay close to the words \
of the facts and add nothing to them. No signature."""
_TOKENS = 160
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


async def draft(state: SupportState) -> SupportState:
    """Let the model write a reply from the facts."""
    prompt = [SystemMessage(_INSTRUCTIONS), HumanMessage(brief(state))]
    try:
        answer = await model("fast").bind(max_tokens=_TOKENS).ainvoke(prompt)
    except NO_MODEL as error:
        return {"draft": "", "problems": [f"no model: {error.message}"]}
    return {"draft": whole_sentences(str(answer.text))}


def check(state: SupportState) -> SupportState:
    """Send the draft if it is sound, an honest template if it is not."""
    written = state.get("draft", "")
    found = state.get("problems") or problems_of(written, state)
    if not found:
        return {"reply": written, "reply_source": "draft", "problems": []}
    return {"reply": template_for(state), "reply_source": "template", "problems": found}


def hand_over(state: SupportState) -> SupportState:
    """Let a person answer what the copilot must not: in their own words, or with the suggestion."""
    done, suggestion = state.get("done"), promise_for(state)
    answer = interrupt(
        {
            "question": "Please answer this customer: respond with your text, approve to send the "
            "suggestion, or reject to send nothing.",
            "why": state.get("concern") or (done["why"] if done else f"intent: {state['intent']}"),
            "message": state["said"],
            "customer": _named(state.get("customer"), "customer_id", "name", "club_tier"),
            "order": _named(state.get("order"), "order_id", "status", "total", "lines"),
            "past_cases": state.get("past_cases", []),
            "sources": [source["title"] for source in state.get("sources", [])],
            "suggestion": suggestion,
        }
    )
    if isinstance(answer, str) and answer.strip():
        return {"reply": answer.strip(), "reply_source": "human", "problems": []}
    if answer is True:
        return {"reply": suggestion, "reply_source": "template", "problems": []}
    return {"reply": "", "reply_source": "none", "problems": []}


async def send(state: SupportState) -> SupportState:
    """Send the reply to the customer; while nobody is known it is only the run's result."""
    customer, reply = state.get("customer"), state["reply"]
    if not reply:
        return {}
    message = AIMessage(reply)
    if not customer:
        return {"messages": [message]}
    order = state.get("order_id")
    letter = {
        "customer_id": customer["customer_id"],
        "subject": f"Your order {order}" if order else "Your message to Harbour Lane",
        "body": reply,
    }
    try:
        sent = await send_reply.ainvoke(letter)
    except (ToolError, ModelMistake) as error:
        not_sent = f"not sent: {error.message}"
        return {"messages": [message], "problems": [*state["problems"], not_sent]}
    return {"messages": [message], "reply_id": sent.reply_id}


async def remember(state: SupportState, *, store: BaseStore) -> SupportState:
    """Keep how this case ended, for the customer's next one."""
    customer, done = state.get("customer"), state.get("done")
    if not customer:
        return {}
    ending = f"{done['action']} {done['outcome']}" if done else "answered"
    await store.aput(
        (CASES, customer["customer_id"]),
        str(state["messages"][-1].id),
        {
            "summary": f"{state['intent']}: {ending} ({state['order_id'] or 'no order'})",
            "order_id": state["order_id"],
            "action": done["action"] if done else "",
            "outcome": done["outcome"] if done else "",
            "reply_source": state["reply_source"],
        },
    )
    return {}


def whole_sentences(text: str) -> str:
    """Return a text up to the first sentence that it repeats, without one that breaks off.

    Small models say a thing again until their tokens end.
    """
    parts = _SENTENCE.split(text.strip())
    seen = [part.strip().lower() for part in parts]
    fresh = next((n for n, part in enumerate(seen) if part in seen[:n]), len(parts))
    kept = parts[:fresh]
    while len(kept) > 1 and not kept[-1].rstrip().endswith((".", "!", "?")):
        del kept[-1]
    return " ".join(kept).strip()


def brief(state: SupportState) -> str:
    """Return what the model gets to write from: the message and the facts, all of them checked."""
    facts = "\n".join(f"- {fact}" for fact in facts_of(state))
    return f"Customer message: {state['said']}\n\nFacts:\n{facts}"


def _named(values: dict[str, Any] | None, *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names} if values else {}
