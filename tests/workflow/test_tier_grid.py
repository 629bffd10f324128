"""Every combination of tiers, quorum, deadline, default and reminders, by the server's clock.

What has to happen when is worked out here from the numbers of a combination alone.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from interlock.approvals import ApprovalRequest
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.workflow.people import SIGNED, decide, paying, person

Happened = list[tuple[str, int]]
"""What became of a request, and in which second after it was put."""

PEOPLE = [person(f"p{number}", "one", "two", "three") for number in range(3)]
NAMES = ("one", "two", "three")


class Terms(NamedTuple):
    """One combination; spans in seconds."""

    tiers: int
    quorum: int
    deadline: int
    default: str
    reminder: int

    @property
    def rule(self) -> str:
        """What a policy file says of it."""
        number = COMBINATIONS.index(self)
        every = f", remind_every: {self.reminder}s" if self.reminder else ""
        return (
            f"  - {{name: r{number}, tool: pay, when: args.amount == {number}, "
            f"then: {{ask: {{tier: t{number}-1, on_timeout: {self.default}}}}}}}\n"
        ), "".join(
            f"  t{number}-{place}: {{who: {NAMES[place - 1]}, quorum: {self.quorum}, "
            f"deadline: {self.deadline * place}s{every}"
            + (f", escalate_to: t{number}-{place + 1}}}\n" if place < self.tiers else "}\n")
            for place in range(1, self.tiers + 1)
        )
