"""Tells the channels that a notice is for, each once, in the activity that Temporal tries again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from temporalio import activity

from interlock.approvals.contract import Notice
from interlock.errors import InterlockError, NotTold
from interlock.notifying.contract import Audience, Channel, Message
from interlock.workflows.contract import PendingApprovals

_PATIENCE_SECONDS = 20.0
"""How long one channel may take: less than the activity has."""


class Route(NamedTuple):
    """A channel, and what it is told of."""

    channel: Channel
    audience: Audience = Audience()
    shows_arguments: bool = False


class Notifier:
    """The port `Notify`, over the channels of a deployment.

    A channel that was told is remembered in the activity's heartbeat: an attempt that is made because
    another one failed tells it nothing again. After a crash between a sending and its heartbeat it is
    told twice, under the same key.

    Args:
        routes: The channels.
        link: Returns the address of a request's page, from workflow id and request id.
    """

    def __init__(self, routes: Sequence[Route], link: Callable[[str, str], str]) -> None:
        self._routes = tuple(routes)
        self._link = link

    async def __call__(self, notice: Notice) -> None:
        """Tell every channel that a notice is for and that was not told yet.

        Raises:
            NotTold: some channels were not reached; the message says which and why.
        """
        told: list[str] = list(activity.info().heartbeat_details)
        wanted = [
            route
            for route in self._routes
            if route.audience.fits(notice) and route.channel.name not in told
        ]
        failures = await asyncio.gather(*(self._tell(route, notice, told) for route in wanted))
        reasons = [failure for failure in failures if failure]
        if reasons:
            raise NotTold(
                f"{len(reasons)} of {len(wanted)} channels were not told of the request "
                f"{notice.request_id!r}: {' '.join(reasons)} `interlock doctor` looks at them."
            )

    async def _tell(self, route: Route, notice: Notice, told: list[str]) -> str:
        """Tell one channel; return why it was not told, if so."""
        name = route.channel.name
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._send(route, notice)
        except TimeoutError:
            return f"{name!r} did not answer within {_PATIENCE_SECONDS:.0f} s."
        except InterlockError as error:
            return error.message
        except Exception as error:  # noqa: BLE001  one that is broken keeps no other from being told
            return f"{name!r} failed: {type(error).__name__}."
        told.append(name)
        activity.heartbeat(*told)
        return ""

    async def _send(self, route: Route, notice: Notice) -> None:
        arguments = None
        if route.shows_arguments:
            arguments = await _arguments(notice)
            if arguments is None:
                return  # it was decided meanwhile
        link = self._link(notice.workflow_id, notice.request_id)
        message = Message(notice=notice, link=link, arguments=arguments)
        await route.channel.send(message, _key(route.channel.name))


async def _arguments(notice: Notice) -> dict[str, Any] | None:
    """Return the arguments of a request as its run has them, or None when it is not open any more."""
    run_id = activity.info().workflow_run_id
    handle = activity.client().get_workflow_handle(notice.workflow_id, run_id=run_id)
    found = PendingApprovals.model_validate(await handle.query("pending_approvals"))
    return next((item.arguments for item in found.requests if item.id == notice.request_id), None)


def _key(channel: str) -> str:
    """Return a name for this sending that is the same in every attempt."""
    info = activity.info()
    place = f"{info.workflow_run_id}/{info.activity_id}/{channel}"
    return f"msg_{hashlib.sha256(place.encode()).hexdigest()[:32]}"
