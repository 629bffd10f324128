"""Spans of time and names in a policy."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.tools.values import duration_text, matches, parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("4h", timedelta(hours=4)),
        ("90s", timedelta(seconds=90)),
        ("30min", timedelta(minutes=30)),
        ("1d12h", timedelta(days=1.5)),
        ("1d 2h 3m 4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_spans_are_readable(text: str, span: timedelta) -> None:
    """Days, hours, minutes and seconds, in this order."""
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "4", "h", "4 weeks", "2h1d", "-4h", "1.5h", "0s", 4, None])
def test_anything_else_is_refused(text: object) -> None:
    """The message shows what is allowed."""
    with pytest.raises(ValueError, match=r"for example '4h', '90s' or '1d12h'"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "9999999999999999d"])
def test_a_span_has_an_end(text: str) -> None:
    """A deadline that a timer cannot hold is a slip of the hand."""
    with pytest.raises(ValueError, match="longer than ten years"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=3650 * 86400))
def test_a_span_survives_its_text(seconds: int) -> None:
    """Equal spans have equal texts, whatever they were written as."""
    span = timedelta(seconds=seconds)
    assert parse_duration(duration_text(span)) == span
    assert duration_text(parse_duration(f"{seconds}s")) == duration_text(span)


def test_patterns_match_whole_names() -> None:
    """Case counts."""
    assert matches(["a", "re*"], "refund")
    assert not matches(["re", "Re*", "?efun"], "refund")
