"""UUIDs in workflow code are well formed, in order, and equal for equal clocks and seeds."""

from __future__ import annotations

import pickle
import random
import sys
import uuid
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import langchain_core.utils.utils as langchain_content
import langchain_core.utils.uuid as langchain_ids
import langgraph.checkpoint.base.id as langgraph_ids
import langgraph.graph.ui as langgraph_ui
import pytest

from interlock.workflows import ids

ids.install()
uuid6, uuid7 = langgraph_ids.uuid6, langchain_ids.uuid7

NOW = 1_800_000_000_123_456_789
"""Nanoseconds since 1970."""

STAND_INS = [
    *(getattr(uuid, name) for name in ("uuid1", "uuid4", "uuid8") if hasattr(uuid, name)),
    uuid6,
    uuid7,
]


class Clockwork:
    """Stands in for `temporalio.workflow`: a clock that stands still and seeded randomness."""

    def __init__(self, *, inside: bool = True, read_only: bool = False) -> None:
        self._random = random.Random(7)
        self.in_workflow = lambda: inside
        self.unsafe = SimpleNamespace(is_read_only=lambda: read_only)

    def time_ns(self) -> int:
        """The same at each call, as inside one workflow task."""
        return NOW

    def random(self) -> random.Random:
        """The workflow's randomness."""
        return self._random

    def uuid4(self) -> uuid.UUID:
        """As `workflow.uuid4`."""
        return uuid.UUID(int=self._random.getrandbits(128), version=4)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clockwork], None]:
    """Enter a workflow as good as new."""

    def begin(clockwork: Clockwork) -> None:
        monkeypatch.setattr(ids, "workflow", clockwork)
        ids.begin()

    return begin


def draw(function: Callable[[], uuid.UUID]) -> list[uuid.UUID]:
    """Draw a few."""
    return [function() for _ in range(5)]


@pytest.mark.parametrize("function", STAND_INS, ids=lambda function: function.__name__)
def test_ids_are_equal_in_a_replay_and_well_formed(
    enter: Callable[[Clockwork], None], function: Callable[[], uuid.UUID]
) -> None:
    """The same clock and seed give the same ids, all different, of the function's version."""
    drawn = []
    for _ in range(2):
        enter(Clockwork())
        drawn.append(draw(function))
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5
    for found in drawn[0]:
        assert (found.variant, found.version) == (uuid.RFC_4122, int(function.__name__[-1]))


def test_ids_of_a_clock_tell_its_time_in_order(enter: Callable[[Clockwork], None]) -> None:
    """Versions 1, 6 and 7 hold the workflow's time; versions 6 and 7 sort as they were drawn."""
    enter(Clockwork())
    tick = NOW // 100 + 0x01B21DD213814000
    assert [found.time for found in draw(uuid.uuid1)] == list(range(tick, tick + 5))
    sortable = draw(uuid6)
    assert sortable == sorted(sortable)
    assert [found.time for found in sortable] == list(range(tick + 5, tick + 10))
    assert all(found.int >> 80 == NOW // 1_000_000 for found in draw(uuid7))
    later = [ids_of(NOW), ids_of(NOW + 1_000_000)]
    assert later == sorted(later)


def ids_of(nanoseconds: int) -> uuid.UUID:
    """A version 7 id of a time."""
    return uuid7(nanoseconds)


def test_fields_that_are_given_are_used(enter: Callable[[Clockwork], None]) -> None:
    """A node and a clock sequence go into a version 1 id."""
    enter(Clockwork())
    found = uuid.uuid1(node=3, clock_seq=9)
    assert (found.node, found.clock_seq) == (3, 9)


@pytest.mark.parametrize("clockwork", [Clockwork(inside=False), Clockwork(read_only=True)])
@pytest.mark.parametrize("function", STAND_INS, ids=lambda function: function.__name__)
def test_elsewhere_ids_are_random(
    enter: Callable[[Clockwork], None], clockwork: Clockwork, function: Callable[[], uuid.UUID]
) -> None:
    """Outside a workflow and in a query nothing is used up and no two ids are equal."""
    enter(clockwork)
    before = clockwork.random().getstate()
    assert len({*draw(function), *draw(function)}) == 10
    assert clockwork.random().getstate() == before


def test_a_stand_in_passes_for_the_function() -> None:
    """It has the name and the place of what it stands for, and is put in place once."""
    there = uuid.uuid4
    ids.install()
    assert uuid.uuid4 is there
    assert (there.__module__, there.__name__) == ("uuid", "uuid4")
    assert pickle.loads(pickle.dumps(there)) is there


@pytest.mark.parametrize("module", [langchain_content, langgraph_ui], ids=lambda m: m.__name__)
def test_libraries_that_were_imported_before_use_it_too(module: ModuleType) -> None:
    """LangChain's content blocks and LangGraph's interface messages get their ids from it."""
    assert vars(module)["uuid4"] is uuid.uuid4


def test_names_of_the_real_functions_are_found() -> None:
    """In a module that imported one before, under whatever name."""
    module = ModuleType("early")
    vars(module).update(fresh=uuid.uuid4.__wrapped__, fine=uuid.uuid4, other=sys)  # type: ignore[attr-defined]
    assert ids.real_names(module) == ["fresh"]
