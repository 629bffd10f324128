"""The effect ledger in the database: who may make an effect, and what became of it.

Every change is one transaction that locks the row, compares and sets, so that of any number of
concurrent attempts exactly one gets its way. Locks are taken in one order (the effect, then the
decision), so no two transactions wait for each other.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from interlock.audit.contract import Claim, ClaimResult, LedgerRow, LedgerState
from interlock.audit.database import Database
from interlock.audit.tables import ConsumedDecisionRow, EffectRow
from interlock.canonical import jsonable
from interlock.errors import DeveloperError, LedgerConflict

_OPEN = (LedgerState.CLAIMED, LedgerState.UNKNOWN)
_SETTLED = (LedgerState.DONE, LedgerState.FAILED, LedgerState.UNKNOWN)
_RESOLVED = (LedgerState.DONE, LedgerState.ABORTED)


class SqlLedger:
    """The `Ledger` on SQLite or Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, claim: Claim) -> ClaimResult:
        """Insert the key as CLAIMED with token 1, or take over a FAILED row with the next token.

        Winning consumes the decision of `request_id` in the same transaction. The same effect may
        consume it again; a claim that does not win consumes nothing.

        Raises:
            LedgerConflict: the decision was consumed by another effect (details: `held_by`).
        """

        async def work(session: AsyncSession) -> ClaimResult:
            row = await self._insert(session, claim)
            won = row is not None
            if row is None:
                row = await _locked(session, claim.effect_key)
                won = row.state == LedgerState.FAILED
                if won:
                    _hand_over(row, claim.deadline)
                    row.call_id, row.request_id = claim.call_id, claim.request_id
            if claim.request_id is not None:
                await self._check_decision(session, claim, claim.request_id, consume=won)
            return ClaimResult(won=won, row=_public(row))

        return await self._database.write(work)

    async def take_over(self, effect_key: str, token: int, deadline: datetime) -> ClaimResult:
        """Make a CLAIMED or UNKNOWN row this attempt's own, if it still has `token`.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """

        async def work(session: AsyncSession) -> ClaimResult:
            row = await _locked(session, effect_key)
            won = row.token == token and row.state in _OPEN
            if won:
                _hand_over(row, deadline)
            return ClaimResult(won=won, row=_public(row))

        return await self._database.write(work)

    async def note(self, effect_key: str, token: int, why: str) -> bool:
        """Keep why the holder's call ended without an answer; the row stays CLAIMED.

        Changes nothing unless the row is CLAIMED under `token`; says whether it is.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """

        async def work(session: AsyncSession) -> bool:
            row = await _locked(session, effect_key)
            is_held = row.token == token and row.state == LedgerState.CLAIMED
            if is_held:
                row.error = why
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
    ) -> bool:
        """Write DONE, FAILED or UNKNOWN if the row still has `token`; say whether it has.

        DONE and FAILED are final. Saying the same again is no error, for an attempt that does not
        know whether it was heard.

        Raises:
            LedgerConflict: the ledger has no such effect.
        """
        _expect(state, _SETTLED)

        async def work(session: AsyncSession) -> bool:
            row = await _locked(session, effect_key)
            if row.token != token:
                return False
            if row.state in _OPEN:
                _settle(row, state, result, error)
            return row.state == state

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

        async def work(session: AsyncSession) -> bool:
            row = await _locked(session, effect_key)
            if row.state != LedgerState.UNKNOWN:
                return False
            row.token += 1
            _settle(row, state, result, error)
            return True

        return await self._database.write(work)

    async def find(self, effect_key: str) -> LedgerRow | None:
        """Return the row of a key."""

        async def work(session: AsyncSession) -> LedgerRow | None:
            row = await session.get(EffectRow, effect_key)
            return None if row is None else _public(row)

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
        query = select(EffectRow).order_by(col(EffectRow.claimed_at), col(EffectRow.effect_key))
        if beginning:
            query = query.where(col(EffectRow.effect_key).startswith(beginning, autoescape=True))
        if workflow_id is not None:
            query = query.where(col(EffectRow.workflow_id) == workflow_id)
        if state is not None:
            query = query.where(col(EffectRow.state) == state)

        async def work(session: AsyncSession) -> list[LedgerRow]:
            return [_public(row) for row in await session.exec(query.limit(limit).offset(offset))]

        return await self._database.read(work)

    async def _insert(self, session: AsyncSession, claim: Claim) -> EffectRow | None:
        values = {
            **claim.context.model_dump(),
            **claim.model_dump(exclude={"context", "arguments"}),
            "arguments": jsonable(claim.arguments),
            "state": LedgerState.CLAIMED,
            "token": 1,
            "error": "",
            "claimed_at": datetime.now(UTC),
        }
        new = self._database.insert_new(EffectRow).values(values).returning(EffectRow)
        return (await session.exec(new)).scalars().one_or_none()

    async def _check_decision(
        self, session: AsyncSession, claim: Claim, request_id: str, *, consume: bool
    ) -> None:
        lineage = claim.context.lineage
        if consume:
            new = self._database.insert_new(ConsumedDecisionRow).values(
                lineage=lineage,
                request_id=request_id,
                effect_key=claim.effect_key,
                consumed_at=datetime.now(UTC),
            )
            if (await session.exec(new.returning(col(ConsumedDecisionRow.effect_key)))).first():
                return
        held = await session.get(ConsumedDecisionRow, (lineage, request_id))
        if held is not None and held.effect_key != claim.effect_key:
            raise LedgerConflict(
                f"The decision on request {request_id!r} was used for another effect of this run; "
                "a decision counts once. Ask again for this call.",
                request_id=request_id,
                held_by=held.effect_key,
            )


async def _locked(session: AsyncSession, effect_key: str) -> EffectRow:
    # FOR UPDATE holds the row on Postgres; on SQLite a writer holds the whole file already.
    query = select(EffectRow).where(col(EffectRow.effect_key) == effect_key).with_for_update()
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise LedgerConflict(
            f"The ledger has no effect {effect_key!r}: claim it first.", effect_key=effect_key
        )
    return row


def _hand_over(row: EffectRow, deadline: datetime) -> None:
    row.state = LedgerState.CLAIMED
    row.token += 1
    row.deadline = deadline
    row.claimed_at = datetime.now(UTC)
    row.settled_at = None
    row.result = None
    row.error = ""


def _settle(row: EffectRow, state: LedgerState, result: Any, error: str) -> None:
    row.state = state
    row.result = jsonable(result)
    row.error = error
    row.settled_at = datetime.now(UTC)


def _expect(state: LedgerState, allowed: tuple[LedgerState, ...]) -> None:
    if state not in allowed:
        raise DeveloperError(f"{state!r} ends no effect here. Allowed: {', '.join(allowed)}.")


def _public(row: EffectRow) -> LedgerRow:
    return LedgerRow.model_validate(row, from_attributes=True)
