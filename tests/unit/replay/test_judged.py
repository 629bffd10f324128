"""The arguments of local calls are shown when a history leaves no doubt."""

from __future__ import annotations

from interlock.replay.judged import JudgedArguments

ONE, TWO = {"n": 1}, {"n": 2}


def test_a_call_alone_had_what_was_judged() -> None:
    """One after the other, each has its own."""
    known = JudgedArguments()
    for arguments in (ONE, TWO):
        known.judged("look", arguments)
        assert known.over("look") == arguments


def test_a_call_that_is_made_again_had_the_same() -> None:
    """It is not judged again."""
    known = JudgedArguments()
    known.judged("look", ONE)
    assert [known.over("look") for _ in range(3)] == [ONE, ONE, ONE]
    known.judged("look", TWO)
    assert known.over("look") == TWO


def test_calls_side_by_side_are_not_told_apart() -> None:
    """Which of them was over first is not recorded, unless they are equal; the next one is known."""
    known = JudgedArguments()
    known.judged("look", ONE)
    known.judged("look", TWO)
    assert [known.over("look"), known.over("look")] == [None, None]
    known.judged("look", ONE)
    known.judged("look", ONE)
    assert [known.over("look"), known.over("look")] == [ONE, ONE]
    known.judged("look", TWO)
    assert known.over("look") == TWO


def test_a_call_that_no_verdict_came_before() -> None:
    """A history that begins in the middle has none."""
    known = JudgedArguments()
    known.judged("pay", ONE)
    assert known.over("look") is None
