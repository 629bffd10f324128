"""What must hold of every trial, whatever was killed in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from interlock.testing.crash.outcome import Outcome

Invariant = Literal[
    "the run ends",
    "no effect is lost",
    "no effect is doubled",
    "no effect is unapproved",
    "a decision is used once",
    "a person is asked once",
    "the result is the same",
    "the ledger is settled",
    "a late attempt changes nothing",
    "the audit is whole",
    "the history replays",
]


class Breach(BaseModel):
    """An invariant that did not hold at a point."""

    point: str
    invariant: Invariant
    expected: Any
    actual: Any

    def text(self) -> str:
        """Return it as one line."""
        return f"{self.point}: {self.invariant}. Expected {self.expected}, got {self.actual}."


def breaches(
    outcome: Outcome, calm: Outcome, comparable: Callable[[dict[str, Any]], Any]
) -> list[Breach]:
    """Return what does not hold of a trial, compared with the undisturbed run.

    A person may have been asked once for each effect whether it happened: that is no breach, and
    neither is what the audit says of it.
    """
    found = [*_alone(outcome, calm.effects), *_compared(outcome, calm)]
    result, expected = comparable(outcome.result), comparable(calm.result)
    if result != expected:
        found.append(("the result is the same", expected, result))
    return [
        Breach(point=outcome.point, invariant=invariant, expected=wanted, actual=actual)
        for invariant, wanted, actual in found
    ]


def breaches_of_calm(calm: Outcome, expects: Sequence[str] | None) -> list[Breach]:
    """Return what does not hold of the undisturbed run itself."""
    effects = calm.effects if expects is None else expects
    return [
        Breach(point=calm.point, invariant=invariant, expected=wanted, actual=actual)
        for invariant, wanted, actual in _alone(calm, effects)
    ]


_Found = Iterator[tuple[Invariant, Any, Any]]


def _alone(outcome: Outcome, expects: Sequence[str]) -> _Found:
    """What needs nothing to compare with but the effects there should be."""
    expected, made = Counter(expects), Counter(outcome.effects)
    if expected - made:
        yield "no effect is lost", dict(expected), dict(made)
    if made - expected:
        yield "no effect is doubled", dict(expected), dict(made)
    used = Counter(request for _, _, request in outcome.ledger if request is not None)
    twice = {request for request, times in used.items() if times > 1} | {*outcome.reusable}
    if twice:
        yield "a decision is used once", [], sorted(twice)
    approved = {*outcome.requests} - {*outcome.undecided}
    if {*used} - approved:
        yield "no effect is unapproved", sorted(approved), sorted(used)
    if outcome.undecided or outcome.refused_decisions:
        yield "a person is asked once", [], [*outcome.undecided, *outcome.refused_decisions]
    if outcome.late:
        yield "a late attempt changes nothing", [], outcome.late
    if outcome.replays:
        yield "the history replays", "", outcome.replays


def _compared(outcome: Outcome, calm: Outcome) -> _Found:
    asked, wanted = actions(outcome), actions(calm)
    many = [tool for tool, times in Counter(_doubts(outcome)).items() if times > _rows(calm)[tool]]
    if asked != wanted or many:
        yield "a person is asked once", dict(wanted), {**asked, **dict.fromkeys(many, "again")}
    unasked, calmly = _unasked(outcome), _unasked(calm)
    if unasked - calmly:
        yield "no effect is unapproved", dict(calmly), dict(unasked)
    states, settled = _states(outcome), _states(calm)
    if states != settled:
        yield "the ledger is settled", settled, states
    expected, audit = _audit_expected(outcome, calm), Counter(outcome.audit)
    if audit != expected:
        names = sorted(name for name in {*audit, *expected} if audit[name] != expected[name])
        yield (
            "the audit is whole",
            {name: expected[name] for name in names},
            {name: audit[name] for name in names},
        )


def actions(outcome: Outcome) -> Counter[str]:
    """Return what a person was asked for, apart from what became of lost calls."""
    return Counter(text for text in outcome.asked if not text.startswith("outcome "))


def words(outcome: Outcome) -> list[tuple[str, str]]:
    """Return tool and verb of each answer to the question whether a lost call happened."""
    return [
        (text.split(" ")[1], verb)
        for text, (kind, verb) in zip(outcome.asked, outcome.decisions, strict=True)
        if kind == "outcome"
    ]


def _doubts(outcome: Outcome) -> list[str]:
    return [tool for tool, _ in words(outcome)]


def _rows(outcome: Outcome) -> Counter[str]:
    return Counter(tool for tool, _, _ in outcome.ledger)


def _unasked(outcome: Outcome) -> Counter[str]:
    return Counter(tool for tool, _, request in outcome.ledger if request is None)


def _states(outcome: Outcome) -> list[tuple[str, str]]:
    return sorted((tool, state) for tool, state, _ in outcome.ledger)


def _audit_expected(outcome: Outcome, calm: Outcome) -> Counter[str]:
    expected = Counter(calm.audit)
    for tool, verb in (Counter(words(outcome)) - Counter(words(calm))).elements():
        expected += Counter(
            [f"decision {tool} requested", f"tool_call {tool} unknown", f"decision {tool} {verb}"]
        )
    # A late attempt is recorded as an incident, which no undisturbed run has.
    incidents = {name: n for name, n in outcome.audit.items() if name.startswith("incident ")}
    return expected | Counter(incidents) | _asked_again(outcome, expected)


def _asked_again(outcome: Outcome, expected: Counter[str]) -> Counter[str]:
    """Model calls that were made, and paid, twice: their worker was lost with the first answer."""
    calls = [name for name in expected if outcome.struck and name.startswith("model_call ")]
    return Counter({name: min(outcome.audit.get(name, 0), 2 * expected[name]) for name in calls})


__all__ = ["Breach", "Invariant", "actions", "breaches", "breaches_of_calm", "words"]
