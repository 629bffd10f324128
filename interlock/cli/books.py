"""The ledger and its incidents as commands read them, and who waits for a word on an effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import ApprovalRequest
from interlock.audit.contract import AuditEvent, EventFilter, LedgerRow, LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import SqlAuditStore
from interlock.connection import data_folder
from interlock.errors import BadInput, DecisionRefused, InterlockError, RunFinished
from interlock.runs.client import Runs
from interlock.settings import Settings
from interlock.tools.contract import outcome_digest

_INCIDENTS = 20
"""Incidents below a list."""
_EVENTS = 10_000
_OPEN = ("running", "waiting", "idle")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Standing(_Data):
    """Who waits for a word on an UNKNOWN effect."""

    run: str
    """State of its run; 'not known' when Temporal or its worker does not answer."""
    request: ApprovalRequest | None = None
    """The question that waits on the run's desk."""


class KnownEffect(_Data):
    """One effect of a list."""

    effect: LedgerRow
    standing: Standing | None = None
    """Of an UNKNOWN effect only."""


class EffectPage(_Data):
    """Some effects, oldest first."""

    effects: tuple[KnownEffect, ...]
    more: bool
    """Whether there is another page."""
    incidents: tuple[AuditEvent, ...]
    """The newest incidents, oldest first."""


class EffectStory(KnownEffect):
    """One effect and what the audit store has of it."""

    events: tuple[AuditEvent, ...]
    """Attempts, incidents and decisions, oldest first."""


class _Books(NamedTuple):
    ledger: SqlLedger
    events: SqlAuditStore


async def page_of(
    settings: Settings, run: str, state: str | None, limit: int, page: int
) -> EffectPage:
    """Return one page of the effects in a state, of one run or of all."""
    async with _opened(settings) as books:
        if books is None:
            return EffectPage(effects=(), more=False, incidents=())
        rows = await books.ledger.rows(
            workflow_id=run or None,
            state=LedgerState(state.upper()) if state else None,
            limit=limit + 1,
            offset=(page - 1) * limit,
        )
        incidents = await _newest(
            books.events, EventFilter(workflow_id=run or None, kind="incident")
        )
    return EffectPage(
        effects=tuple(await _with_standing(settings, rows[:limit])),
        more=len(rows) > limit,
        incidents=tuple(incidents),
    )


async def story_of(settings: Settings, effect: str) -> EffectStory:
    """Return an effect with its events.

    Raises:
        BadInput: no effect has that key, or several have that beginning.
    """
    row = await find_effect(settings, effect)
    async with _opened(settings) as books:
        where = EventFilter(workflow_id=row.workflow_id, limit=_EVENTS)
        events = await books.events.events(where) if books else []
    (known,) = await _with_standing(settings, [row])
    return EffectStory(
        effect=row,
        standing=known.standing,
        events=tuple(event for event in events if _is_about(event, row)),
    )


async def find_effect(settings: Settings, effect: str) -> LedgerRow:
    """Return the row of a key, or of the beginning of one.

    Raises:
        BadInput: no effect has it, or several do.
    """
    async with _opened(settings) as books:
        found = await books.ledger.rows(beginning=effect, limit=5) if books and effect else []
    if len(found) > 1:
        listed = ", ".join(f"{row.effect_key[:16]!r} ({row.tool})" for row in found)
        raise BadInput(f"{effect!r} may be any of: {listed}. Give more of the id.")
    if not found:
        raise BadInput(
            f"the ledger has no effect {effect!r}. List those there are with `interlock effects`."
        )
    return found[0]


async def question_of(runs: Runs, row: LedgerRow) -> ApprovalRequest:
    """Return the open question about an UNKNOWN effect.

    Raises:
        BadInput: the effect is not UNKNOWN.
        RunFinished: its run has ended; the message says how to let it ask again.
        DecisionRefused: its run goes on and does not ask.
    """
    if row.state is not LedgerState.UNKNOWN:
        raise BadInput(f"effect {row.effect_key[:12]!r} is {row.state}: {_NOT_OPEN[row.state]}")
    standing = await _standing_of(runs, row)
    if standing.request is not None:
        return standing.request
    if standing.run not in _OPEN:
        raise await _nobody_waits(runs, row, standing.run)
    raise DecisionRefused(
        f"run {row.workflow_id!r} goes on and asks nobody about effect {row.effect_key[:12]!r}: it "
        "is about to call again with the same key or to ask, or its agent was told that the outcome "
        f"is unknown. Look with `interlock show {row.workflow_id}`; nothing else calls this effect.",
        code="UNKNOWN_REQUEST",
        effect_key=row.effect_key,
    )


_NOT_OPEN = {
    LedgerState.CLAIMED: "its call may still happen, or its worker was lost. The next attempt looks "
    "what became of it after its deadline, and asks a person if nobody can tell.",
    LedgerState.DONE: "it happened, and its run has the result. There is nothing to resolve.",
    LedgerState.FAILED: "it did not happen, for certain. There is nothing to resolve.",
    LedgerState.ABORTED: "a person has ended it for good. There is nothing to resolve.",
}


async def _nobody_waits(runs: Runs, row: LedgerRow, status: str) -> RunFinished:
    asked_in = await runs.task_that_asked(row.workflow_id, _request_id(row))
    again = (
        "To let it ask again, reset it to where it asked: `temporal workflow reset --workflow-id "
        f"{row.workflow_id} --event-id {asked_in} --reason 'ask again'`, then resolve the effect."
        if asked_in
        else "It never asked about this effect, so there is nothing to answer."
    )
    return RunFinished(
        f"run {row.workflow_id!r} is {status}, so nobody waits for a word on effect "
        f"{row.effect_key[:12]!r}. It stays UNKNOWN and nobody calls it again: settle it at the other "
        f"side by hand. {again}",
        workflow_id=row.workflow_id,
        effect_key=row.effect_key,
        event_id=asked_in,
    )


def _request_id(row: LedgerRow) -> str:
    """Return the beginning of the id that a question about an effect has."""
    return f"{row.call_id}:{outcome_digest(row.effect_key, row.token)[:12]}"


def _is_about(event: AuditEvent, row: LedgerRow) -> bool:
    if event.kind == "decision":
        return str(event.details.get("request", "")).startswith(f"{row.call_id}:")
    return event.details.get("effect_key") == row.effect_key


async def _with_standing(settings: Settings, rows: list[LedgerRow]) -> list[KnownEffect]:
    is_open = [row.state is LedgerState.UNKNOWN for row in rows]
    if not any(is_open):
        return [KnownEffect(effect=row) for row in rows]
    try:
        runs = await Runs.connect()
    except InterlockError:
        runs = None
    asked = [
        _looked_up(runs, row) if yes else _nothing() for row, yes in zip(rows, is_open, strict=True)
    ]
    standings = await asyncio.gather(*asked)
    return [
        KnownEffect(effect=row, standing=standing)
        for row, standing in zip(rows, standings, strict=True)
    ]


async def _nothing() -> None:
    return None


async def _looked_up(runs: Runs | None, row: LedgerRow) -> Standing:
    if runs is None:
        return Standing(run="not known")
    try:
        return await _standing_of(runs, row)
    except InterlockError:  # a list is of use without it, and `resolve` says what is wrong
        return Standing(run="not known")


async def _standing_of(runs: Runs, row: LedgerRow) -> Standing:
    summary = await runs.summary(row.workflow_id)
    if summary.status not in _OPEN:
        return Standing(run=summary.status)
    for request in await runs.pending(row.workflow_id):
        if request.digest == outcome_digest(row.effect_key, row.token):
            return Standing(run=summary.status, request=request)
    return Standing(run=summary.status)


async def _newest(store: SqlAuditStore, where: EventFilter) -> list[AuditEvent]:
    count = await store.count(where)
    page = {"limit": _INCIDENTS, "offset": max(count - _INCIDENTS, 0)}
    return await store.events(where.model_copy(update=page))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Books | None]:
    """Open the audit database; None where no worker has made one yet."""
    from interlock.app import database_url  # late: it imports all that a worker needs

    if settings.audit.url is None and not (data_folder(settings) / "audit.db").exists():
        yield None
        return
    async with Database(database_url(settings)) as database:
        yield _Books(SqlLedger(database), SqlAuditStore(database))
