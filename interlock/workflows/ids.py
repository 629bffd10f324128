"""UUIDs in workflow code: from the workflow's clock and seeded randomness, equal in every replay.

`install` puts a stand-in in the place of each function that draws a UUID. A module that imports the
function afterwards, in whatever form, gets the stand-in; `real_names` finds those that were too early.
Outside workflow code, and in a query or a validator, a stand-in calls the function it stands for.
"""

from __future__ import annotations

import functools
import sys
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import langchain_core.utils.uuid as langchain_ids
import langgraph.checkpoint.base.id as langgraph_ids
import langgraph.pregel._checkpoint as pregel_checkpoint
from temporalio import workflow

_UUID_EPOCH = 0x01B21DD213814000
"""100-nanosecond intervals between 1582-10-15 and 1970-01-01."""

LIBRARIES = ("langchain", "langchain_core", "langgraph")
"""Packages that draw ids for what a node makes, and are imported before the stand-ins are there."""

_last_stamp: ContextVar[list[int]] = ContextVar("interlock_last_stamp")
_real: list[Callable[..., Any]] = []


def install() -> None:
    """Put the stand-ins in place; calling it again changes nothing."""
    if _real:
        return
    for name, draw in _DRAWS.items():
        if hasattr(uuid, name):  # version 6 to 8 came with Python 3.14
            _replace(uuid, name, draw)
    _replace(langchain_ids, "uuid7", _uuid7)
    _replace(langgraph_ids, "uuid6", _langgraph_uuid6)
    vars(pregel_checkpoint)["uuid6"] = langgraph_ids.uuid6
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in LIBRARIES and "uuid4" in real_names(module):
            vars(module)["uuid4"] = uuid.uuid4


def begin() -> None:
    """Begin the stamps of a workflow, in the context that its tasks copy."""
    _last_stamp.set([0])


def real_names(module: ModuleType) -> list[str]:
    """Return the names in a module that hold a function which has a stand-in."""
    return sorted(
        name for name, value in vars(module).items() if any(value is real for real in _real)
    )


def _replace(module: ModuleType, name: str, draw: Callable[..., uuid.UUID]) -> None:
    real = getattr(module, name)

    @functools.wraps(real)
    def stand_in(*args: Any, **kwargs: Any) -> uuid.UUID:
        drawn: uuid.UUID = draw(*args, **kwargs) if _may_draw() else real(*args, **kwargs)
        return drawn

    _real.append(real)
    setattr(module, name, stand_in)


def _may_draw() -> bool:
    """Whether workflow code runs that may use up the workflow's randomness: no query, no validator."""
    return workflow.in_workflow() and not workflow.unsafe.is_read_only()


def _stamp() -> int:
    """Return the workflow's time in 100-nanosecond intervals since 1582, later at each call."""
    last = _last_stamp.get(None)
    if last is None:
        begin()
        last = _last_stamp.get()
    last[0] = max(last[0] + 1, workflow.time_ns() // 100 + _UUID_EPOCH)
    return last[0]


def _bits(count: int, given: int | None = None) -> int:
    drawn = workflow.random().getrandbits(count) if given is None else given
    return drawn & ((1 << count) - 1)


def _uuid(version: int, first: int, second: int, third: int) -> uuid.UUID:
    """Return a UUID of fields of 48, 12 and 62 bits around its version and variant."""
    return uuid.UUID(int=first << 80 | version << 76 | second << 64 | 0b10 << 62 | third)


def _uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    stamp = _stamp()
    first = (stamp & 0xFFFFFFFF) << 16 | (stamp >> 32) & 0xFFFF
    return _uuid(1, first, stamp >> 48 & 0xFFF, _bits(14, clock_seq) << 48 | _bits(48, node))


def _uuid4() -> uuid.UUID:
    return workflow.uuid4()


def _uuid6(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    stamp = _stamp()
    third = _bits(14, clock_seq) << 48 | _bits(48, node)
    return _uuid(6, stamp >> 12 & (1 << 48) - 1, stamp & 0xFFF, third)


def _langgraph_uuid6(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    return langgraph_ids.UUID(int=_uuid6(None, clock_seq).int)


def _uuid7(nanoseconds: int | None = None) -> uuid.UUID:
    ticks = _stamp() - _UUID_EPOCH if nanoseconds is None else nanoseconds // 100
    milliseconds, rest = divmod(ticks, 10_000)
    return _uuid(7, milliseconds & (1 << 48) - 1, rest * 4096 // 10_000, _bits(62))


def _uuid8(a: int | None = None, b: int | None = None, c: int | None = None) -> uuid.UUID:
    return _uuid(8, _bits(48, a), _bits(12, b), _bits(62, c))


_DRAWS: dict[str, Callable[..., uuid.UUID]] = {
    "uuid1": _uuid1,
    "uuid4": _uuid4,
    "uuid6": _uuid6,
    "uuid7": _uuid7,
    "uuid8": _uuid8,
}
"""By the name in Python's `uuid`."""
