"""Each planted bug fits what it replaces: one that does not would only show that it does not."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from interlock.audit.ledger import SqlLedger
from interlock.tools.effects import EffectAttempt
from interlock.tools.gateway import ToolGateway
from interlock.tools.held import HeldEffect
from interlock.workflows.logical_calls import LogicalCalls
from interlock.workflows.recording import Recorder
from interlock.workflows.run import Run
from tests.crash.planted import bugs
from tests.crash.planted.test_planted import BUGS

ENGINE = (EffectAttempt, HeldEffect, LogicalCalls, Recorder, Run, SqlLedger, ToolGateway)
"""The classes that bugs are planted into."""
SETUPS = sorted({setup for bug in BUGS.values() if (setup := bug.scenario.get("setup"))})


def planted(setup: str) -> dict[str, tuple[Any, Any]]:
    """Plant a bug, take it back, and return what it replaced: the engine's own, and the bug's."""
    before = {(owner, name): value for owner in ENGINE for name, value in vars(owner).items()}
    replaced = {}
    try:
        getattr(bugs, setup)()
    finally:
        for (owner, name), value in before.items():
            if vars(owner)[name] is not value:
                replaced[f"{owner.__name__}.{name}"] = (value, vars(owner)[name])
                setattr(owner, name, value)
    return replaced


def check_fits(own: Any, bug: Any) -> None:
    """Expect that the bug takes every call that the engine's own method takes."""
    parameters = list(inspect.signature(own).parameters.values())
    named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
    ordered = {one.name: None for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD}
    assert len(named) + len(ordered) == len(parameters)
    inspect.signature(bug).bind(*ordered, **named)
    self_, *rest = ordered
    inspect.signature(bug).bind(self_, **dict.fromkeys(rest), **named)
    assert inspect.iscoroutinefunction(bug) is inspect.iscoroutinefunction(own)


@pytest.mark.parametrize("setup", SETUPS)
def test_a_planted_bug_has_the_signature_of_what_it_replaces(setup: str) -> None:
    """Otherwise it is caught as a TypeError, and its proof says nothing of the bug it names."""
    replaced = planted(setup)
    assert replaced, f"{setup} changes none of {[owner.__name__ for owner in ENGINE]}"
    for own, bug in replaced.values():
        assert isinstance(bug, property) is isinstance(own, property)
        if not isinstance(own, property):
            check_fits(own, bug)
