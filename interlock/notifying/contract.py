"""A message about an open request, and what carries it."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import Notice


class Message(BaseModel):
    """What people are told of one request."""

    model_config = ConfigDict(frozen=True)

    notice: Notice
    link: str = ""
    """Its page in the inbox; empty where nobody knows the inbox's address."""
    arguments: dict[str, Any] | None = None
    """Of the call, where the channel is allowed to show them."""


class Channel(Protocol):
    """Carries messages to one place."""

    @property
    def name(self) -> str:
        """Its name: in errors, in the audit, and to remember that it was told."""
        ...

    async def send(self, message: Message, key: str) -> None:
        """Carry one message.

        Args:
            message: The message.
            key: Names this sending: whoever gets the same key twice got the same message twice.

        Raises:
            NotTold: it did not arrive, or nobody knows. It never names a secret.
        """
        ...


class Audience(BaseModel):
    """Which requests a channel is told of; an empty condition does not filter."""

    model_config = ConfigDict(frozen=True)

    tenants: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()

    def fits(self, notice: Notice) -> bool:
        """Whether a notice is for this audience."""
        conditions = (
            (self.tenants, notice.tenant),
            (self.risks, notice.risk),
            (self.tiers, notice.tier.tier),
        )
        return all(not wanted or value in wanted for wanted, value in conditions)
