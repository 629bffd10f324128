"""Text that came from outside into a run, and where it reaches the arguments of a call. Pure.

A value of an argument has the label of a text when it stands in it (`finding`). What was said in other
words, translated or computed is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from interlock.approvals.contract import OutsideText
from interlock.approvals.finding import FEWEST, Haystack, needle_of, normal
from interlock.tools.contract import STOCK_LABEL, Span, ToolContract

CALLER = "caller"
"""The label of a run's input and of the messages of a conversation."""
DOCUMENT = "document"
"""The label of what was retrieved from the knowledge."""
MEMORY = "memory"
"""The label of what was read from the rest of the long-term memory."""
BUILT_IN = (CALLER, DOCUMENT, MEMORY, STOCK_LABEL)

_KEPT = 100_000
"""Characters of text that a run keeps, the newest."""
_KEPT_TEXTS = 500
_AROUND = 60
"""Characters that an excerpt has on each side of the value."""
_SHOWN_CHARS = 160
"""Characters of the value itself that it shows."""
_SHOWN = 20
"""Spans that are recorded and shown of one call."""


class _Kept(NamedTuple):
    """A text that is kept, ready to be looked into."""

    outside: OutsideText
    haystack: Haystack


class Outside:
    """The text from outside that a run has seen, the newest of it.

    Args:
        carried: What an earlier part of the run kept, oldest first.
    """

    def __init__(self, carried: Iterable[OutsideText] = ()) -> None:
        self._texts = [_Kept(item, Haystack(item.text)) for item in carried]
        self._all: str | None = None

    def keep(self, label: str, source: str, value: Any) -> None:
        """Keep the text of a value of JSON; text that is there already only becomes newer.

        Args:
            label: Its label.
            source: Where it came from, for people.
            value: Text, or data with texts in it.
        """
        text = normal(_text_of(value))[:_KEPT]
        haystack = Haystack(text)
        if len(haystack.folded) < FEWEST:
            return
        others = [kept for kept in self._texts if not _is_same(kept.outside, label, text)]
        made = OutsideText(label=label, source=source, text=text)
        self._texts = _newest([*others, _Kept(made, haystack)])
        self._all = None

    def spans(self, arguments: dict[str, Any]) -> tuple[Span, ...]:
        """Return where text from outside reached the arguments of a call.

        One span for each value and label, from the newest text that has it; values in their order.
        """
        found = tuple(span for path, value in _leaves(arguments) for span in self._of(path, value))
        for kept in self._texts:
            kept.haystack.forget_places()
        return found

    def carry(self) -> tuple[OutsideText, ...]:
        """Return all that is kept, oldest first."""
        return tuple(kept.outside for kept in self._texts)

    def _of(self, path: str, value: Any) -> list[Span]:
        needle = needle_of(value)
        if self._all is None:
            self._all = "\n".join(kept.haystack.folded for kept in self._texts)
        if not needle.may_be_in(self._all):  # as of most values: one search in place of many
            return []
        found: dict[str, Span] = {}
        for outside, haystack in reversed(self._texts):
            place = None if outside.label in found else haystack.find(needle)
            if place is not None:
                found[outside.label] = _span(path, outside, *place)
        return [found[label] for label in sorted(found)]


def known_labels(contracts: Iterable[ToolContract]) -> tuple[str, ...]:
    """Return the labels that a deployment has: its tools' own, and those that are built in."""
    own = (label for contract in contracts for label in contract.labels)
    return tuple(dict.fromkeys((*BUILT_IN, *own)))


def shown(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans that are recorded and shown: not all, but one of each label at least."""
    given = list(spans)
    first: dict[str, int] = {}
    for index, span in enumerate(given):
        first.setdefault(span.label, index)
    must = list(first.values())
    others = [index for index in range(len(given)) if index not in must]
    kept = sorted(must + others[: max(_SHOWN - len(must), 0)])
    return tuple(given[index] for index in kept)


def _is_same(outside: OutsideText, label: str, text: str) -> bool:
    return (outside.label, outside.text) == (label, text)


def _newest(texts: list[_Kept]) -> list[_Kept]:
    """Return as many of the newest texts as are kept."""
    size, count = 0, 0
    for kept in reversed(texts):
        size += len(kept.outside.text)
        if size > _KEPT or count == _KEPT_TEXTS:
            break
        count += 1
    return texts[len(texts) - count :]


def _text_of(value: Any) -> str:
    """Return the texts and numbers in a value of JSON, one in a line, as far as they are kept."""
    lines, size = [], 0
    for line in _lines(value):
        lines.append(line)
        size += len(line) + 1
        if size > _KEPT:
            break
    return "\n".join(lines)


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
            waiting += reversed(
                [(f"{path}.{key}" if path else str(key), item[key]) for key in item]
            )
        elif isinstance(item, list | tuple):
            waiting += reversed([(f"{path}[{i}]", inner) for i, inner in enumerate(item)])
        elif item is not None and not isinstance(item, bool):
            yield path, item


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
