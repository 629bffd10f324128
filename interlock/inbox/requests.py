"""Open requests as one person sees them: filtered, in order, page by page."""

from __future__ import annotations

from bisect import bisect_right

from pydantic import BaseModel, ConfigDict

from interlock.approvals.contract import ApprovalRequest
from interlock.approvals.identity import Refusal, is_among
from interlock.approvals.people import Person
from interlock.errors import InterlockError, RequestNotFound, RunNotFound
from interlock.inbox import cursors
from interlock.inbox.board import Board, in_order
from interlock.inbox.masking import masked, masked_text
from interlock.inbox.people import REVIEWING, let_review, standings
from interlock.notifying.links import request_key
from interlock.runs.asked import RequestFilter, refusal_of
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest
from interlock.tools.contract import Span
from interlock.workflows.runtime import Runtime

LONGEST_PAGE = 200

_KEPT = 16
"""People whose lists are kept until the board changes."""


class RequestView(ApprovalRequest):
    """A request as the API shows it."""

    key: str
    """Names the request in addresses; means nothing."""
    workflow_id: str
    effect: str = ""
    """Effect class of its tool: PURE, READ, IDEMPOTENT or EXTERNAL; empty of a question."""
    may_decide: bool
    """Whether the asker may decide it."""


class RequestPage(BaseModel):
    """Some requests, the one that expires first first."""

    model_config = ConfigDict(frozen=True)

    requests: tuple[RequestView, ...]
    total: int
    """How many there are on all pages."""
    next: str
    """Cursor of the page after this one; empty on the last."""
    trouble: str = ""
    """Why the list may be incomplete: for example, no worker answers."""


class Requests:
    """The requests of a deployment for people with roles and tenants."""

    def __init__(self, board: Board, runs: Runs, runtime: Runtime) -> None:
        self._board = board
        self._runs = runs
        self._runtime = runtime
        self._shown: dict[tuple[Person, ...], tuple[int, list[OpenRequest]]] = {}

    async def page(
        self, person: Person, where: RequestFilter, limit: int, cursor: str = ""
    ) -> RequestPage:
        """Return one page of the requests that a person sees.

        Raises:
            NotAllowed: the person has no role for it.
            BadInput: the cursor is not one that an earlier page gave.
        """
        found = await self.seen_by(person, where)
        after = tuple(cursors.decode(cursor, 3, "cursor")) if cursor else ("", "", "")
        rest = found[bisect_right(found, after, key=in_order) :]
        shown = rest[:limit]
        return RequestPage(
            requests=tuple(self.view(person, item) for item in shown),
            total=len(found),
            next=cursors.encode(list(in_order(shown[-1]))) if len(rest) > limit else "",
            trouble=self._board.trouble.message if self._board.trouble else "",
        )

    async def seen_by(self, person: Person, where: RequestFilter) -> list[OpenRequest]:
        """Return the requests that a person sees.

        Raises:
            NotAllowed: the person has no role for it.
        """
        let_review(person)
        found = standings(person)
        shown = await self._shown_to(found)
        if where == RequestFilter():
            return shown
        return [item for item in shown if where.fits(item.request, *found)]

    async def _shown_to(self, found: tuple[Person, ...]) -> list[OpenRequest]:
        """Return all that somebody sees; a page asks more than once, and many lists are long."""
        items = await self._board.items()
        version, known = self._board.version, self._shown.get(found)
        if known is None or known[0] != version:
            shown = [item for item in items if any(_sees(one, item.request) for one in found)]
            known = self._shown[found] = (version, shown)
            while len(self._shown) > _KEPT:
                del self._shown[next(iter(self._shown))]
        return known[1]

    async def one(self, person: Person, key: str) -> OpenRequest:
        """Return an open request as its run has it now.

        Raises:
            NotAllowed: the person has no role for it.
            RequestNotFound: it is not open, or of a tenant that the person does not see.
        """
        let_review(person)
        workflow_id, request_id = named(key)
        if not _may_see(person, await self.tenant_of(workflow_id)):
            raise unknown(key)
        item = await self._ask(workflow_id, request_id)
        if item is None or not sees(person, item.request):
            raise unknown(key)
        return item

    async def at_hand(self, person: Person, key: str) -> tuple[str, str, ApprovalRequest | None]:
        """Return the ids that a key names, and its request if it is open, without a look at its run.

        Raises:
            RequestNotFound: it is of a tenant that the person does not see.
        """
        workflow_id, request_id = named(key)
        item = self._board.find(workflow_id, request_id)
        if item is None:
            if not _may_see(person, await self.tenant_of(workflow_id)):
                raise unknown(key)
            item = await self._ask(workflow_id, request_id)
        if item is None:
            return workflow_id, request_id, None
        if not sees(person, item.request):
            raise unknown(key)
        return workflow_id, request_id, item.request

    async def _ask(self, workflow_id: str, request_id: str) -> OpenRequest | None:
        try:
            found = await self._runs.pending(workflow_id)
        except RunNotFound:
            return None
        request = next((item for item in found if item.id == request_id), None)
        return OpenRequest(workflow_id=workflow_id, request=request) if request else None

    async def tenant_of(self, workflow_id: str) -> str:
        """Return the tenant of a run; empty when there is no such run."""
        try:
            return (await self._runs.summary(workflow_id)).tenant
        except RunNotFound:
            return ""

    def view(self, person: Person, item: OpenRequest, *, revealed: bool = False) -> RequestView:
        """Return a request as a person is shown it: what is personal is masked, or `revealed`."""
        request = item.request
        tool = self._runtime.tools.get(request.tool)
        return RequestView(
            **dict(request if revealed else covered(request)),
            key=key_of(item),
            workflow_id=item.workflow_id,
            effect=str(tool.contract.effect) if tool else "",
            may_decide=deciding_as(person, request)[1] is None,
        )


def covered(request: ApprovalRequest) -> ApprovalRequest:
    """Return a request with what is personal masked; who decides on it is not."""
    votes = [
        vote.model_copy(update={"comment": masked_text(vote.comment)}) for vote in request.votes
    ]
    return request.model_copy(
        update={
            "arguments": masked(request.arguments),
            "payload": masked(request.payload),
            "why": masked_text(request.why),
            "votes": tuple(votes),
            "spans": tuple(map(_covered, request.spans)),
        }
    )


def _covered(span: Span) -> Span:
    """Return a span whose value is still marked in its words."""
    begin, end, words = span.begin, span.end, span.excerpt
    parts = (words[:begin], words[begin:end], words[end:])
    before, value, after = map(masked_text, parts)
    return span.model_copy(
        update={
            "source": masked_text(span.source),
            "excerpt": before + value + after,
            "begin": len(before),
            "end": len(before) + len(value),
        }
    )


def sees(person: Person, request: ApprovalRequest) -> bool:
    """Whether a request is shown to a person."""
    return any(_sees(standing, request) for standing in standings(person))


def deciding_as(person: Person, request: ApprovalRequest) -> tuple[Person, Refusal | None]:
    """Return as whom a person may decide on a request; or as itself, and why it may not."""
    found = [(standing, refusal_of(standing, request)) for standing in standings(person)]
    return next((pair for pair in found if pair[1] is None), found[0])


def _sees(person: Person, request: ApprovalRequest) -> bool:
    if not person.may_see(request.tenant):
        return False
    asked = [name for tier in request.tiers for name in tier.who]
    return any(person.has_role(role) for role in REVIEWING) or is_among(person, asked)


def _may_see(person: Person, tenant: str) -> bool:
    return any(standing.may_see(tenant) for standing in standings(person))


def key_of(item: OpenRequest) -> str:
    """Return the word that names a request in addresses."""
    return request_key(item.workflow_id, item.request.id)


def named(key: str) -> tuple[str, str]:
    """Return the workflow id and the request id that a word names.

    Raises:
        RequestNotFound: it names nothing.
    """
    try:
        workflow_id, request_id = cursors.decode(key, 2, "key")
    except InterlockError as error:
        raise unknown(key) from error
    return workflow_id, request_id


def unknown(key: str) -> RequestNotFound:
    """Return the error of a key that names nothing that this person sees."""
    return RequestNotFound(
        f"there is no open request {key[:80]!r}. It may be decided, expired or withdrawn; see the "
        "list of open ones."
    )
