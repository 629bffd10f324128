"""Decisions that do not hold begin nothing; what was begun while they held is brought to its end."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.approvals.signatures import KeyRing
from interlock.approvals.verification import GrantVerifier
from interlock.audit.contract import LedgerState
from interlock.tools import ToolCall
from tests.integration.tools.bench import GRACE, Bench, Killed

REQUIRED = GrantVerifier(KeyRing({}), require_signature=True)
"""Of a deployment that takes signed decisions only: none of these is."""


def call(bench: Bench, **fields: Any) -> ToolCall:
    """A call that rests on an unsigned decision."""
    return bench.call(grant=bench.grant(seconds=600), must_have_grant=True, **fields)


@pytest.mark.parametrize("kind", ["external", "idempotent", "read"])
async def test_nothing_is_claimed_and_nothing_called(bench: Bench, kind: str) -> None:
    """The refusal is the outcome, and is recorded; without the rule the same call is made."""
    tool = bench.tool(kind)
    outcome = await bench.gateway(tool, grants=REQUIRED).run(call(bench))
    assert (outcome.status, outcome.code) == ("refused", "UNSIGNED")
    assert bench.shop.attempts == 0
    assert await bench.ledger.find(call(bench).effect_key) is None
    assert bench.observer.calls[-1][1] == outcome
    assert (await bench.gateway(tool).run(call(bench))).status == "done"


async def test_what_was_done_is_told_as_done(bench: Bench) -> None:
    """A retry of a call whose answer was lost on the way reads the ledger, whatever the keys are."""
    tool = bench.tool("external")
    done = await bench.gateway(tool).run(call(bench))
    again = await bench.gateway(tool, grants=REQUIRED).run(call(bench), attempt=2)
    assert (again.status, again.result, again.replayed) == ("done", done.result, True)
    assert bench.shop.attempts == 1


async def test_a_lost_attempt_ends_in_doubt_and_not_in_a_second_call(bench: Bench) -> None:
    """Whether it happened nobody knows: a person is asked."""
    tool = bench.tool("external")

    async def dies(point: str, _: ToolCall) -> None:
        if point == "before_settle":
            raise Killed

    with pytest.raises(Killed):
        await bench.gateway(tool, probe=dies).run(call(bench))
    bench.pass_deadline()
    outcome = await bench.carry_out(bench.gateway(tool, grants=REQUIRED), call(bench))
    assert outcome.status == "unknown"
    assert (bench.shop.attempts, (await bench.row()).state) == (1, LedgerState.UNKNOWN)


@pytest.mark.parametrize("resolution", ["happened", "did_not_happen", "abort"])
async def test_an_unsigned_word_resolves_nothing(bench: Bench, resolution: str) -> None:
    """The row stays as it is, and nothing is called."""

    def reset(point: str) -> None:
        if point == "before":
            raise ConnectionError("reset")

    bench.shop.behave = reset
    gateway = bench.gateway(bench.tool("external", attempts=1))
    outcome = await bench.carry_out(gateway)
    bench.shop.behave = None
    bench.clock.advance(GRACE)
    word = bench.call(
        resolution=resolution, resolved_token=outcome.known["token"], resolved_result={"paid": 7}
    )
    strict = bench.gateway(bench.tool("external", attempts=1), grants=REQUIRED)
    misfit = word.model_copy(update={"arguments": {"sum": 7}})  # of the tool's earlier contract
    for said in (word, misfit):
        refused = await strict.run(said)
        assert (refused.status, refused.code) == ("refused", "UNSIGNED")
    assert ((await bench.row()).state, bench.shop.attempts) == (LedgerState.UNKNOWN, 1)
    assert (await gateway.run(word)).status in ("done", "failed")
