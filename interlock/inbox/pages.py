"""The reviewer's pages: the queue, one request, and what becomes of a decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from interlock.approvals.people import Person
from interlock.errors import BadInput, InterlockError
from interlock.inbox import forms
from interlock.inbox.api import LONGEST_BATCH, Cursor, Key
from interlock.inbox.context import EFFECTS, context_of
from interlock.inbox.deciding import Choice, OneOfMany, Refused, Taken, decide_all
from interlock.inbox.graph import Picture, draw
from interlock.inbox.identity import Changer, Reader
from interlock.inbox.past import past_of
from interlock.inbox.problems import code_of
from interlock.inbox.rendering import render
from interlock.inbox.requests import deciding_as, key_of
from interlock.inbox.revealing import note_request
from interlock.inbox.services import Here, Inbox
from interlock.runs.asked import RequestFilter
from interlock.runs.contract import OpenRequest
from interlock.runs.histories import read_run

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_ON_A_PAGE = 40

SAID = {
    "approve": "Approved. The run goes on.",
    "vote": "Your approval counts. Others have to approve too.",
    "edit": "Approved with your changes. The run goes on, or asks others about them.",
    "reject": "Rejected. The agent was told.",
    "respond": "Answered. The run goes on.",
    "happened": "Recorded: it happened.",
    "did_not_happen": "Recorded: it did not happen. It is called now.",
    "abort": "Recorded: it is not tried again.",
}


def _page_filter(request: Request) -> RequestFilter:
    """Return the filter of the queue; a form sends fields that are empty too."""
    given = {name: value for name, value in request.query_params.items() if value}
    known = {name: given[name] for name in RequestFilter.model_fields if name in given}
    try:
        return RequestFilter.model_validate(known)
    except ValueError as error:
        raise BadInput("this filter is not one that the page offers.") from error


PageFilter = Annotated[RequestFilter, Depends(_page_filter)]


@router.get("/")
async def queue(
    request: Request,
    inbox: Here,
    person: Reader,
    where: PageFilter,
    cursor: Cursor = "",
    said: Annotated[str, Query(max_length=40)] = "",
    part: bool = False,
) -> Response:
    """Show the requests that wait, the one that expires first first."""
    every = await inbox.requests.seen_by(person, RequestFilter())
    page = await inbox.requests.page(person, where, _ON_A_PAGE, cursor)
    return render(
        request,
        "queue_part.html" if part else "queue.html",
        person=person,
        form_token=inbox.sessions.form_token(request),
        active="queue",
        page=page,
        where=where,
        offered=_offered(every),
        filtered=where != RequestFilter(),
        said=SAID.get(said, ""),
        query={name: value for name, value in where.model_dump(mode="json").items() if value},
    )


@router.get("/requests/{key}")
async def one(request: Request, inbox: Here, person: Reader, key: Key) -> Response:
    """Show one request with all that is known, and the forms to decide on it."""
    return await _request_page(request, inbox, person, key)


@router.post("/requests/{key}/reveal")
async def reveal(request: Request, inbox: Here, person: Changer, key: Key) -> Response:
    """Show one request with what is personal; it is recorded who saw it."""
    await note_request(inbox.audit, person, await inbox.requests.one(person, key))
    return await _request_page(request, inbox, person, key, revealed=True)


@router.post("/requests/{key}")
async def decide(request: Request, inbox: Here, person: Changer, key: Key) -> Response:
    """Take a decision from the page, and go on with the next request."""
    form = dict(await request.form())
    try:
        choice = await _choice(inbox, person, key, form)
        taken = await inbox.decider.decide(person, key, choice)
    except InterlockError as error:
        return await _refused(request, inbox, person, key, error, form)
    said = "vote" if taken.missing else choice.verb
    return RedirectResponse(f"{await _next(inbox, person, key)}?said={said}", 303)


@router.post("/decisions")
async def decide_many(request: Request, inbox: Here, person: Changer) -> Response:
    """Take one decision on each request that was selected, with the digest of each."""
    form = await request.form()
    chosen = [str(item).partition(" ") for item in form.getlist("chosen")]
    if not chosen or len(chosen) > LONGEST_BATCH:
        raise BadInput(f"select requests first, {LONGEST_BATCH} at most.")
    fields = {"verb": form.get("verb"), "comment": str(form.get("comment", ""))}
    choices = [_valid(OneOfMany, {"key": k, "digest": d, **fields}) for k, _, d in chosen]
    seen = {key_of(item): item for item in await inbox.requests.seen_by(person, RequestFilter())}
    answers = await decide_all(inbox.decider, person, choices)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    if not refused:
        missing = any(isinstance(answer, Taken) and answer.missing for answer in answers)
        return RedirectResponse(f"/?said={'vote' if missing else choices[0].verb}", 303)
    return render(
        request,
        "batch.html",
        409,
        person=person,
        form_token=inbox.sessions.form_token(request),
        taken=len(answers) - len(refused),
        refused=refused,
        asked={answer.key: seen.get(answer.key) for answer in refused},
    )


async def _request_page(
    request: Request,
    inbox: Inbox,
    person: Person,
    key: str,
    problem: InterlockError | None = None,
    sent: Mapping[str, Any] | None = None,
    *,
    revealed: bool = False,
) -> Response:
    item = await inbox.requests.one(person, key)
    asked, tool = item.request, inbox.runtime.tools.get(item.request.tool)
    standing, refusal = deciding_as(person, asked)
    steps, _ = await read_run(inbox.runs, item.workflow_id)
    view, context = inbox.requests.view(person, item, revealed=True), context_of(asked, steps)
    fields = forms.fields(tool.contract.parameters if tool else {}, asked.arguments)
    masks = (inbox.requests.view(person, item), context.covered())
    is_masked = not revealed and masks != (view, context)
    if is_masked:
        view, context = masks
    shown = [
        field for field in fields if revealed or field.name in (sent or {}) or forms.is_plain(field)
    ]
    return render(
        request,
        "request.html",
        409 if problem else 200,
        person=person,
        form_token=inbox.sessions.form_token(request),
        active="queue",
        revealed=revealed,
        is_masked=is_masked,
        view=view,
        tier=asked.at_hand(datetime.now(UTC)),
        later=asked.tiers[asked.at(datetime.now(UTC)) + 1 :],
        standing=standing,
        refusal=refusal,
        description=tool.contract.description if tool else "",
        effect=EFFECTS.get(str(tool.contract.effect), "") if tool else "",
        context=context,
        past=await past_of(asked, inbox.audit),
        fields=forms.filled(shown, sent or {}),
        not_shown=[field.label for field in fields if field not in shown],
        sent=sent or {},
        picture=await picture_of(inbox, item.workflow_id),
        problem=problem,
        code=code_of(problem) if problem else "",
        said=SAID.get(request.query_params.get("said", ""), ""),
    )


async def picture_of(inbox: Inbox, workflow_id: str) -> Picture | None:
    """Return the graph of a run with its node lit, if its worker answers."""
    try:
        return draw(str(await inbox.runs.query(workflow_id, "graph")))
    except InterlockError:
        return None


async def _choice(inbox: Inbox, person: Person, key: str, form: dict[str, Any]) -> Choice:
    verb, made = str(form.get("verb", "")), {"digest": form.get("digest"), "verb": form.get("verb")}
    made["comment"] = form.get("comment", "")
    if verb == "edit":
        asked = (await inbox.requests.one(person, key)).request
        tool = inbox.runtime.tools.get(asked.tool)
        schema = tool.contract.parameters if tool else {}
        made["arguments"] = forms.read(schema, asked.arguments, form)
        if made["arguments"] == asked.arguments:
            raise BadInput("this edit changes nothing. Change an argument, or approve.")
    elif verb == "respond":
        if not str(form.get("answer", "")).strip():
            raise BadInput("write an answer: the agent is given it in the place of a result.")
        made["result"] = await _answer(inbox, person, key, str(form["answer"]))
    elif verb == "happened" and form.get("result"):
        made["result"] = _json(str(form["result"]))
    choice: Choice = _valid(Choice, made)
    return choice


async def _answer(inbox: Inbox, person: Person, key: str, text: str) -> Any:
    tool = inbox.runtime.tools.get((await inbox.requests.one(person, key)).request.tool)
    return forms.answer(tool.contract.result, text) if tool else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the result is no JSON: {error}. Text needs quotes.") from error


def _valid(kind: Any, data: dict[str, Any]) -> Any:
    try:
        return kind.model_validate(data)
    except ValueError as error:
        raise BadInput("this form is not one of the page's. Load the page again.") from error


async def _refused(
    request: Request,
    inbox: Inbox,
    person: Person,
    key: str,
    error: InterlockError,
    sent: Mapping[str, Any],
) -> Response:
    """Show why a decision does not count: on the request's page, as it was sent, while it waits."""
    try:
        return await _request_page(request, inbox, person, key, error, sent)
    except InterlockError:
        raise error from None


async def _next(inbox: Inbox, person: Person, key: str) -> str:
    """Return where to go after a decision: the next request that the person may decide."""
    left = await inbox.requests.seen_by(person, RequestFilter(mine=True))
    keys = [key_of(item) for item in left]
    rest = [item for item in keys if item != key]
    return f"/requests/{rest[0]}" if rest else "/"


def _offered(items: list[OpenRequest]) -> dict[str, list[str]]:
    """Return what the filters offer: what there is."""
    return {
        "tenant": sorted({item.request.tenant for item in items}),
        "agent": sorted({item.request.agent for item in items}),
        "tool": sorted({item.request.tool for item in items if item.request.tool}),
        "risk": ["high", "medium", "low"],
    }
