"""Trials of a refund: the copilot, its tools, a CRM and a payment service of their own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from temporalio.client import Client

from interlock.app import App
from interlock.approvals import ApprovalRequest
from interlock.connection import data_folder
from interlock.settings import Settings
from interlock.testing import CrashScenario, World
from tests.crash.deployments import copied, scripted, settings_in
from tests.crash.points import HOOKS
from tests.crash.support import MESSAGE, ORDER, SCRIPT
from tests.payments import PaymentService, running
from tests.workflow.people import ANN, SIGNED, signed
from tools.service.seed import seed

Variant = Literal["reconciling", "blind", "denying"]
"""Whether the refund tool can look up what became of a lost call, cannot, or gets it wrong."""

_TODAY = date(2026, 3, 2)
_SEEDS = ["memory.intents:SEEDS"]
_filling = asyncio.Lock()


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
    """Where many refunds are tried at once, or one again and again.

    `template` is a project folder before its first run, and `folder` is where copies of it go.
    """

    client: Client
    template: Path
    folder: Path

    @asynccontextmanager
    async def shop(self, *agents: str) -> AsyncIterator[Shop]:
        """Open a shop of its own with agents of `tests.crash.support`."""
        project = copied(self.template, self.folder / uuid.uuid4().hex[:12])
        named = [f"tests.crash.support:{agent}" for agent in agents]
        settings = settings_in(project, self.client, agents=named)
        folder = data_folder(settings)
        async with running(folder / "payments.db", folder / "holds") as service:
            environment = {"SHOP_CRM_URL": crm_in(folder), "SHOP_PAYMENTS_URL": service.url}
            yield Shop(settings, environment, service, folder / "holds")


class Refund(CrashScenario):
    """A customer asks for a refund, and a person approves it."""

    agent = "support"
    input = MESSAGE
    project = Path(__file__).parent
    script = SCRIPT
    expects = ("89.00 EUR for A-1042",)
    points = HOOKS

    def __init__(
        self,
        variant: Variant,
        *,
        signed: bool = False,
        chroma_server: bool = False,
        at_once: int = 5,
    ) -> None:
        """Host a variant of the copilot, with memory in a folder or on a server.

        With `signed`, only signed decisions count, and the person's are.
        """
        self.settings = {"agents": [f"tests.crash.support:{variant}"], "seeds": _SEEDS}
        if signed:
            self.settings["approvals"] = SIGNED
        self.signed = signed
        self.chroma_server = chroma_server
        self.at_once = at_once

    async def prepare(self, settings: Settings) -> None:
        """Fill the CRM and the memory."""
        await fill(settings)

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[World]:
        """Run the payment service."""
        async with running(folder / "payments.db", folder / "holds") as service:
            environment = {"SHOP_CRM_URL": crm_in(folder), "SHOP_PAYMENTS_URL": service.url}

            async def effects() -> list[str]:
                made = await service.refunds()
                return [
                    f"{item['amount']} {item['currency']} for {item['order_id']}" for item in made
                ]

            yield RefundWorld(environment, effects, service=service)

    async def decide(self, request: Mapping[str, Any], world: World) -> dict[str, Any]:
        """Approve actions; of an unknown outcome, say what the payment service says."""
        said = await self._say(request, world)
        if not self.signed:
            return said
        return signed(ApprovalRequest.model_validate(request), ANN, **said)

    async def _say(self, request: Mapping[str, Any], world: World) -> dict[str, Any]:
        if request["kind"] == "action":
            return {"verb": "approve"}
        assert isinstance(world, RefundWorld)
        made = await world.service.refunds(order_id=ORDER)
        if not made:
            return {"verb": "did_not_happen"}
        told = {key: made[0][key] for key in ("order_id", "amount", "currency")}
        return {"verb": "happened", "result": {"refund_id": made[0]["id"], **told}}


@dataclass(frozen=True)
class RefundWorld(World):
    """A world with a payment service in it."""

    service: PaymentService = field(kw_only=True)


def crm_in(folder: Path) -> str:
    """Return the URL of the CRM in a folder."""
    return f"sqlite+aiosqlite:///{folder / 'crm.db'}"


async def fill(settings: Settings) -> None:
    """Put a CRM, a filled memory and the folder of the payment service's hooks into a data folder."""
    folder = data_folder(settings)
    (folder / "holds").mkdir(parents=True)
    # The CRM's address is in the environment of the process, so shops are filled one at a time.
    async with _filling:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHOP_CRM_URL", crm_in(folder))
            await seed(_TODAY)
    async with App(settings) as app:
        await app.seed("default")


async def make_template(project: Path, client: Client) -> None:
    """Make a project folder before its first run."""
    scripted(project, SCRIPT)
    await fill(settings_in(project, client, seeds=_SEEDS))
