"""Finds a value in a text, however it is written there. Pure.

Letters and digits are compared, in one case and one Unicode form, whatever is between them, and
numbers by what they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

FEWEST = 2
"""Letters or digits that a text needs for anything to be found in it, and digits of a number: one
digit is in every text."""
_SHORTEST = 4
"""Letters and digits of the shortest text that is looked for."""
_TELLING = 8
"""From so many on it is also found in the middle of a word."""
_RUN = 32
"""Of a value with more letters and digits, so many in a row are enough."""
_STEP = 16
"""Where a value has no words, a run is looked for at every so many."""
_RUNS = 1000
"""Runs of a value that are looked for, from its beginning."""
_TRIES = 1000
"""Places in the middle of words that are passed by; one more counts as found."""
_LONGEST_NUMBER = 60
_GROUPS = "[ .,'\u2019_]?"
"""What may stand between the digits of a number."""


class _Folded(NamedTuple):
    """The letters and digits of a text, and where each of them is."""

    text: str
    places: list[int]


class Needle(NamedTuple):
    """What is looked for of one value."""

    text: str = ""
    """Its letters and digits."""
    runs: tuple[int, ...] = ()
    """Where in them a run begins that is enough; none: all of them have to be found."""
    digits: str = ""
    number: re.Pattern[str] | None = None

    def may_be_in(self, folded: str) -> bool:
        """Whether a text with these letters and digits may have the value: a quick look."""
        if self.number is not None and self.digits in folded:
            return True
        if not self.runs:
            return bool(self.text) and self.text in folded
        return any(self.text[begin : begin + _RUN] in folded for begin in self.runs)


class Haystack:
    """A text that values are looked for in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = "".join(filter(str.isalnum, text.casefold()))
        """Its letters and digits."""
        self._places: list[int] | None = None

    def find(self, needle: Needle) -> tuple[int, int] | None:
        """Return where a value begins and ends in the text, or None."""
        if needle.number is not None and needle.digits in self.folded:
            found = needle.number.search(self.text)
            if found is not None:
                return found.span()
        if not needle.runs:
            return self._whole(needle.text) if needle.text else None
        for begin in needle.runs:
            if needle.text[begin : begin + _RUN] in self.folded:
                return self._run(needle.text, begin)
        return None

    def forget_places(self) -> None:
        """Keep no more than the text itself: places take eight times as much."""
        self._places = None

    def _whole(self, wanted: str) -> tuple[int, int] | None:
        start, tries = self.folded.find(wanted), 0
        while start >= 0:
            begin, end = self._between(start, start + len(wanted))
            tries += 1
            inside = _is_inside(self.text, begin) or _is_inside(self.text, end)
            if len(wanted) >= _TELLING or not inside or tries > _TRIES:
                return begin, end
            start = self.folded.find(wanted, start + 1)
        return None

    def _run(self, wanted: str, begin: int) -> tuple[int, int]:
        start, end = self.folded.index(wanted[begin : begin + _RUN]), begin + _RUN
        while end < len(wanted) and self.folded.startswith(wanted[end], start + end - begin):
            end += 1
        return self._between(start, start + end - begin)

    def _between(self, start: int, end: int) -> tuple[int, int]:
        """Return the places in the text of a stretch of its letters and digits."""
        if self._places is None:
            self._places = _fold(self.text).places
        return self._places[start], self._places[end - 1] + 1


def normal(text: str) -> str:
    """Return a text in the Unicode form in which texts are compared: NFKC."""
    return unicodedata.normalize("NFKC", text)


def needle_of(value: Any) -> Needle:
    """Return what is looked for of a text or a number; nothing, where it is too short to tell."""
    text = value if isinstance(value, str) else str(value)
    digits, number = _number(text)
    if number is not None and (isinstance(value, float) or "." in text):
        return Needle(digits=digits, number=number)
    folded = _fold(normal(text))
    wanted = folded.text if len(folded.text) >= _SHORTEST else ""
    runs = tuple(_runs(folded)) if len(wanted) > _RUN else ()
    return Needle(wanted, runs, digits, number)


def _runs(folded: _Folded) -> Iterator[int]:
    """Yield where runs of a long value begin: at its words, or in even steps where it has none."""
    last, count = -_STEP, 0
    for index in range(len(folded.text) - _RUN + 1):
        new_word = index == 0 or folded.places[index] - folded.places[index - 1] > 1
        if (new_word or index - last >= _STEP) and count < _RUNS:
            last, count = index, count + 1
            yield index


def _number(text: str) -> tuple[str, re.Pattern[str] | None]:
    """Return the digits of a number and what finds it in a text, or nothing when it is none."""
    try:
        number = Decimal(text if len(text) <= _LONGEST_NUMBER else "NaN").copy_abs()
    except InvalidOperation:
        return "", None
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        return "", None
    whole, _, fraction = format(number, "f").partition(".")
    fraction = fraction.rstrip("0")
    if len((whole + fraction).lstrip("0")) < FEWEST:
        return "", None
    decimals = f"[.,]{fraction}0*" if fraction else "(?:[.,]0+)?"
    pattern = rf"(?<!\d)(?<!\d[.,]){_GROUPS.join(whole)}{decimals}(?![.,]?\d)"
    return whole + fraction, re.compile(pattern)


def _fold(text: str) -> _Folded:
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for letter in char.casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return _Folded("".join(letters), places)


def _is_inside(text: str, place: int) -> bool:
    """Whether a place is in the middle of a word or a number."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if before.isdigit() or after.isdigit():
        return before.isdigit() and after.isdigit()
    return _has_case(before) and _has_case(after)


def _has_case(char: str) -> bool:
    """Whether a letter is of a script that has capitals; such scripts put blanks between words."""
    return char.lower() != char.upper()
