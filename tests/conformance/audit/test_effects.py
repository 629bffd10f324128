"""Effects that running totals are about: those that were made, or may have been."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from interlock.audit.contract import EffectFilter, LedgerState
from interlock.audit.effects import SqlEffects
from interlock.context import CallContext


async def test_what_may_have_happened_counts(database, ledger, make_claim):
    """CLAIMED, DONE and UNKNOWN do; FAILED and ABORTED did not happen or never will."""
    for state in ("CLAIMED", "DONE", "FAILED", "UNKNOWN", "ABORTED"):
        claim = make_claim(state, arguments={"state": state}, context=CallContext(agent="a"))
        await ledger.claim(claim)
        if state in ("DONE", "FAILED", "UNKNOWN"):
            await ledger.settle(state, 1, LedgerState(state))
    await ledger.settle("ABORTED", 1, LedgerState.UNKNOWN)
    await ledger.resolve("ABORTED", LedgerState.ABORTED)

    where = EffectFilter(tenant="default", since=datetime.now(UTC) - timedelta(hours=1))
    found = await SqlEffects(database).made(where)

    tool = make_claim("x").tool
    assert sorted(arguments["state"] for _, arguments in found) == ["CLAIMED", "DONE", "UNKNOWN"]
    assert {name for name, _ in found} == {tool}


async def test_effects_are_those_of_a_tenant_a_subject_and_a_window(database, ledger, make_claim):
    """Nothing of another tenant is ever counted, and nothing from before the window."""
    for tenant, subject in (("t", "s"), ("t", "other"), ("u", "s")):
        context = CallContext(agent="a", tenant=tenant, subject=subject)
        key = f"{tenant}/{subject}"
        await ledger.claim(make_claim(key, arguments={"key": key}, context=context))
    effects, now = SqlEffects(database), datetime.now(UTC)

    async def keys(subject: str | None, since: datetime) -> list[str]:
        found = await effects.made(EffectFilter(tenant="t", subject=subject, since=since))
        return sorted(arguments["key"] for _, arguments in found)

    assert await keys(None, now - timedelta(hours=1)) == ["t/other", "t/s"]
    assert await keys("s", now - timedelta(hours=1)) == ["t/s"]
    assert await keys("nobody", now - timedelta(hours=1)) == []
    assert await keys(None, now + timedelta(hours=1)) == []
