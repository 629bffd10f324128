"""Words that name a wish outright. An embedder sees the topic of a message before what is wanted."""

from __future__ import annotations

import re

_WISHES = {
    "refund": (
        r"refund\w*|reimburs\w*|money|pa(?:y|id)\b[^.!?]{0,25}\bback|euros? back|credit me"
        r"|(?:return|give back) what (?:i|we) paid"
    ),
    "replacement": (
        r"replac\w*|exchang\w*|resend|swap\w*|substitute|another (?:one|pair)|new one|once more"
        r"|a second time|(?:send|ship|post|pack)\b[^.!?]{0,40}\b(?:again|new|right|correct|another)"
    ),
    "address_change": (
        r"address\w*|redirect|house number|postcode|postal code|(?:have|just) moved|moving"
        r"|(?:deliver|send|ship|go)\b[^.!?]{0,40}\bto (?:my|the|a|another|our|his|her|some\w+|\d+)"
    ),
    "order_status": r"track\w*|where is|where's|status|when (?:will|does|do) (?:my|the|it|i)",
    "cancellation": (
        r"cancel\w*|annul\w*|call (?:it )?off|withdraw|take [^.!?]{0,20}\b(?:out|off)"
        r"|(?:delete|drop|remove|undo) (?:my|the|this) order"
    ),
    "complaint_or_human": (
        r"human|(?:real|actual|a) person|manager|complain\w*|lawyer|speak (?:to|with)|talk to|staff"
        r"|unacceptable|disgrace"
    ),
}
_PATTERNS = {
    intent: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for intent, words in _WISHES.items()
}
_NOT = re.compile(
    r"(?:\b(?:no|not|never|without|dont|instead of|rather than)\b|n't)(?:\W+\w+){0,3}\W+$",
    re.IGNORECASE,
)
_PART = re.compile(r"[.!?,;\n]")
_ORDER = re.compile(r"\b(?:A[-# ]?|a[-#]?)(\d{4})\b")


def wishes_in(text: str) -> list[str]:
    """Return the intents whose words the text has, unless it says the contrary."""
    return [intent for intent, words in _PATTERNS.items() if _is_wanted(words, text)]


def order_number(text: str) -> str:
    """Return the first order number of the text as A-1234, or ''."""
    found = _ORDER.search(text)
    return f"A-{found[1]}" if found else ""


def without_order_numbers(text: str) -> str:
    """Return the text as an embedder should see it: a number has no meaning to it."""
    return " ".join(_ORDER.sub("", text).split()) or text


def _is_wanted(words: re.Pattern[str], text: str) -> bool:
    return any(
        not _NOT.search(_PART.split(text[: found.start()])[-1]) for found in words.finditer(text)
    )
