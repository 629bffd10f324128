"""Who may decide on what: rules on people, for decisions that are signed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from interlock.approvals.people import Person

USER = "user:"
"""Before a subject in a list of roles and people."""


class Refusal(NamedTuple):
    """Why a decision does not count: a stable code, and a sentence for whoever sent it."""

    code: str
    message: str


def is_among(person: Person, who: Iterable[str]) -> bool:
    """Whether a person is named in a list of roles and people, or has a role of it."""
    return any(
        name.removeprefix(USER) in person.voices if name.startswith(USER) else person.has_role(name)
        for name in who
    )


def refuse_person(
    person: Person, *, tenant: str, who: tuple[str, ...], barred: Iterable[str]
) -> Refusal | None:
    """Return why a person may not decide on a request, or None.

    Whoever acts for somebody may do what that one may, and nothing that either may not.

    Args:
        person: Who decided, authenticated.
        tenant: Of the request.
        who: Roles and people that are asked.
        barred: Subjects whose own request it is.
    """
    barred, name = tuple(barred), person.subject
    if not person.may_see(tenant):
        return Refusal("OTHER_TENANT", f"{name!r} does not review for the tenant {tenant!r}.")
    own = [voice for voice in person.voices if voice in barred]
    if own:
        return Refusal(
            "OWN_REQUEST",
            f"this is {own[0]!r}'s own request: somebody else has to decide on it.",
        )
    if is_among(person, who):
        return None
    return Refusal(
        "NOT_A_REVIEWER",
        f"{name!r} is not asked about this request. Asked are: {', '.join(who)}.",
    )
