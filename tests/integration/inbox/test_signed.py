"""Where only signed decisions count: the inbox signs for whom it has authenticated, and runs believe it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.responses import Response

from interlock.approvals.signatures import SigningKey
from interlock.audit.contract import EventFilter
from interlock.errors import BadInput, ConfigError
from interlock.inbox.opening import open_inbox, sessions_of
from interlock.inbox.people import whoever_started
from interlock.inbox.services import Inbox
from interlock.inbox.serving import login_link
from interlock.runs.client import Runs
from interlock.settings import Settings
from interlock.testing import WorkerEnv, worker_env
from tests.integration.inbox.conftest import ORIGIN, PEOPLE, Ask, Client
from tests.integration.inbox.desk import PAID, agents

_PERSON = {"subject", "name", "roles", "tenants"}
POLICY = """
tiers:
  desk: {who: [reviewer], quorum: 2, deadline: 4h, escalate_to: lead}
  lead: {who: [lead], deadline: 1d}
rules:
  - name: refunds
    tool: refund
    then: {ask: {tier: desk}}
  - name: steered-leads
    tool: write_to
    labels: caller
    then: {ask: {tier: lead}}
  - name: leads
    tool: write_to
    then: {ask: {tier: lead}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment that takes signed decisions only, and asks two reviewers or a lead."""
    folder, key = tmp_path_factory.mktemp("signed"), SigningKey.new()
    (folder / "signing.key").write_text(key.text.get_secret_value(), encoding="utf-8")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    approvals = {
        "policy": "policy.yaml",
        "require_signature": True,
        "keys": {key.id: {"public": key.public}},
        "signing_key_file": "signing.key",
    }
    inbox = {"refresh_seconds": 0.05, "logins_per_minute": 1000}
    people = [PEOPLE[name].model_dump(include=_PERSON) for name in ("ada", "lea", "cal")]
    async with worker_env(
        server, folder, agents=agents(), approvals=approvals, inbox=inbox, people=people
    ) as env:
        yield env


async def test_a_link_signs_in_only_whom_the_configuration_names(
    env: WorkerEnv, inbox: Inbox, browser: httpx.AsyncClient
):
    """None is printed for others; a session of before, with every role, has none any more."""
    with pytest.raises(BadInput, match=r"'eve' is not in 'people'.*'oidc'.*inbox key create"):
        await login_link(inbox.sessions, inbox.people, ORIGIN, "eve")
    link = await login_link(inbox.sessions, inbox.people, ORIGIN, "ada")
    await browser.post("/login/link", data={"token": httpx.URL(link).params["token"]})
    assert (await browser.get("/api/v1/me")).json()["roles"] == ["reviewer"]
    browser.cookies.clear()
    before = sessions_of(Settings(), inbox.credentials, ORIGIN)
    response = Response()
    await before.begin(response, whoever_started("eve"), by_link=True)
    cookie = response.headers["set-cookie"].partition(";")[0]
    old = await browser.get("/api/v1/me", headers={"Cookie": cookie})
    assert (old.json()["subject"], old.json()["roles"]) == ("eve", [])
    token = await before.link(whoever_started("eve"))
    await browser.post("/login/link", data={"token": token})
    assert (await browser.get("/api/v1/me")).json()["roles"] == []


def _decide(request: dict[str, Any], verb: str, **fields: Any) -> dict[str, Any]:
    return {"verb": verb, "digest": request["digest"], **fields}


async def test_two_people_approve_and_it_is_done_once(env: WorkerEnv, ask: Ask, client: Client):
    """The first is told that another is needed, and does not count twice; no history has the key."""
    handle, request = await ask(order="o-signed", amount=44)
    path = f"/api/v1/requests/{request['key']}/decision"
    ada, bea = await client("ada"), await client("bea")
    first = await ada.post(path, json=_decide(request, "approve"))
    assert (first.status_code, first.json()["missing"]) == (200, 1)
    again = await ada.post(path, json=_decide(request, "approve"))
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_VOTED")
    mine = {"mine": True}
    listed = (await ada.get("/api/v1/requests", params=mine)).json()["requests"]
    assert request["key"] not in [item["key"] for item in listed]
    seen = (await bea.get(f"/api/v1/requests/{request['key']}")).json()
    assert [(vote["reviewer"], vote["verified"]) for vote in seen["votes"]] == [("ada", True)]
    second = await bea.post(path, json=_decide(request, "approve"))
    assert (second.status_code, second.json()["missing"]) == (200, 0)
    assert (await env.result(handle)).output["outcome"] == "paid 44"
    assert PAID["o-signed"] == [44]
    secret = (env.app.settings.project_dir / "signing.key").read_text(encoding="utf-8")
    assert secret.partition(":")[2] not in str(await handle.fetch_history())


async def test_a_selection_that_needs_others_too_is_told_so(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """One of two has approved: nothing goes on yet."""
    _, request = await ask(order="o-both")
    token = await inbox.sessions.link(PEOPLE["ada"])
    await browser.post("/login/link", data={"token": token})
    page = (await browser.get("/")).text
    sent = {
        "form_token": page.partition('name="form_token" value="')[2].partition('"')[0],
        "verb": "approve",
        "chosen": f"{request['key']} {request['digest']}",
    }
    done = await browser.post("/decisions", data=sent)
    assert (done.status_code, done.headers["Location"]) == (303, "/?said=vote")


async def test_what_does_not_pass_through_the_inbox_does_not_count(
    env: WorkerEnv, ask: Ask, client: Client
):
    """A raw decision is refused, and so is one on another digest, though the inbox has signed it."""
    handle, request = await ask(order="o-raw")
    raw = {"request_id": request["id"], "verb": "approve", "digest": request["digest"]}
    answer = await handle.execute_update("submit_decision", raw)
    assert (answer["accepted"], answer["code"]) == (False, "UNSIGNED")
    path = f"/api/v1/requests/{request['key']}/decision"
    stale = await (await client("ada")).post(path, json={"verb": "approve", "digest": "0" * 64})
    assert (stale.status_code, stale.json()["code"]) == (409, "DIGEST_MISMATCH")
    assert len(await env.open_requests(handle)) == 1


async def test_the_run_says_who_may_decide(env: WorkerEnv, ask: Ask, client: Client):
    """A tier asks a role of the deployment's own; a reviewer is not asked, and a lead is."""
    handle, request = await ask("writer", order="o-lead", text="Hello.")
    assert not request["may_decide"]
    path = f"/api/v1/requests/{request['key']}/decision"
    refused = await (await client("ada")).post(path, json=_decide(request, "approve"))
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_A_REVIEWER")
    lead = await client("lea")
    listed = (await lead.get("/api/v1/requests")).json()["requests"]
    assert [item["key"] for item in listed if item["workflow_id"] == handle.id] == [request["key"]]
    assert (await lead.post(path, json=_decide(request, "approve"))).status_code == 200
    assert (await env.result(handle)).output["outcome"] == "sent"


async def test_a_page_shows_what_came_from_outside(
    inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """The argument has its label, in the queue too, and the words stand where they came from."""
    _, request = await ask("writer", order="c-7", text="Call me at 0170 4711")
    token = await inbox.sessions.link(PEOPLE["lea"])
    assert (await browser.post("/login/link", data={"token": token})).status_code == 303
    page = (await browser.get(f"/requests/{request['key']}")).text
    assert '<dt>text <span class="tag outside">caller</span></dt>' in page
    assert "<mark>Call me at 0170 4711</mark>" in page
    assert (
        '<strong>write_to <span class="tag outside">caller</span>'
        in (await browser.get("/?tool=write_to")).text
    )


async def test_nobody_decides_on_ones_own_request(env: WorkerEnv, inbox: Inbox, client: Client):
    """Whoever a run was started for does not approve what it asks."""
    handle = await env.start(
        "refunder", {"order": "o-own", "amount": 5}, tenant="north", requester="ada"
    )
    (asked,) = await env.pending(handle)
    lists = await client("olga")
    key, version = "", inbox.board.version
    while not key:
        found = (await lists.get("/api/v1/requests")).json()["requests"]
        key = next((item["key"] for item in found if item["workflow_id"] == handle.id), "")
        version = version if key else await inbox.board.changed(version)
    choice = {"verb": "approve", "digest": asked.digest}
    refused = await (await client("ada")).post(f"/api/v1/requests/{key}/decision", json=choice)
    assert (refused.status_code, refused.json()["code"]) == (403, "OWN_REQUEST")
    rejected = {"verb": "reject", "digest": asked.digest}
    done = await (await client("bea")).post(f"/api/v1/requests/{key}/decision", json=rejected)
    assert done.status_code == 200
    assert PAID["o-own"] == []


async def test_an_inbox_that_cannot_sign_does_not_open(env: WorkerEnv):
    """Where signatures are required, it says what is missing before anybody signs in."""
    settings = env.app.settings
    given = settings.approvals.model_copy(update={"signing_key_file": None})
    without = settings.model_copy(update={"approvals": given})
    with pytest.raises(ConfigError, match="signing_key_file"):
        async with open_inbox(without, Runs(without, env.client), origin=ORIGIN):
            pass


async def test_whoever_stands_in_decides_for_a_while(
    env: WorkerEnv, inbox: Inbox, ask: Ask, client: Client, browser: httpx.AsyncClient
):
    """A caller decides in a lead's place, on the page too, and the record has both; then no more."""
    handle, request = await ask("writer", order="o-place", text="Hello.")
    lea, cal = await client("lea"), await client("cal")
    path = f"/api/v1/requests/{request['key']}"
    assert (await cal.get(path)).status_code == 403
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    given = await lea.post("/api/v1/delegations", json={"taker": "cal", "until": until})
    (standing,) = given.json()
    assert (standing["giver"], standing["taker"]) == ("lea", "cal")
    assert (await cal.get("/api/v1/delegations")).json() == [standing]
    assert (await (await client("ben")).get("/api/v1/delegations")).json() == []
    assert (await cal.get(path)).json()["may_decide"]
    assert (await cal.get("/api/v1/me")).json()["roles"] == ["caller"]
    assert (await cal.post(f"/api/v1/runs/{handle.id}/reveal")).status_code == 403
    token = await inbox.sessions.link(PEOPLE["cal"])
    await browser.post("/login/link", data={"token": token})
    assert "Decide for lea</h2>" in (await browser.get(f"/requests/{request['key']}")).text
    done = await cal.post(f"{path}/decision", json=_decide(request, "approve"))
    assert done.status_code == 200, done.text
    assert (await env.result(handle)).output["outcome"] == "sent"
    steps = (await lea.get(f"/api/v1/runs/{handle.id}/steps")).json()["steps"]
    assert [s["reviewer"] for s in steps if s["kind"] == "decided"] == ["cal for lea"]
    (event,) = await env.app.audit.events(
        EventFilter(workflow_id=handle.id, kind="decision", outcomes=("approve",))
    )
    assert event.details["reviewer"] == "cal for lea"

    ended = {"delegation": standing["id"]}
    assert (await cal.post("/api/v1/delegations/end", params=ended)).status_code == 422
    assert (await lea.post("/api/v1/delegations/end", params=ended)).json() == {
        "ended": standing["id"]
    }
    assert (await cal.get("/api/v1/requests")).status_code == 403
    refused = await cal.post("/api/v1/delegations", json={"taker": "bea", "until": until})
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")


async def test_one_and_its_stand_in_are_no_quorum(env: WorkerEnv, ask: Ask, client: Client):
    """Ada approves, and whoever stands in for her does not approve again."""
    handle, request = await ask(order="o-stand-in", amount=11)
    ada, cal, bea = await client("ada"), await client("cal"), await client("bea")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    given = await ada.post("/api/v1/delegations", json={"taker": "cal", "until": until})
    path = f"/api/v1/requests/{request['key']}/decision"
    assert (await ada.post(path, json=_decide(request, "approve"))).json()["missing"] == 1
    again = await cal.post(path, json=_decide(request, "approve"))
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_VOTED")
    assert (await bea.post(path, json=_decide(request, "approve"))).json()["missing"] == 0
    await env.result(handle)
    assert PAID["o-stand-in"] == [11]
    await ada.post("/api/v1/delegations/end", params={"delegation": given.json()[0]["id"]})
