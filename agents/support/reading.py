"""What a message says about money, goods and pieces, by plain rules. Pure functions.

They check what a model has read out of the message, and stand in for it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

Line = dict[str, Any]
"""A line of an order: sku, name, quantity and unit_price."""

_NUMBER = r"(\d{1,4}(?:[.,]\d{1,2})?)"
_MONEY = re.compile(
    rf"(?:\bEUR|€)\s?{_NUMBER}(?![\d.,]*\d)|(?<![\d.,-]){_NUMBER}\s?(?:EUR\b|€|euros?\b)",
    re.IGNORECASE,
)
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PIECES = re.compile(
    rf"\b(?:({'|'.join(_WORDS[1:])})|(one)(?= (?:of|has|is|was|came|arrived|pair|piece)\b))\b"
    r"|(?<![-\w.,#])(\d{1,2})(?![\w.,]*\d|\w)",
    re.IGNORECASE,
)
_ALL = re.compile(r"\b(?:all|both|everything|each|every)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.!?;:,\n]+|\b(?:but|and the|while|however)\b")
_UNHARMED = re.compile(
    r"\b(?:fine|okay|ok|intact|perfect|works|beautiful|lovely|survived|unharmed|complete)\b",
    re.IGNORECASE,
)


def money_in(text: str) -> list[Decimal]:
    """Return the amounts of money that the text names, in order."""
    return [
        Decimal((before or after).replace(",", ".")).quantize(Decimal("0.01"))
        for before, after in _MONEY.findall(text)
    ]


def lines_meant(lines: list[Line], text: str) -> list[Line]:
    """Return the order's lines that the text is about: those it shares most words with.

    Clauses that say that something is fine do not count. An order of one line is always meant.
    """
    if len(lines) == 1:
        return lines
    clauses = [part for part in _CLAUSE.split(text) if not _UNHARMED.search(part)]
    said = _words(" ".join(clauses))
    counts = [sum(any(_same(w, s) for s in said) for w in _own_words(x, lines)) for x in lines]
    best = max(counts, default=0)
    return [line for line, count in zip(lines, counts, strict=True) if count == best and best]


def pieces_meant(line: Line, text: str) -> int:
    """Return how many pieces of a line the text is about: all, unless it says fewer."""
    bought = int(line["quantity"])
    if bought == 1 or _ALL.search(text):
        return bought
    counted = [n for n in numbers_in(text) if 0 < n <= bought]
    if counted:
        return min(counted)
    names, said = _words(line["name"]), _words(text)
    plural = any(word in said for name in names for word in (f"{name}s", f"{name}es"))
    return 1 if not plural and any(name in said for name in names) else bought


def numbers_in(text: str) -> list[int]:
    """Return the small whole numbers that the text counts things with."""
    plain = _MONEY.sub(" ", text)
    return [
        _WORDS.index((word or one).lower()) + 1 if word or one else int(digits)
        for word, one, digits in _PIECES.findall(plain)
    ]


def names_line(line: Line, lines: list[Line], text: str) -> bool:
    """Return whether the text has a word that only this line of the order has."""
    said = _words(text)
    return any(_same(word, other) for word in _own_words(line, lines) for other in said)


def _own_words(line: Line, lines: list[Line]) -> list[str]:
    others = [word for other in lines if other is not line for word in _line_words(other)]
    return [word for word in _line_words(line) if word not in others]


def _line_words(line: Line) -> list[str]:
    return list(dict.fromkeys(_words(f"{line['name']} {line['sku'].partition('-')[2]}")))


def _words(text: str) -> list[str]:
    found = re.findall(r"[^\W\d_]{3,}", text.lower())
    return [word for word in found if word not in ("for", "set", "size", "the", "and")]


def _same(one: str, other: str) -> bool:
    """Return whether two words differ by an ending of at most two letters."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and len(long) - len(short) <= 2
