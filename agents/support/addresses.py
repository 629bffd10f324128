"""Addresses in a message: found, taken apart and held against the order's country. Pure functions."""

from __future__ import annotations

import re
from typing import NamedTuple

_FIVE, _FOUR, _THREE_TWO = r"\d{5}", r"\d{4}", r"\d{3} \d{2}"
_FORMS = {
    "IE": r"[A-Z]\d[\dW] ?[A-Z\d]{4}",
    "GB": r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
    "NL": r"\d{4} ?[A-Z]{2}",
    "PT": r"\d{4}-\d{3}",
    "PL": r"\d{2}-\d{3}",
    **dict.fromkeys(("CZ", "SE"), _THREE_TWO),
    **dict.fromkeys(("DE", "EE", "ES", "FI", "FR", "IT"), _FIVE),
    **dict.fromkeys(("AT", "BE", "CH", "DK", "LU", "NO"), _FOUR),
}
"""Postal codes of the countries that the shop delivers to."""
_ANY_FORM = re.compile(rf"(?<![\w-])(?:{'|'.join(dict.fromkeys(_FORMS.values()))})(?![\w-])")
_JOINING = ("da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "du", "la", "le",
            "les", "of", "the", "van", "von")  # fmt: skip
_KINDS = ("allée", "avenue", "boulevard", "calle", "chemin", "corso", "impasse", "place", "quai",
          "rua", "rue", "via", "viale")  # fmt: skip
"""Kinds of streets that are written small."""
_BREAK = re.compile(r"[:;!?\n]|, |\. ")


class Address(NamedTuple):
    """Where an order could go."""

    street: str
    postal_code: str
    city: str


def address_in(text: str) -> Address | None:
    """Return the last complete address of a text: street with number, postal code, town."""
    found = None
    for code in _ANY_FORM.finditer(text):
        street = _street_at_end(text[: code.start()].rstrip(" ,\n"))
        city = _city_at_start(text[code.end() :].lstrip(" ,\n"))
        if street and city:
            found = Address(street, code[0], city)
    return found


def is_said(address: Address, text: str) -> bool:
    """Return whether an address is one, and the text has each part of it word for word."""
    whole = _street_at_end(address.street) == address.street.strip() and bool(
        _ANY_FORM.fullmatch(address.postal_code)
    )
    return whole and all(part.strip() and part.lower() in text.lower() for part in address)


def fits_country(postal_code: str, country: str) -> bool:
    """Return whether a postal code can be one of a country (two letters)."""
    form = _FORMS.get(country)
    return form is None or re.fullmatch(form, postal_code) is not None


def _street_at_end(text: str) -> str:
    """Return the street and house number that a text ends with, or ''."""
    words = _BREAK.split(text)[-1].split()
    place = len(words)
    if words and words[-1][0].isdigit():  # Kirchweg 3
        place -= 1
    while place and _is_of_name(words[place - 1]):
        place -= 1
    if place and words[place - 1][0].isdigit() and place < len(words):  # 3 Mill Lane
        place -= 1
    elif not (words and words[-1][0].isdigit()):
        return ""
    street = words[place:]
    while street and street[0].lower() in _JOINING:
        street = street[1:]
    return " ".join(street) if len(street) > 1 else ""


def _city_at_start(text: str) -> str:
    first = re.match(r"[^\W\d_][\w'\u2019-]*(?: [\w'\u2019-]+)*", text)
    words = first[0].split() if first else []
    end = 0
    while end < len(words) and _is_of_name(words[end]):
        end += 1
    while end and words[end - 1].lower() in _JOINING:
        end -= 1
    return " ".join(words[:end])


def _is_of_name(word: str) -> bool:
    return word[0].isupper() or word in _JOINING or word in _KINDS
