"""The effect ledger in the database: who may make an effect, and what became of it.

Every change is one transaction that locks the row, compares and sets, so that of any number of
concurrent attempts exactly one gets its way. Locks are taken in one order (the effect, the
decision, then audit events), so no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from interlock.audit.contract import AuditEvent, Claim, ClaimResult, LedgerRow, LedgerState
from interlock.audit.database import Database
from interlock.audit.store import event_rows, new_events
from interlock.audit.tables import CONSUMED, EFFECTS
from interlock.canonical import jsonable
from interlock.errors import DeveloperError, LedgerConflict

_Values = dict[str, Any]
"""A row of the ledger, by column."""

_EFFECT = EFFECTS.c
_FIND = select(EFFECTS).where(_EFFECT.effect_key == bindparam("key"))
# FOR UPDATE holds the row on Postgres; on SQLite a writer holds the whole file already.
_LOCK = _FIND.with_for_update()
_CHANGE = update(EFFECTS).where(_EFFECT.effect_key == bindparam("key"))
_CONSUMED_BY = select(CONSUMED.c.effect_key).where(
    CONSUMED.c.lineage == bindparam("of_lineage"), CONSUMED.c.request_id == bindparam("request")
)

_OPEN = (LedgerState.CLAIMED, LedgerState.UNKNOWN)
_SETTLED = (LedgerState.DONE, LedgerState.FAILED, LedgerState.UNKNOWN)
_RESOLVED = (LedgerState.DONE, LedgerState.ABORTED)


class SqlLedger:
    """The `Ledger` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._new, self._new_decision = (
            database.insert_new(table).execution_options(preserve_rowcount=True)
            for table in (EFFECTS, CONSUMED)
        )
        self._new_events = new_events(database)

    async def claim(self, claim: Claim, *, events: Sequence[AuditEvent] = ()) -> ClaimResult:
        """Insert the key as CLAIMED with token 1, or take over a FAILED row with the next token.

        Winning consumes the decision of `request_id` in the same transaction. The same effect may
        consume it again; a claim that does not win consumes nothing. `events` are recorded too.

        Raises:
            LedgerConflict: the decision was consumed by another effect (details: `held_by`).
        """
        told = event_rows(events)

        def work(connection: Connection) -> ClaimResult:
            row = _new_row(claim)
            won = connection.execute(self._new, row).rowcount == 1
            if not won:
                row = _locked(connection, claim.effect_key)
                won = row["state"] == LedgerState.FAILED
                if won:
                    row = _hand_over(
                        connection,
                        row,
                        claim.deadline,
                        call_id=claim.call_id,
                        request_id=claim.request_id,
                    )
            if claim.request_id is not None:
                self._check_decision(connection, claim, claim.request_id, consume=won)
            self._record(connection, told)
            return ClaimResult(won=won, row=_public(row))

        return await self._database.write(work)

    async def take_over(self, effect_key: str, token: int, deadline: datetime) -> ClaimResult:
        """Make a CLAIMED or UNKNOWN row this attempt's own, if it still has `token`.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """

        def work(connection: Connection) -> ClaimResult:
            row = _locked(connection, effect_key)
            won = row["token"] == token and row["state"] in _OPEN
            if won:
                row = _hand_over(connection, row, deadline)
            return ClaimResult(won=won, row=_public(row))

        return await self._database.write(work)

    async def note(self, effect_key: str, token: int, why: str) -> bool:
        """Keep why the holder's call ended without an answer; the row stays CLAIMED.

        Changes nothing unless the row is CLAIMED under `token`; says whether it is.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """

        def work(connection: Connection) -> bool:
            row = _locked(connection, effect_key)
            is_held = bool(row["token"] == token and row["state"] == LedgerState.CLAIMED)
            if is_held:
                _change(connection, row, error=why)
            return is_held

        return await self._database.write(work)

    async def settle(
        self,
        effect_key: str,
        token: int,
        state: LedgerState,
        *,
        result: Any = None,
        error: str = "",
        events: Sequence[AuditEvent] = (),
    ) -> bool:
        """Write DONE, FAILED or UNKNOWN if the row still has `token`; say whether it has.

        DONE and FAILED are final. Saying the same again is no error, for an attempt that does not
        know whether it was heard. `events` are recorded if the row is as was said.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        _expect(state, _SETTLED)
        told = event_rows(events)

        def work(connection: Connection) -> bool:
            row = _locked(connection, effect_key)
            if row["token"] != token:
                return False
            if row["state"] in _OPEN:
                row = _settle(connection, row, state, result, error)
            if row["state"] != state:
                return False
            self._record(connection, told)
            return True

        return await self._database.write(work)

    async def resolve(
        self, effect_key: str, state: LedgerState, *, result: Any = None, error: str = ""
    ) -> bool:
        """Write a person's word (DONE or ABORTED) on an UNKNOWN row; say whether it was UNKNOWN.

        Raises the token, so a late attempt settles nothing.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        _expect(state, _RESOLVED)

        def work(connection: Connection) -> bool:
            row = _locked(connection, effect_key)
            if row["state"] != LedgerState.UNKNOWN:
                return False
            _settle(connection, row, state, result, error, token=row["token"] + 1)
            return True

        return await self._database.write(work)

    async def find(self, effect_key: str) -> LedgerRow | None:
        """Return the row of a key."""

        def work(connection: Connection) -> LedgerRow | None:
            row = connection.execute(_FIND, {"key": effect_key}).one_or_none()
            return None if row is None else _public(dict(row._mapping))

        return await self._database.read(work)

    async def rows(
        self,
        *,
        workflow_id: str | None = None,
        state: LedgerState | None = None,
        beginning: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[LedgerRow]:
        """Return rows whose key has this beginning, oldest claim first."""
        query = select(EFFECTS).order_by(_EFFECT.claimed_at, _EFFECT.effect_key)
        query = query.limit(limit).offset(offset)
        if beginning:
            query = query.where(_EFFECT.effect_key.startswith(beginning, autoescape=True))
        if workflow_id is not None:
            query = query.where(_EFFECT.workflow_id == workflow_id)
        if state is not None:
            query = query.where(_EFFECT.state == state)

        def work(connection: Connection) -> list[LedgerRow]:
            return [_public(dict(row._mapping)) for row in connection.execute(query)]

        return await self._database.read(work)

    def _record(self, connection: Connection, rows: list[_Values]) -> None:
        if rows:
            connection.execute(self._new_events, rows)

    def _check_decision(
        self, connection: Connection, claim: Claim, request_id: str, *, consume: bool
    ) -> None:
        lineage = claim.context.lineage
        if consume:
            decision = {
                "lineage": lineage,
                "request_id": request_id,
                "effect_key": claim.effect_key,
                "consumed_at": datetime.now(UTC),
            }
            if connection.execute(self._new_decision, decision).rowcount == 1:
                return
        asked = {"of_lineage": lineage, "request": request_id}
        held_by = connection.execute(_CONSUMED_BY, asked).scalar_one_or_none()
        if held_by not in (None, claim.effect_key):
            raise LedgerConflict(
                f"The decision on request {request_id!r} was used for another effect of this run; "
                "a decision counts once. Ask again for this call.",
                request_id=request_id,
                held_by=held_by,
            )


def _new_row(claim: Claim) -> _Values:
    return {
        **claim.context.model_dump(),
        **claim.model_dump(exclude={"context", "arguments"}),
        "arguments": jsonable(claim.arguments),
        "state": LedgerState.CLAIMED,
        "token": 1,
        "error": "",
        "claimed_at": datetime.now(UTC),
    }


def _locked(connection: Connection, effect_key: str) -> _Values:
    row = connection.execute(_LOCK, {"key": effect_key}).one_or_none()
    if row is None:
        raise LedgerConflict(
            f"The ledger has no effect {effect_key!r}: claim it first.", effect_key=effect_key
        )
    return dict(row._mapping)


def _hand_over(connection: Connection, row: _Values, deadline: datetime, **more: Any) -> _Values:
    return _change(
        connection,
        row,
        state=LedgerState.CLAIMED,
        token=row["token"] + 1,
        deadline=deadline,
        claimed_at=datetime.now(UTC),
        settled_at=None,
        result=None,
        error="",
        **more,
    )


def _settle(
    connection: Connection,
    row: _Values,
    state: LedgerState,
    result: Any,
    error: str,
    **more: Any,
) -> _Values:
    return _change(
        connection,
        row,
        state=state,
        result=jsonable(result),
        error=error,
        settled_at=datetime.now(UTC),
        **more,
    )


def _change(connection: Connection, row: _Values, **changes: Any) -> _Values:
    connection.execute(_CHANGE, {"key": row["effect_key"], **changes})
    return row | changes


def _expect(state: LedgerState, allowed: tuple[LedgerState, ...]) -> None:
    if state not in allowed:
        raise DeveloperError(f"{state!r} ends no effect here. Allowed: {', '.join(allowed)}.")


def _public(row: _Values) -> LedgerRow:
    return LedgerRow.model_validate({**row, "context": row})
