"""What a message says, the same in every channel. Pure."""

from __future__ import annotations

import json

from interlock.notifying.contract import Message

_TITLES = {
    "requested": "To decide",
    "reminder": "Still to decide",
    "escalation": "Escalated, to decide",
}


def title(message: Message) -> str:
    """Return one line that says what is wanted."""
    notice = message.notice
    return one_line(f"{_TITLES[notice.kind]}: {notice.subject} ({notice.risk} risk)")


def facts(message: Message) -> list[tuple[str, str]]:
    """Return what there is to know before one looks, as names and values of one line each."""
    notice, tier = message.notice, message.notice.tier
    more = "more " if notice.missing < tier.quorum else ""
    count = f"{notice.missing} {more}of " if tier.quorum > 1 else ""
    name = f"{tier.tier}: " if tier.tier else ""
    found = [
        ("agent", notice.agent),
        ("tenant", notice.tenant),
        ("asked", f"{name}{count}{', '.join(tier.who)}"),
        ("until", f"{tier.until:%Y-%m-%d %H:%M %Z}"),
        ("run", notice.workflow_id),
        ("request", notice.request_id),
    ]
    return [(label, one_line(value)) for label, value in found]


def arguments(message: Message, longest: int) -> str:
    """Return the arguments as readable JSON, or '' where they are not shown.

    Args:
        message: The message.
        longest: Characters after which they are cut, which is said.
    """
    if message.arguments is None:
        return ""
    text = json.dumps(message.arguments, indent=2)  # in ASCII: nothing hides in it
    return text if len(text) <= longest else f"{text[:longest]}\n... see the request for the rest"


def one_line(text: str) -> str:
    """Return text without line breaks and other characters that are not seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
