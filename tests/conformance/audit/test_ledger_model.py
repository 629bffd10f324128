"""The ledger against a simple model of it, over random sequences of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from interlock.audit.contract import LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.context import CallContext
from interlock.errors import LedgerConflict

CLAIMED, UNKNOWN, FAILED = LedgerState.CLAIMED, LedgerState.UNKNOWN, LedgerState.FAILED
DEADLINE = datetime(2030, 1, 1, tzinfo=UTC)

keys = st.sampled_from(["k0", "k1", "k2"])
requests = st.sampled_from([None, "r0", "r1"])
tokens = st.integers(min_value=1, max_value=4)
results = st.integers()


@dataclass
class Row:
    """What the model knows of one effect."""

    state: LedgerState = CLAIMED
    token: int = 1
    result: int | None = None
    note: str = ""


@dataclass
class Model:
    """The ledger, as simple as it can be said."""

    rows: dict[str, Row] = field(default_factory=dict)
    spent: dict[str, str] = field(default_factory=dict)

    def claim(self, key: str, request: str | None) -> bool | None:
        """Say whether the claim wins; None when its decision is another effect's."""
        if request is not None and self.spent.get(request, key) != key:
            return None
        row = self.rows.get(key)
        if row is not None and row.state != FAILED:
            return False
        self.rows[key] = Row(token=row.token + 1 if row else 1)
        if request is not None:
            self.spent[request] = key
        return True

    def take_over(self, key: str, token: int) -> bool:
        """Say whether the row is taken over."""
        row = self.rows[key]
        if row.token != token or row.state not in (CLAIMED, UNKNOWN):
            return False
        self.rows[key] = Row(token=token + 1)
        return True

    def settle(self, key: str, token: int, state: LedgerState, result: int) -> bool:
        """Say whether the row has `state` from this attempt."""
        row = self.rows[key]
        if row.token == token and row.state in (CLAIMED, UNKNOWN):
            self.rows[key] = Row(state, token, result)
        return self.rows[key].token == token and self.rows[key].state == state

    def note(self, key: str, token: int, why: str) -> None:
        """Keep the holder's note."""
        row = self.rows[key]
        if row.token == token and row.state == CLAIMED:
            row.note = why

    def resolve(self, key: str, state: LedgerState, result: int) -> bool:
        """Say whether there was something to resolve."""
        row = self.rows[key]
        if row.state != UNKNOWN:
            return False
        self.rows[key] = Row(state, row.token + 1, result)
        return True


class Comparison(RuleBasedStateMachine):
    """Does everything to the ledger and to the model, and compares."""

    ledger: SqlLedger
    run: Callable[[Any], Any]
    make_claim: Callable[..., Any]
    examples = 0

    @initialize()
    def start(self) -> None:
        """Use keys and a lineage of their own for each example."""
        type(self).examples += 1
        self.prefix = f"{self.examples}/"
        self.model = Model()

    @rule(key=keys, request=requests)
    def claim(self, key: str, request: str | None) -> None:
        """Claim an effect."""
        context = CallContext(agent="a", lineage=self.prefix)
        claim = self.make_claim(self.prefix + key, request_id=request, context=context)
        expected = self.model.claim(key, request)
        if expected is None:
            with pytest.raises(LedgerConflict) as refused:
                self.run(self.ledger.claim(claim))
            assert refused.value.details["held_by"] == self.prefix + self.model.spent[request]
        else:
            assert self.run(self.ledger.claim(claim)).won == expected

    @rule(key=keys, token=tokens)
    def take_over(self, key: str, token: int) -> None:
        """Take a row over, with the right token or another."""
        if key in self.model.rows:
            result = self.run(self.ledger.take_over(self.prefix + key, token, DEADLINE))
            assert result.won == self.model.take_over(key, token)

    @rule(
        key=keys, token=tokens, state=st.sampled_from(["DONE", "FAILED", "UNKNOWN"]), result=results
    )
    def settle(self, key: str, token: int, state: str, result: int) -> None:
        """Settle a row, with the right token or another."""
        if key in self.model.rows:
            outcome = LedgerState(state)
            call = self.ledger.settle(self.prefix + key, token, outcome, result=result)
            assert self.run(call) == self.model.settle(key, token, outcome, result)

    @rule(key=keys, token=tokens, why=st.sampled_from(["reset", "no answer"]))
    def note(self, key: str, token: int, why: str) -> None:
        """Note why a call ended without an answer, with the right token or another."""
        if key in self.model.rows:
            self.run(self.ledger.note(self.prefix + key, token, why))
            self.model.note(key, token, why)

    @rule(key=keys, state=st.sampled_from(["DONE", "ABORTED"]), result=results)
    def resolve(self, key: str, state: str, result: int) -> None:
        """Say what happened, whether or not somebody asked."""
        if key in self.model.rows:
            outcome = LedgerState(state)
            call = self.ledger.resolve(self.prefix + key, outcome, result=result)
            assert self.run(call) == self.model.resolve(key, outcome, result)

    @invariant()
    def rows_are_equal(self) -> None:
        """The ledger holds what the model holds."""
        for key in ("k0", "k1", "k2"):
            row = self.run(self.ledger.find(self.prefix + key))
            found = row and Row(row.state, row.token, row.result, row.error)
            assert found == self.model.rows.get(key)


@pytest.fixture
def comparison(url: str, make_claim: Callable[..., Any]) -> Iterator[type[Comparison]]:
    """Give the machine on a database that lives in an event loop of its own."""
    with asyncio.Runner() as runner:
        database = Database(url)
        runner.run(database.open())
        yield type(
            "Bound",
            (Comparison,),
            {
                "ledger": SqlLedger(database),
                "run": staticmethod(runner.run),
                "make_claim": staticmethod(make_claim),
            },
        )
        runner.run(database.close())


def test_ledger_does_what_the_model_does(comparison):
    """Over random sequences of calls the ledger answers and holds what a simple model does."""
    run_state_machine_as_test(
        comparison,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
