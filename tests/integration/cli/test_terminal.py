"""A person at a terminal is asked: while a run is followed, and before a decision is sent."""

from __future__ import annotations

import uuid
from typing import Any


def test_a_person_decides_while_following(terminal: Any) -> None:
    """`run` asks at the request, asks again after a mistake, and goes on with the answer."""
    screen = terminal("run", "clerk", "I want my money back")
    assert '"amount": "40.00"' in screen.reads("decide> ")
    screen.types("perhaps")
    assert "'perhaps' is none of them" in screen.reads("decide> ")
    screen.types("edit")
    screen.reads("KEY=VALUE> ")
    screen.types("amount=10.00")
    code, text = screen.ends()
    assert code == 0, text
    assert "10.00 given back for A-1" in text
    assert "I have seen to it." in text


def test_a_person_talks_to_a_conversation(terminal: Any) -> None:
    """A conversation shows each reply and asks for the next message; an empty one stops following."""
    screen = terminal("run", "clerk", "hello", "--conversation")
    assert "Good morning." in screen.reads("you> ")
    screen.types("and now?")
    assert "Good evening." in screen.reads("you> ")
    screen.types("")
    code, text = screen.ends()
    assert code == 0, text
    assert "interlock send clerk-" in text


def test_a_decision_is_confirmed(terminal: Any, answer: Any, asked: Any) -> None:
    """`approve` shows the action and asks; without a yes nothing is decided."""
    run_id = f"clerk-{uuid.uuid4().hex[:8]}"
    answer("run", "clerk", "I want my money back", "--no-follow", "--id", run_id)
    request = asked(run_id)
    screen = terminal("approve", request.id, "--run", run_id)
    assert '"amount": "40.00"' in screen.reads("approve this? [y/N] ")
    screen.types("")
    code, text = screen.ends()
    assert (code, "ABORTED" in text) == (1, True)
    assert asked(run_id).id == request.id
    answer("cancel", run_id)
