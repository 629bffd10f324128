"""The HTTP side: POST /refunds, GET /refunds, GET /health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.payment_service.store import (
    RefundRequest,
    RefundStore,
    StoredRefund,
    TooLate,
    open_store,
)

_POLL_SECONDS = 0.02


class Hold:
    """Stops a refund at a point while a file of that name is in the folder: for crash tests."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def at(self, point: Literal["before-commit", "after-commit"]) -> None:
        """Write `<point>.reached` and wait until the file `point` is gone; else go on at once."""
        if self._folder is None or not (gate := self._folder / point).exists():
            return
        (self._folder / f"{point}.reached").touch()
        while gate.exists():  # noqa: ASYNC110 - the other side is another process with a file
            await asyncio.sleep(_POLL_SECONDS)


class _State(TypedDict):
    store: RefundStore
    hold: Hold


class _Refunds(BaseModel):
    model_config = ConfigDict(frozen=True)

    refunds: list[StoredRefund]


def create_app(database: Path, hold_dir: Path | None = None) -> Starlette:
    """Return the service over one database file, with test hooks when `hold_dir` is given."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[_State]:
        async with open_store(database) as store:
            yield {"store": store, "hold": Hold(hold_dir)}

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/refunds", make_refund, methods=["POST"]),
            Route("/refunds", list_refunds, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ],
    )


async def make_refund(request: Request) -> Response:
    """Pay money back, or answer 412 when its time is over. The same body twice is two refunds."""
    try:
        wanted = RefundRequest.model_validate_json(await request.body())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return JSONResponse({"error": "not a refund", "problems": problems}, status_code=422)
    hold: Hold = request.state.hold
    store: RefundStore = request.state.store
    await hold.at("before-commit")
    try:
        made = await store.add(wanted)
    except TooLate:
        return JSONResponse({"error": "too late"}, status_code=412)
    await hold.at("after-commit")
    return _json(made, status_code=201)


async def list_refunds(request: Request) -> Response:
    """List refunds, by `reference` or `order_id` when given."""
    store: RefundStore = request.state.store
    query = request.query_params
    found = await store.find(reference=query.get("reference"), order_id=query.get("order_id"))
    return _json(_Refunds(refunds=found))


async def health(_: Request) -> Response:
    """Answer that the service is up."""
    return JSONResponse({"status": "ok"})


def _json(model: BaseModel, status_code: int = 200) -> Response:
    return Response(model.model_dump_json(), status_code, media_type="application/json")
