"""Personal data and secrets that nobody needs to see by default, found by their form. Pure.

E-mail addresses, telephone numbers, IBANs and card numbers (by their check digits), keys and
passwords. Names and postal addresses have no form, and are not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

_SECRET = "⟦secret⟧"  # noqa: S105  what stands in its place

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET_ENDS = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey"),
    *("authorization", "credential", "credentials"),
)
_SECRET_WORDS = ("pin", "pwd", "cvv", "cvc")
"""Words in names of what is secret, whatever it looks like: `accessTokenOld`, and no `shipping`."""

_OPEN = ("barred", "reviewer", "who")
"""Names of who decides, which is never masked."""

_PLACE = re.compile(r"⟦(?:secret|(?:e-mail|IBAN|card|phone) …[^⟧]*)⟧")
_GAP = re.compile(r"[ \-]")


class _Form(NamedTuple):
    """What one kind of data looks like."""

    pattern: re.Pattern[str]
    """It starts where a word does, and every part of it has a longest length: whoever writes the
    text cannot make the search long."""
    mask: Callable[[str], str]
    fits: Callable[[str], bool] = bool
    """Whether it is one, by its check digits."""


def masked(value: Any, name: str = "") -> Any:
    """Return JSON data with what is personal or secret masked.

    Args:
        value: The data.
        name: What it is called where it stands.
    """
    if name in _OPEN:
        return value
    words = [word.lower() for word in _WORD.findall(name)]
    if value not in ("", None) and not isinstance(value, bool) and _name_a_secret(words):
        return _SECRET
    several = _name_a_secret([word.removesuffix("s") for word in words])
    if several and isinstance(value, str) and value:
        return _SECRET  # and no number: `max_tokens` is a count
    if isinstance(value, Mapping):
        above = f"{name} " if several else ""
        return {key: masked(part, f"{above}{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [masked(part, name) for part in value]
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        hidden = masked_text(text)
        return value if hidden == text else hidden
    return value


def _name_a_secret(words: Sequence[str]) -> bool:
    keys = [f"{first} {last}" for first, last in pairwise(words)]
    return (
        any(word.endswith(_SECRET_ENDS) or word in _SECRET_WORDS for word in words)
        or "api key" in keys
        or "private key" in keys
    )


def masked_text(text: str) -> str:
    """Return text with what is personal or secret masked: only what tells one from another stays."""
    for form in _FORMS:
        text = "".join(_parts(text, form))
    return text


def has_masks(value: Any) -> bool:
    """Whether data holds what `masked` put there: it is not what it stands for."""
    if isinstance(value, Mapping):
        return any(has_masks(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return any(map(has_masks, value))
    return isinstance(value, str) and _PLACE.search(value) is not None


def _parts(text: str, form: _Form) -> list[str]:
    parts: list[str] = []
    done = at = 0
    while found := form.pattern.search(text, at):
        begin, end = found.start(), found.start() + _fitting(found[0], form.fits)
        if end == begin:
            at = begin + 1  # it only looked like one, and one may begin within it
        else:
            parts += [text[done:begin], form.mask(text[begin:end])]
            done = at = end
    return [*parts, text[done:]]


def _fitting(text: str, fits: Callable[[str], bool]) -> int:
    """Return how much of a text fits: all, or without the last words, or nothing."""
    ends = [len(text), *(gap.start() for gap in reversed(list(_GAP.finditer(text))))]
    return next((end for end in ends if fits(text[:end])), 0)


def _is_iban(text: str) -> bool:
    letters = text.replace(" ", "")
    digits = "".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])
    return len(letters) >= 15 and int(digits) % 97 == 1


def _is_card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(digits) >= 13 and (sum(digits[-1::-2]) + doubled) % 10 == 0


_FORMS = (
    _Form(
        re.compile(
            r"""-----BEGIN[ ][A-Z ]{0,40}PRIVATE[ ]KEY-----[^-]{0,20000}(?:-----END[ ][A-Z ]{0,40}-----)?
            | \b(?:sk|rk|pk|ghp|gho|ghs|github_pat|glpat|xox[abprs]|AKIA|AIza|ilk|whsec)[-_]?[\w\-]{16,400}
            | \binterlock-ed25519:[A-Za-z0-9+/=]{1,100}
            | \beyJ[\w\-]{8,1000}\.[\w\-]{8,8000}\.[\w\-]{0,1000}
            | (?<=://)[^\s/:@]{1,100}:[^\s/@]{1,100}(?=@)""",
            re.X | re.ASCII,
        ),
        lambda _: _SECRET,
        lambda text: True,
    ),
    _Form(
        re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,6}"),
        lambda text: f"⟦e-mail …@{text.rpartition('@')[2]}⟧",
        lambda text: "@" in text,
    ),
    _Form(
        re.compile(
            r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b", re.I | re.ASCII
        ),
        lambda text: f"⟦IBAN …{_GAP.sub('', text)[-4:]}⟧",
        _is_iban,
    ),
    _Form(
        re.compile(
            r"""(?<!\w)(?<!\d\.)
            (?: \d{13,19} | (?:\d{4}[ \-]){3}\d{4}(?:[ \-]\d{1,3})? | \d{4}[ \-]\d{6}[ \-]\d{4,5} )
            (?!\w|\.\d)""",
            re.X | re.ASCII,
        ),
        lambda text: f"⟦card …{_GAP.sub('', text)[-4:]}⟧",
        _is_card,
    ),
    _Form(
        re.compile(
            r"""(?<![\w+.])
            (?: \+\d{1,3}(?:[ ()./\-]{0,2}\d){6,12} | 0\d{1,4}[ /\-]\d(?:[ \-]?\d){4,9} )(?!\w)""",
            re.X | re.ASCII,
        ),
        lambda text: f"⟦phone …{text[-2:]}⟧",
    ),
)
