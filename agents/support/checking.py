"""Tone and grounding of a reply: pure rules, so that a small model cannot promise what is not so."""

from __future__ import annotations

import json
import re

from agents.support.grounding import plain_number, says_any, statements_of, unsupported
from agents.support.passages import plain_text
from agents.support.state import SupportState
from agents.support.templates import statement_for

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_PLACEHOLDER = re.compile(r"\[[^\]]{2,40}\]|\{[^}]{2,40}\}|<[a-z][^>]{1,40}>", re.IGNORECASE)
_BANNED = (
    "as an ai",
    "customer service ai",
    "language model",
    "i cannot assist",
    "stupid",
    "your fault",
    "calm down",
    "customer message:",
    "facts:",
    "guarantee",
    "lawsuit",
    "automatic reply",
)
_SHORTEST, _LONGEST = 25, 900
_ASKS = re.compile(
    r"\?|\bplease (?:check|confirm|give|let us know|provide|send|share|tell)\b", re.IGNORECASE
)
_SHOWN = 60
"""Characters of a clause that a problem quotes."""

_CLAIMS = {
    "refund": re.compile(
        r"\b(refunded|(?:issued|processed|sent|made|initiated)[^.]{0,30}\brefund"
        r"|refund\b[^.]{0,20}\b(?:is|was|has been|of)|money (?:is|has been) (?:on its way|returned|sent))",
        re.IGNORECASE,
    ),
    "replacement": re.compile(
        r"\b(replacement\b[^.]{0,20}\b(?:is|was|has been)"
        r"|(?:sent|sending|shipped|dispatched)\b[^.]{0,20}\b(?:a new|replacement|another))",
        re.IGNORECASE,
    ),
    "address_change": re.compile(
        r"\b(address\b[^.]{0,30}\b(?:is|was|has been) (?:changed|updated)"
        r"|(?:changed|updated) (?:the|your) [^.]{0,20}address)",
        re.IGNORECASE,
    ),
}


def problems_of(draft: str, state: SupportState) -> list[str]:
    """Return what is wrong with a draft, in words for the log; an empty list means it may go."""
    return [*_tone(draft), *_claims(draft, state), *_grounding(draft, state)]


def facts_of(state: SupportState) -> list[str]:
    """Return what a reply may say: what the template says, the order, and the passages found."""
    facts = [statement_for(state), "Harbour Lane"]
    if customer := state.get("customer"):
        facts.append(f"The customer is {customer['name']}.")
    if order := state.get("order"):
        goods = ", ".join(f"{line['quantity']} x {line['name']}" for line in order["lines"])
        facts.append(f"Order {order['order_id']} ({goods}) is {order['status']}.")
    if not state.get("done"):
        facts += [plain_text(source["text"]) for source in state.get("sources", [])[:2]]
    return facts


def _tone(draft: str) -> list[str]:
    found = []
    if not _SHORTEST <= len(draft) <= _LONGEST:
        found.append(f"{len(draft)} characters; wanted {_SHORTEST} to {_LONGEST}")
    lowered = draft.lower()
    found += [f"says {phrase!r}" for phrase in _BANNED if phrase in lowered]
    if _PLACEHOLDER.search(draft):
        found.append("has a placeholder")
    words = re.findall(r"[A-Za-z]{4,}", draft)
    if sum(word.isupper() for word in words) > 2 or "!!" in draft:
        found.append("shouts")
    sentences = re.split(r"(?<=[.!?])\s+", lowered)
    if len(sentences) != len(set(sentences)):
        found.append("repeats itself")
    if draft and draft[-1] not in ".!?":
        found.append("breaks off")
    return found


def _claims(draft: str, state: SupportState) -> list[str]:
    done = state.get("done")
    found = []
    for action, claim in _CLAIMS.items():
        happened = done is not None and done["action"] == action and done["outcome"] == "done"
        if claim.search(draft) and not happened and not claim.search(statement_for(state)):
            found.append(f"claims a {action} that did not happen")
        if happened and not claim.search(draft):
            found.append(f"does not say that the {action} is done")
    if done and done["outcome"] == "needs_details" and not _ASKS.search(draft):
        found.append("does not ask for what is missing")
    return found


def _grounding(draft: str, state: SupportState) -> list[str]:
    facts, said = facts_of(state), state["said"]
    text = "\n".join([*facts, said, json.dumps(state.get("order"))])
    known = {plain_number(number) for number in _NUMBER.findall(text)}
    unknown = [number for number in _NUMBER.findall(draft) if plain_number(number) not in known]
    found = [f"says {number}, which no source has" for number in unknown]
    # What the customer told us may be said back to them. What they asked is no answer.
    allowed = [*facts, *statements_of(said)]
    found += [f"no source says {clause[:_SHOWN]!r}" for clause in unsupported(draft, allowed)]
    if not says_any(draft, facts):
        found.append("says nothing of what is known")
    return found
