"""A message about a request, as tests tell it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.approvals.contract import AskedTier, Notice
from interlock.notifying import Message
from interlock.notifying.links import request_link
from interlock.tools.contract import Risk

SECRET = base64.b64encode(b"a secret of thirty-two bytes ok!").decode()
"""Of a webhook."""
LINK = request_link("https://inbox.example", "shopper-1", "c1:9be2")


def message(**changes: Any) -> Message:
    """What is told of a request that two people of a tier have to approve."""
    tier = AskedTier(
        tier="desk",
        quorum=2,
        who=("support", "user:olga"),
        until=datetime.now(UTC) + timedelta(hours=4),
    )
    known: dict[str, Any] = {
        "kind": "requested",
        "workflow_id": "shopper-1",
        "request_id": "c1:9be2",
        "subject": "pay",
        "agent": "shopper",
        "tenant": "north",
        "risk": Risk.HIGH,
        "tier": tier,
        "missing": 2,
    }
    arguments = changes.pop("arguments", None)
    return Message(
        notice=Notice.model_validate({**known, **changes}), link=LINK, arguments=arguments
    )
