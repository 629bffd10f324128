"""Following a history through what a loaded server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NotFoundFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.service import RPCError, RPCStatusCode

from interlock.testing.following import follow_events

VOID = "type.googleapis.com/temporal.server.api.errordetails.v1.CurrentBranchChangedFailure"
"""The server's name for a page token that is void; the API package does not have the message."""


class Handle:
    """A run whose history is read in several goes; each ends with an error, or with the run."""

    def __init__(self, *goes: tuple[list[int], RPCError | None]) -> None:
        self._goes = list(goes)

    async def fetch_history_events(self, *, wait_new_event: bool) -> AsyncIterator[HistoryEvent]:
        """Yield one go."""
        assert wait_new_event
        numbers, error = self._goes.pop(0)
        for number in numbers:
            yield HistoryEvent(event_id=number)
        if error is not None:
            raise error


def error_of(status: RPCStatusCode, detail: Packed) -> RPCError:
    """An error as the server sends it."""
    return RPCError("no", status, GrpcStatus(code=status, details=[detail]).SerializeToString())


async def numbers_of(handle: Any) -> list[int]:
    """Numbers of the events that are followed."""
    return [event.event_id async for event in follow_events(handle)]


async def test_reading_begins_again_when_the_server_takes_a_write_back() -> None:
    """What was void is shown again as it is now, and the run is followed to its end."""
    void = error_of(RPCStatusCode.INVALID_ARGUMENT, Packed(type_url=VOID))
    assert await numbers_of(Handle(([1, 2, 3], void), ([1, 2, 3, 4], None))) == [
        1,
        2,
        3,
        1,
        2,
        3,
        4,
    ]


async def test_other_errors_are_raised() -> None:
    """A run that is not there is an error for whoever follows it."""
    detail = Packed()
    detail.Pack(NotFoundFailure())
    missing = error_of(RPCStatusCode.NOT_FOUND, detail)
    with pytest.raises(RPCError) as raised:
        await numbers_of(Handle(([], missing)))
    assert raised.value is missing
