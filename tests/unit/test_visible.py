"""What people read is what is there."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from interlock.inbox.problems import Problem
from interlock.inbox.rendering import render
from interlock.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext, größer, 数, \N{GRINNING FACE}", None),
        ("\x1b[2J", "\\u001b[2J"),
        ("amount: 1\r9", "amount: 1\\u000d9"),
        ("pay \u202e00.01\u202c", "pay \\u202e00.01\\u202c"),
        ("a\u061cb\u2028c", "a\\u061cb\\u2028c"),
        ("pass\u00adword\u200d\u2060\u3164", "pass\\u00adword\\u200d\\u2060\\u3164"),
        ("tag \U000e0041\ufe01", "tag \\U000e0041\\ufe01"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_what_is_not_seen_is_spelled_out(text: str, shown: str | None) -> None:
    """Controls, what turns text around, and what fonts do not draw; all else stays."""
    assert visible(text) == (text if shown is None else shown)


def test_a_page_spells_out_every_text() -> None:
    """Also where nobody thought of it, such as in an error; markup is escaped all the same."""
    problem = Problem(type="t", title="T", status=404, detail="no <b>\u2066run\u200b", code="C")
    request = Request({"type": "http", "headers": []})
    page = bytes(render(request, "problem.html", 404, problem=problem).body).decode()
    assert "no &lt;b&gt;\\u2066run\\u200b" in page
