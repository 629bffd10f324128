"""Trials of a refund: the copilot, its tools, a CRM and a payment service of their own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from temporalio.client import Client

from interlock.app import App
from interlock.settings import Settings
from tests.crash.points import Point
from tests.crash.support import MESSAGE, ORDER, SCRIPT
from tests.crash.trials import Outcome, Trial, copied, scripted, settings_in
from tests.payments import PaymentService, running
from tools.service.seed import seed

Variant = Literal["reconciling", "blind", "denying"]
"""Whether the refund tool can look up what became of a lost call, cannot, or gets it wrong."""

_TODAY = date(2026, 3, 2)
_SEEDS = ["memory.intents:SEEDS"]


@dataclass(frozen=True)
class Shop:
    """A deployment of the copilot with a CRM and a payment service of its own."""

    settings: Settings
    environment: dict[str, str]
    """What the tools read."""
    service: PaymentService
    holds: Path
    """Folder of the payment service's hooks."""


@dataclass(frozen=True)
class RefundStage:
    """Where refunds are tried.

    `template` is a project folder before its first run, and `folder` is where copies of it go.
    """

    client: Client
    template: Path
    folder: Path

    @asynccontextmanager
    async def shop(self, *agents: str) -> AsyncIterator[Shop]:
        """Open a shop of its own with agents of `tests.crash.support`."""
        project = copied(self.template, self.folder / uuid.uuid4().hex[:12])
        holds = project / "holds"
        named = [f"tests.crash.support:{agent}" for agent in agents]
        async with running(project / "payments.db", holds) as service:
            yield Shop(
                settings=settings_in(project, self.client, agents=named),
                environment={"SHOP_CRM_URL": crm_in(project), "SHOP_PAYMENTS_URL": service.url},
                service=service,
                holds=holds,
            )

    async def run(self, variant: Variant, point: Point | None = None) -> Outcome:
        """Let a customer ask for a refund, with harm done at `point`."""
        async with self.shop(variant) as shop:
            trial = Trial(
                client=self.client,
                settings=shop.settings,
                agent="support",
                message=MESSAGE,
                choose=_approve_or_tell(shop.service),
                environment=shop.environment,
                holds=shop.holds,
            )
            outcome = await trial.run(point)
            made = await shop.service.refunds(order_id=ORDER)
            return outcome.model_copy(update={"refunds": len(made)})


def crm_in(project: Path) -> str:
    """Return the URL of the CRM in a project folder."""
    return f"sqlite+aiosqlite:///{project / 'crm.db'}"


async def make_template(project: Path, client: Client) -> None:
    """Make a project folder with a CRM, a filled memory and a script."""
    scripted(project, SCRIPT)
    (project / "holds").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_CRM_URL", crm_in(project))
        await seed(_TODAY)
    async with App(settings_in(project, client, seeds=_SEEDS)) as app:
        await app.seed("default")


def _approve_or_tell(
    service: PaymentService,
) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
    """Approve actions; of an unknown outcome, say what the payment service says."""

    async def choose(request: dict[str, Any]) -> dict[str, Any]:
        if request["kind"] == "action":
            return {"verb": "approve"}
        made = await service.refunds(order_id=ORDER)
        if not made:
            return {"verb": "did_not_happen"}
        told = {key: made[0][key] for key in ("order_id", "amount", "currency")}
        return {"verb": "happened", "result": {"refund_id": made[0]["id"], **told}}

    return choose
