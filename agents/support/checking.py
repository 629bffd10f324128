"""Tone and grounding of a reply: pure rules, so that a small model cannot promise what is not so."""

from __future__ import annotations

import json
import re

from agents.support.state import SupportState, question

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_PLACEHOLDER = re.compile(r"\[[^\]]{2,40}\]|\{[^}]{2,40}\}|<[a-z][^>]{1,40}>", re.IGNORECASE)
_BANNED = (
    "as an ai",
    "language model",
    "i cannot assist",
    "stupid",
    "your fault",
    "calm down",
    "customer message:",
    "facts:",
    "guarantee",
    "lawsuit",
)
_SHORTEST, _LONGEST = 40, 900

_CLAIMS = {
    "refund": re.compile(
        r"\b(refunded|(?:have|has|we've) (?:issued|processed|sent|initiated)[^.]{0,30}refund"
        r"|refund (?:is|was|has been|of)|money (?:is|has been) (?:on its way|returned|sent))",
        re.IGNORECASE,
    ),
    "replacement": re.compile(
        r"\b(replacement (?:is|was|has been|order)|(?:sent|sending|shipped) (?:you )?a (?:new|replacement))",
        re.IGNORECASE,
    ),
    "address_change": re.compile(
        r"\b(address (?:is|was|has been) (?:changed|updated)|(?:changed|updated) (?:the|your) [^.]{0,20}address)",
        re.IGNORECASE,
    ),
}


def problems_of(draft: str, state: SupportState) -> list[str]:
    """Return what is wrong with a draft, in words for the log; an empty list means it may go."""
    return [*_tone(draft), *_grounding(draft, state), *_claims(draft, state)]


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
    if len(sentences) - len(set(sentences)) > 0:
        found.append("repeats itself")
    if draft and draft.rstrip()[-1:] not in ".!?":
        found.append("breaks off")
    return found


def _grounding(draft: str, state: SupportState) -> list[str]:
    facts = _facts(state)
    known = {_plain(number) for number in _NUMBER.findall(facts)}
    unknown = [number for number in _NUMBER.findall(draft) if _plain(number) not in known]
    return [f"says {number}, which no source has" for number in unknown]


def _claims(draft: str, state: SupportState) -> list[str]:
    done = state.get("done")
    found = []
    for action, claim in _CLAIMS.items():
        happened = done is not None and done["action"] == action and done["outcome"] == "done"
        if claim.search(draft) and not happened:
            found.append(f"claims a {action} that did not happen")
        if happened and not claim.search(draft):
            found.append(f"does not say that the {action} is done")
    if done is not None and done["outcome"] == "needs_details" and "?" not in draft:
        found.append("does not ask for what is missing")
    return found


def _facts(state: SupportState) -> str:
    parts = [state.get("order", {}), state.get("customer", {}), state.get("done", {})]
    passages = [source["text"] for source in state.get("sources", [])]
    return "\n".join([json.dumps(parts), question(state), *passages])


def _plain(number: str) -> str:
    text = number.replace(",", ".")
    return text.rstrip("0").rstrip(".") if "." in text else text
