"""Text that came from outside into a run, and where it reaches the arguments of a call. Pure.

A value has the label of a text when it stands there, however it is written: letters and digits are
compared, in one case and one Unicode form, whatever is between them, and numbers by what they are.
What was said in other words, translated or computed is not seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from interlock.approvals.contract import OutsideText
from interlock.tools.contract import Span, ToolContract

CALLER = "caller"
"""The label of a run's input and of the messages of a conversation."""
DOCUMENT = "document"
"""The label of what was retrieved from the knowledge."""
MEMORY = "memory"
"""The label of what was read from the rest of the long-term memory."""
BUILT_IN = (CALLER, DOCUMENT, MEMORY)

_KEPT = 100_000
"""Characters of text that a run keeps, the newest."""
_KEPT_TEXTS = 500
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
_FEWEST_DIGITS = 2
"""A number of one digit is in every text."""
_TRIES = 1000
"""Places in the middle of words that are passed by; one more counts as found."""
_AROUND = 60
"""Characters that an excerpt has on each side of the value."""
_SHOWN_CHARS = 160
"""Characters of the value itself that it shows."""
_SHOWN = 20
"""Spans that are recorded and shown of one call."""

_LONGEST_NUMBER = 60
_GROUPS = "[ .,'’_]?"
"""What may stand between the digits of a number."""


class _Folded(NamedTuple):
    """The letters and digits of a text, and where each of them is."""

    text: str
    places: list[int]


class _Needle(NamedTuple):
    """What is looked for of one value."""

    text: str = ""
    """Its letters and digits."""
    runs: tuple[int, ...] = ()
    """Where in them a run begins that is enough; none: all of them have to be found."""
    digits: str = ""
    number: re.Pattern[str] | None = None


class _Kept:
    """A text that is kept, ready to be looked into."""

    def __init__(self, outside: OutsideText) -> None:
        self.outside = outside
        self.folded = "".join(filter(str.isalnum, outside.text.casefold()))
        self._places: list[int] | None = None

    def find(self, needle: _Needle) -> tuple[int, int] | None:
        """Return where a value begins and ends in the text, or None."""
        if needle.number is not None and needle.digits in self.folded:
            found = needle.number.search(self.outside.text)
            if found is not None:
                return found.span()
        if not needle.runs:
            return self._whole(needle.text) if needle.text else None
        for begin in needle.runs:
            run = needle.text[begin : begin + _RUN]
            if run in self.folded:
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
            inside = _inside(self.outside.text, begin) or _inside(self.outside.text, end)
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
            self._places = _fold(self.outside.text).places
        return self._places[start], self._places[end - 1] + 1


class Outside:
    """The text from outside that a run has seen, the newest of it.

    Args:
        carried: What an earlier part of the run kept, oldest first.
    """

    def __init__(self, carried: Iterable[OutsideText] = ()) -> None:
        self._texts = [_Kept(item) for item in carried]
        self._all: str | None = None

    def keep(self, label: str, source: str, value: Any) -> None:
        """Keep the text of a value of JSON; text that is there already only becomes newer.

        Args:
            label: Its label.
            source: Where it came from, for people.
            value: Text, or data with texts in it.
        """
        text = _normal(text_of(value))[:_KEPT]
        made = _Kept(OutsideText(label=label, source=source, text=text))
        if len(made.folded) < _FEWEST_DIGITS:
            return
        same = (label, text)
        self._texts = [
            item for item in self._texts if (item.outside.label, item.outside.text) != same
        ]
        self._texts.append(made)
        self._drop_oldest()
        self._all = None

    def spans(self, arguments: dict[str, Any]) -> tuple[Span, ...]:
        """Return where text from outside reached the arguments of a call.

        One span for each value and label, from the newest text that has it; values in their order.
        """
        found = tuple(span for path, value in _leaves(arguments) for span in self._of(path, value))
        for item in self._texts:
            item.forget_places()
        return found

    def carry(self) -> tuple[OutsideText, ...]:
        """Return all that is kept, oldest first."""
        return tuple(item.outside for item in self._texts)

    def _of(self, path: str, value: Any) -> list[Span]:
        needle = _needle(value)
        if not self._may_have(needle):
            return []
        found: dict[str, Span] = {}
        for item in reversed(self._texts):
            label = item.outside.label
            place = None if label in found else item.find(needle)
            if place is not None:
                found[label] = _span(path, item.outside, *place)
        return [found[label] for label in sorted(found)]

    def _may_have(self, needle: _Needle) -> bool:
        """Whether any text may have it: one search in all of them, which most values end with."""
        if self._all is None:
            self._all = "\n".join(item.folded for item in self._texts)
        if needle.number is not None and needle.digits in self._all:
            return True
        if not needle.runs:
            return bool(needle.text) and needle.text in self._all
        return any(needle.text[begin : begin + _RUN] in self._all for begin in needle.runs)

    def _drop_oldest(self) -> None:
        size = sum(len(item.outside.text) for item in self._texts)
        while size > _KEPT or len(self._texts) > _KEPT_TEXTS:
            size -= len(self._texts.pop(0).outside.text)


def known_labels(contracts: Iterable[ToolContract]) -> tuple[str, ...]:
    """Return the labels that a deployment has: its tools' own, and those that are built in."""
    own = (label for contract in contracts for label in contract.labels)
    return tuple(dict.fromkeys((*BUILT_IN, *own)))


def shown(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans that are recorded and shown: not all, but one of each label at least."""
    given = list(spans)
    first: dict[str, Span] = {}
    for span in given:
        first.setdefault(span.label, span)
    kept = list(first.values())
    kept += [span for span in given if span is not first[span.label]][: max(_SHOWN - len(kept), 0)]
    return tuple(span for span in given if any(span is item for item in kept))


def text_of(value: Any) -> str:
    """Return the texts and numbers in a value of JSON, one in a line, as far as they are kept."""
    lines, size = [], 0
    for line in _lines(value):
        lines.append(line)
        size += len(line) + 1
        if size > _KEPT:
            break
    return "\n".join(lines)[:_KEPT]


def _lines(value: Any) -> Iterator[str]:
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, dict):
            waiting += reversed([(str(key), inner) for key, inner in item.items()])
        elif isinstance(item, list | tuple):
            waiting += reversed([(name, inner) for inner in item])
        elif item is not None and not isinstance(item, bool):
            yield f"{name}: {item}" if name else str(item)


def _leaves(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any]] = [("", arguments)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            names = [(f"{path}.{key}" if path else str(key), item[key]) for key in item]
            waiting += reversed(names)
        elif isinstance(item, list | tuple):
            waiting += reversed([(f"{path}[{i}]", inner) for i, inner in enumerate(item)])
        elif item is not None and not isinstance(item, bool):
            yield path, item


def _needle(value: Any) -> _Needle:
    text = value if isinstance(value, str) else str(value)
    digits, number = _number(text)
    if number is not None and (isinstance(value, float) or "." in text):
        return _Needle(digits=digits, number=number)
    folded = _fold(_normal(text))
    wanted = folded.text if len(folded.text) >= _SHORTEST else ""
    runs = tuple(_runs(folded)) if len(wanted) > _RUN else ()
    return _Needle(wanted, runs, digits, number)


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
    if len((whole + fraction).lstrip("0")) < _FEWEST_DIGITS:
        return "", None
    decimals = f"[.,]{fraction}0*" if fraction else "(?:[.,]0+)?"
    pattern = rf"(?<!\d)(?<!\d[.,]){_GROUPS.join(whole)}{decimals}(?![.,]?\d)"
    return whole + fraction, re.compile(pattern)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _fold(text: str) -> _Folded:
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for letter in char.casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return _Folded("".join(letters), places)


def _inside(text: str, place: int) -> bool:
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


def _span(path: str, outside: OutsideText, begin: int, end: int) -> Span:
    end = min(end, begin + _SHOWN_CHARS)
    start = max(begin - _AROUND, 0)
    around = outside.text[start : end + _AROUND]
    return Span(
        argument=path,
        label=outside.label,
        source=outside.source,
        # Characters that are not seen, or turn the direction of writing, do not reach a reviewer.
        excerpt="".join(char if char.isprintable() else " " for char in around),
        begin=begin - start,
        end=end - start,
    )
