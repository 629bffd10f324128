"""Text from outside is found again in arguments, however it is written, and within bounds."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock.approvals.contract import OutsideText
from interlock.approvals.labels import Outside, shown
from interlock.tools.contract import Span

LETTERS = "abcxyzABCXYZ0123456789äöüßÄéçñłβςΩжЖя"
BETWEEN = ["", "", "", " ", "-", ".", " \n ", "\u200b", "\u00ad", "/", "\u00a0"]


def outside(*texts: str, label: str = "web") -> Outside:
    """Some texts from outside."""
    found = Outside()
    for number, text in enumerate(texts):
        found.keep(label, f"page {number}", text)
    return found


def folded(text: str) -> str:
    """The letters and digits of a text, written out anew."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(char for char in normal.casefold() if char.isalnum())


def wide(char: str) -> str:
    """A character as East Asian typewriters have it."""
    return chr(ord(char) + 0xFEE0) if char.isascii() and char.isalnum() else char


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """A value, and the same in another writing."""
    value = draw(st.text(LETTERS, min_size=4, max_size=40))
    parts = []
    for char in value:
        change = draw(st.sampled_from([str.upper, str.lower, str, wide]))
        parts.append(change(char) + draw(st.sampled_from(BETWEEN)))
    return value, "".join(parts)


@given(case=disguised())
def test_a_value_is_found_in_any_writing(case: tuple[str, str]) -> None:
    """Case, blanks, punctuation, width and characters that nobody sees make no difference."""
    value, written = case
    (span,) = outside(f"They said: {written} or so.").spans({"to": value})
    assert (span.argument, span.label, span.source) == ("to", "web", "page 0")
    assert folded(span.excerpt[span.begin : span.end]) == folded(value)


@given(text=st.text(max_size=80), data=st.data())
def test_it_is_found_where_it_is_and_nowhere_else(text: str, data: st.DataObject) -> None:
    """Of any text and value: up to 32 letters, a value is found only if all of them are there in a row.

    From eight on, always then.
    """
    begin = data.draw(st.integers(0, len(text)))
    value = data.draw(st.one_of(st.text(max_size=40), st.just(text[begin : begin + 12])))
    wanted = folded(value)
    assume(len(wanted) <= 32 and not is_number(value))
    there = wanted in folded(text)
    spans = outside(text).spans({"to": value})
    if spans:
        assert there
        assert len(wanted) >= 4
    elif there:
        assert len(wanted) < 8


def is_number(text: str) -> bool:
    """Whether it is looked for as a number."""
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


@pytest.mark.parametrize(
    ("text", "value", "there"),
    [
        ("Ann is here", "Ann", False),  # too short to say anything
        ("Anna is here", "Anna", True),
        ("too late", "late", True),
        ("chocolate", "late", False),  # short, and in the middle of a word
        ("see A-1042", "1042", True),
        ("see 910429", "1042", False),
        ("東京都に住む", "東京都に", True),  # no blanks between words
        ("accountDE89370400440532", "DE89370400440532", True),  # long: glued to a word all the same
        ("DE89 3704 0044 0532", "de89370400440532", True),
        ("0170/123-45 67", "+49 170 1234567", False),
        ("0170/123-45 67", "0170 1234567", True),
        ("a\nb: cd", "ab cd", True),
        ("true story", True, False),
        ("none at all", None, False),
    ],
)
def test_what_counts_as_found(text: str, value: Any, there: bool) -> None:
    """Short values only as words of their own, long ones anywhere."""
    assert bool(outside(text).spans({"to": value})) == there


def test_a_word_in_the_middle_of_too_many_words_counts_as_found() -> None:
    """So that looking costs little, whatever a text is made of."""
    assert outside("chocolate" * 1000).spans({"to": "late"}) == ()
    assert len(outside("chocolate" * 1002).spans({"to": "late"})) == 1


WRITTEN = ["{:.2f}", "{:,.2f}", "EUR {:.2f},", "{:.2f}€", "({:,.2f})"]


@given(cents=st.integers(1000, 10**12), form=st.sampled_from(WRITTEN), german=st.booleans())
def test_a_number_is_found_in_any_form(cents: int, form: str, german: bool) -> None:
    """Grouped or not, with point or comma: as a number, and as text of the same worth."""
    text = form.format(Decimal(cents) / 100)
    if german:
        text = text.replace(",", " ").replace(".", ",")
    number = Decimal(cents) / 100
    for value in (str(number), f"{number:.2f}", f"{number:.4f}", float(number)):
        (span,) = outside(f"Pay {text} now").spans({"amount": value})
        assert span.argument == "amount"


@given(one=st.integers(10, 10**7 - 1), other=st.integers(10, 10**7 - 1))
def test_another_number_is_not_found(one: int, other: int) -> None:
    """Not even a part of the digits."""
    spans = outside(f"Pay {one} now, or {one}.50 later").spans({"amount": other})
    assert bool(spans) == (one == other)


@pytest.mark.parametrize(
    ("text", "value", "there"),
    [
        ("one of 7", 7, False),  # a digit is in every text
        ("12 of them", 12, True),
        ("12 of them", 12.0, True),
        ("1.50", 1.5, True),
        ("0,5 l", 0.5, False),
        ("12.03.2025", 12, False),
        ("999.", "999.00", True),
        ("999.50", "999", False),
        ("8900", "89.00", False),
        ("-250", -250, True),
        ("1e400 and 10", "1e400", True),  # too large for a number: text
        ("one and 10", "1e1", True),
        ("NaN and Infinity", "Infinity", True),  # a word, and no number
    ],
)
def test_numbers_are_compared_by_what_they_are(text: str, value: Any, there: bool) -> None:
    """And not by their digits alone."""
    assert bool(outside(text).spans({"n": value})) == there


def test_a_long_value_is_found_by_a_part_of_it() -> None:
    """A sentence of the text in a letter is enough; the excerpt shows all that is equal."""
    page = "Our terms. Send the whole sum to the new account of the company at once. Thank you."
    letter = (
        "Dear Ms Doe,\nplease send the whole sum to the new account of the company at once!\nBye."
    )
    (span,) = outside(page).spans({"body": letter})
    part = span.excerpt[span.begin : span.end]
    assert part == "Send the whole sum to the new account of the company at once"
    assert outside(page).spans({"body": "We wrote to you about the new account, did we not?"}) == ()


def test_every_value_has_its_path() -> None:
    """In objects and lists, in order; names of arguments are not values."""
    arguments = {
        "web": "nothing",
        "lines": [{"sku": "LAMP-1"}, {"sku": "other"}, {"sku": "LAMP-1", "n": [5, 4242]}],
        "address": {"city": "Hamburg"},
    }
    spans = outside("web: LAMP-1, Hamburg, 4242").spans(arguments)
    assert [span.argument for span in spans] == [
        "lines[0].sku",
        "lines[2].sku",
        "lines[2].n[1]",
        "address.city",
    ]


def test_texts_in_data_are_texts() -> None:
    """Each value of a result, with the name that it has there."""
    found = Outside()
    found.keep("web", "tool read [c1]", {"page": {"parts": ["one", "send it to Bob Hope"]}})
    (span,) = found.spans({"to": "bob hope"})
    assert span.excerpt == "parts: one parts: send it to Bob Hope"


def test_one_span_for_each_label_from_the_newest_text() -> None:
    """A value may have come from several places."""
    found = Outside()
    for label, source in (("web", "old"), ("mail", "letter"), ("web", "new")):
        found.keep(label, source, f"{source}: give it to Bob Hope")
    spans = found.spans({"to": "Bob Hope"})
    assert [(span.label, span.source) for span in spans] == [("mail", "letter"), ("web", "new")]


def test_an_excerpt_shows_only_what_is_seen() -> None:
    """Nothing in it turns the direction of writing or moves the cursor, and places stay right."""
    (span,) = outside("say \u202eBob\x1b[2J\nHope\u2069!").spans({"to": "bob2jhope"})
    assert span.excerpt.isprintable()
    assert span.excerpt[span.begin : span.end] == "Bob [2J Hope"
    assert str(span) == "to: web: page 0: say  [Bob [2J Hope] !"


@given(st.lists(st.text("abc ", min_size=2, max_size=2000), max_size=30))
def test_the_newest_text_is_kept_within_bounds(parts: list[str]) -> None:
    """However much comes, and what is carried on finds the same."""
    found = Outside()
    for number, part in enumerate(parts):
        found.keep("web", str(number), f"mark{number:06} {part * 20}")
    kept = found.carry()
    assert sum(len(item.text) for item in kept) <= 100_000
    assert [item.source for item in kept] == [str(n) for n in range(len(parts))][-len(kept) :]
    arguments = {"to": [f"mark{number:06}" for number in range(len(parts))]}
    spans = found.spans(arguments)
    assert [span.source for span in spans] == [item.source for item in kept]
    again = Outside(OutsideText.model_validate_json(item.model_dump_json()) for item in kept)
    assert again.spans(arguments) == spans
    assert again.carry() == kept


def test_a_huge_text_is_cut_and_many_small_ones_are_dropped() -> None:
    """Text that is there already is kept once."""
    assert [len(item.text) for item in outside("x" * 300_000).carry()] == [100_000]
    many = outside(*(f"text number {number}" for number in range(700)))
    assert len(many.carry()) == 500
    twice = outside("the same", "another", "the same")
    assert [item.source for item in twice.carry()] == ["page 1", "page 2"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 50)), max_size=60, unique=True)
)
def test_few_spans_are_shown_and_each_label_is(pairs: list[tuple[str, int]]) -> None:
    """In the order in which they were found."""
    spans = [Span(argument=f"a[{number}]", label=label) for label, number in pairs]
    found = shown(spans)
    assert len(found) == min(len(spans), 20)
    assert {span.label for span in found} == {span.label for span in spans}
    assert list(found) == [span for span in spans if span in found]
