"""Personal data and secrets that nobody needs to see by default, found by their form. Pure.

E-mail addresses, telephone numbers, IBANs and card numbers (by their check digits), keys and
passwords. Names and postal addresses have no form, and are not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_SECRET = "⟦secret⟧"  # noqa: S105  what stands in its place

_KEY = re.compile(r"(?:password|passwd|secret|token|api[_-]?key|authorization)$", re.I)
"""Names of what is secret, whatever it looks like."""

_OPEN = ("barred", "reviewer", "who")
"""Names of who decides, which is never masked."""

_FORMS: dict[str, str] = {
    "secret": r"""-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
        | \b(?:sk|rk|pk|ghp|gho|ghs|github_pat|glpat|xox[abprs]|AKIA|AIza|ilk|whsec)[-_]?[A-Za-z0-9_\-]{16,}
        | \binterlock-ed25519:[A-Za-z0-9+/=]+
        | \beyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]*
        | (?<=://)[^\s/:@]{1,100}:[^\s/@]{1,100}(?=@)""",
    "email": r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,6}",
    "iban": r"\b[A-Za-z]{2}\d{2}(?:[ ]?[A-Za-z0-9]{4}){2,7}(?:[ ]?[A-Za-z0-9]{1,3})?\b",
    "card": r"(?<!\w)(?<!\d\.)\d(?:[ \-]?\d){12,18}(?!\w|\.\d)",
    "phone": r"(?<![\w+.])(?:\+\d{1,3}(?:[ ()./\-]{0,2}\d){6,12}|0\d{1,4}[ /\-]\d(?:[ \-]?\d){4,9})(?!\w)",
}

_FOUND = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()), re.X | re.S)

_PLACE = re.compile(r"⟦(?:secret|(?:e-mail|IBAN|card|phone) …[^⟧]*)⟧")


def masked(value: Any, name: str = "") -> Any:
    """Return JSON data with what is personal or secret masked.

    Args:
        value: The data.
        name: What it is called where it stands.
    """
    if name in _OPEN:
        return value
    if isinstance(value, Mapping):
        return {key: masked(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [masked(part, name) for part in value]
    if isinstance(value, str):
        return _SECRET if value and _KEY.search(name) else masked_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        hidden = masked_text(text)
        return value if hidden == text else hidden
    return value


def masked_text(text: str) -> str:
    """Return text with what is personal or secret masked: only what tells one from another stays."""
    return _FOUND.sub(_mask, text)


def has_masks(value: Any) -> bool:
    """Whether data holds what `masked` put there: it is not what it stands for."""
    if isinstance(value, Mapping):
        return any(has_masks(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return any(map(has_masks, value))
    return isinstance(value, str) and _PLACE.search(value) is not None


def _mask(found: re.Match[str]) -> str:
    kind, text = str(found.lastgroup), found[0]
    return _MASKS[kind](text)


def _email(text: str) -> str:
    return f"⟦e-mail …@{text.rpartition('@')[2]}⟧"


def _iban(text: str) -> str:
    letters = text.replace(" ", "").upper()
    digits = "".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])
    return f"⟦IBAN …{letters[-4:]}⟧" if int(digits) % 97 == 1 else text


def _card(text: str) -> str:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    fits = (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    return f"⟦card …{text[-4:]}⟧" if fits else text


def _phone(text: str) -> str:
    return f"⟦phone …{text[-2:]}⟧"


def _secret(_: str) -> str:
    return _SECRET


_MASKS: dict[str, Callable[[str], str]] = {
    "secret": _secret,
    "email": _email,
    "iban": _iban,
    "card": _card,
    "phone": _phone,
}
