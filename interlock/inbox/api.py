"""The JSON API: requests for a decision."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from langchain.agents.middleware.human_in_the_loop import HITLRequest, HITLResponse
from pydantic import BaseModel, Field
from starlette.requests import Request

from interlock.errors import BadInput
from interlock.inbox import hitl
from interlock.inbox.deciding import Choice, OneOfMany, Refused, Taken, decide_all
from interlock.inbox.identity import Caller
from interlock.inbox.problems import documented
from interlock.inbox.requests import LONGEST_PAGE, RequestPage, RequestView
from interlock.inbox.revealing import note_request
from interlock.inbox.services import Here
from interlock.runs.asked import RequestFilter
from interlock.tools.contract import Risk

PREFIX = "/api/v1"
LONGEST_BATCH = 100


async def only_described(request: Request, person: Caller) -> None:
    """Let a query go on that has nothing but what the operation is described with.

    A misspelt filter would filter nothing, and its answer would look like one.

    Raises:
        BadInput: it has a parameter that the operation does not know.
    """
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]
    described = operation[request.method.lower()].get("parameters", [])
    known = sorted(found["name"] for found in described if found["in"] == "query")
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        names = f"It knows {', '.join(known)}." if known else "It takes none."
        raise BadInput(f"this operation has no parameter {unknown[0][:100]!r}. {names}")


Described = Depends(only_described)
router = APIRouter(
    prefix=PREFIX, tags=["requests"], responses=documented(), dependencies=[Described]
)

Key = Annotated[str, Path(min_length=1, max_length=4000, pattern=r"^[A-Za-z0-9_-]+$")]
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE)]
Cursor = Annotated[str, Query(max_length=4000, description="The `next` of an earlier page.")]
Sending = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Sent again with the same content, it is done once.",
    ),
]
Name = Annotated[str, Query(max_length=200)]
Amount = Annotated[
    Decimal, Query(ge=0, description="Only calls about this amount or more, as their tools count.")
]


def request_filter(
    tenant: Name = "",
    risk: Risk | None = None,
    tool: Name = "",
    agent: Name = "",
    at_least: Amount | None = None,
    mine: bool = False,
) -> RequestFilter:
    """Return the conditions of a query string."""
    return RequestFilter(
        tenant=tenant, risk=risk, tool=tool, agent=agent, at_least=at_least, mine=mine
    )


Where = Annotated[RequestFilter, Depends(request_filter)]


class Me(BaseModel):
    """Who calls."""

    subject: str
    name: str
    roles: tuple[str, ...]
    tenants: tuple[str, ...]


class Batch(BaseModel):
    """Decisions on several requests, each with the digest of its own."""

    decisions: list[OneOfMany] = Field(min_length=1, max_length=LONGEST_BATCH)


class BatchAnswer(BaseModel):
    """What became of each, in the same order."""

    answers: list[Taken | Refused]


@router.get("/me", tags=["people"])
async def me(person: Caller) -> Me:
    """Return who calls, with its roles and tenants."""
    return Me.model_validate(person.model_dump())


@router.get("/requests")
async def list_requests(
    inbox: Here, person: Caller, where: Where, limit: Limit = 50, cursor: Cursor = ""
) -> RequestPage:
    """List the requests that wait for a decision, the one that expires first first."""
    return await inbox.requests.page(person, where, limit, cursor)


@router.get("/requests/{key}", responses=documented(404))
async def read_request(inbox: Here, person: Caller, key: Key) -> RequestView:
    """Return one open request, as its run has it now. What is personal is masked."""
    return inbox.requests.view(person, await inbox.requests.one(person, key))


@router.post("/requests/{key}/reveal", responses=documented(404))
async def reveal_request(inbox: Here, person: Caller, key: Key) -> RequestView:
    """Return one open request with what is personal. It is recorded who saw it."""
    item = await inbox.requests.one(person, key)
    await note_request(inbox.audit, person, item)
    return inbox.requests.view(person, item, revealed=True)


@router.post("/requests/{key}/decision", responses=documented(404, 409))
async def decide(
    inbox: Here, person: Caller, key: Key, choice: Choice, sending: Sending = ""
) -> Taken:
    """Decide on a request. What does not count is refused with a code and changes nothing."""
    return await inbox.decider.decide(person, key, choice, sending)


@router.post("/decisions", responses=documented(404, 409))
async def decide_many(
    inbox: Here, person: Caller, batch: Batch, sending: Sending = ""
) -> BatchAnswer:
    """Decide on several requests. One that is refused keeps no other back."""
    answers = await decide_all(inbox.decider, person, batch.decisions, sending)
    return BatchAnswer(answers=answers)


@router.get("/requests/{key}/hitl", tags=["langchain"], responses=documented(404))
async def read_hitl(inbox: Here, person: Caller, key: Key, response: Response) -> HITLRequest:
    """Return a request in LangChain's schema; its digest is the ETag."""
    item = await inbox.requests.one(person, key)
    response.headers["ETag"] = f'"{item.request.digest}"'
    return hitl.request_of(inbox.requests.view(person, item), inbox.runtime)


@router.post("/requests/{key}/hitl", tags=["langchain"], responses=documented(404, 409))
async def decide_hitl(
    inbox: Here,
    person: Caller,
    key: Key,
    sent: HITLResponse,
    seen: Annotated[
        str,
        Header(
            alias="If-Match",
            max_length=200,
            description="The ETag of the request as it was read: what the decision is bound to.",
        ),
    ] = "",
    sending: Sending = "",
) -> Taken:
    """Decide in LangChain's schema."""
    digest = seen.strip().strip('"')
    if not digest:
        raise BadInput("send 'If-Match' with the ETag of the request as you read it.")
    item = await inbox.requests.one(person, key)
    choice = hitl.choice_of(sent, item.request, digest)
    return await inbox.decider.decide(person, key, choice, sending)
