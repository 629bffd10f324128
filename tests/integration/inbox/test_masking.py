"""Personal data is masked wherever the inbox shows it, until somebody asks for it, which is recorded."""

from __future__ import annotations

from typing import Any

import httpx

from interlock.audit.contract import EventFilter
from interlock.inbox.services import Inbox
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import PEOPLE, Ask, Client
from tests.integration.inbox.desk import PAID
from tests.integration.inbox.test_pages import Form
from tests.integration.inbox.test_schema import filled, operations

IBAN = "DE89 3704 0044 0532 0130 00"
NOTE = f"ann@mail.example wants it on {IBAN}"
SHOWN = "⟦e-mail …@mail.example⟧ wants it on ⟦IBAN …3000⟧"


async def _revealed(inbox: Inbox, workflow_id: str) -> list[tuple[str, Any]]:
    found = await inbox.audit.events(EventFilter(workflow_id=workflow_id, kind="reveal"))
    return [(event.name, event.details["reviewer"]) for event in found]


async def test_no_operation_shows_what_is_personal_but_those_that_record_it(
    inbox: Inbox, ask: Ask, client: Client
):
    """Whatever ada reads through the API; what she asks for is shown, and recorded first."""
    handle, request = await ask(text=NOTE)
    ada, shown = await client("ada"), set()
    for method, path, _ in await operations(ada):
        address = filled(path, key=request["key"], workflow_id=handle.id)
        if method == "GET":
            seen = (await ada.get(address)).text
            assert "ann@mail" not in seen, address
            assert IBAN not in seen, address
            shown |= {path} if SHOWN in seen else set()
    assert {path.rpartition("/")[2] for path in shown} >= {"requests", "{key}", "hitl", "steps"}
    assert await _revealed(inbox, handle.id) == []
    read = await ada.post(f"/api/v1/requests/{request['key']}/reveal")
    assert read.json()["arguments"]["payment"]["note"] == NOTE
    assert NOTE in (await ada.post(f"/api/v1/runs/{handle.id}/reveal")).text
    assert await _revealed(inbox, handle.id) == [(request["id"], "ada"), ("run", "ada")]
    caller = await (await client("cal")).post(f"/api/v1/runs/{handle.id}/reveal")
    assert (caller.status_code, caller.json()["code"]) == (403, "NOT_ALLOWED")
    assert len(await _revealed(inbox, handle.id)) == 2


async def test_a_mask_is_never_taken_for_what_it_stands_for(
    env: WorkerEnv, ask: Ask, client: Client
):
    """An edit of what was shown masked is refused; one of what was revealed counts."""
    handle, request = await ask(order="o-masked", text=NOTE)
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    assert request["arguments"]["payment"]["note"] == SHOWN
    edit = {"verb": "edit", "digest": request["digest"], "arguments": request["arguments"]}
    refused = await ada.post(path, json=edit)
    assert (refused.status_code, refused.json()["code"]) == (422, "BAD_INPUT")
    assert "reveal" in refused.json()["detail"]
    payment = {**request["arguments"]["payment"], "note": NOTE, "amount": 3}
    edited = await ada.post(path, json={**edit, "arguments": {"payment": payment}})
    assert edited.status_code == 200
    await env.result(handle)
    assert PAID["o-masked"] == [3]


async def test_a_page_shows_what_is_personal_to_whoever_asks(
    env: WorkerEnv, inbox: Inbox, ask: Ask, browser: httpx.AsyncClient
):
    """Queue, request, forms and run are masked; a button shows them; what is masked is not edited."""
    handle, request = await ask(order="o-shown", amount=30, text=NOTE)
    token = await inbox.sessions.link(PEOPLE["ada"])
    await browser.post("/login/link", data={"token": token})
    address, run = f"/requests/{request['key']}", f"/runs/{handle.id}"
    pages = {path: (await browser.get(path)).text for path in ("/", address, run)}
    for path, page in pages.items():
        assert SHOWN in page, path
        assert "ann@mail" not in page, path
    button = "Show personal data"
    assert (button in pages[address], button in pages[run]) == (True, True)
    plain, _ = await ask(text="Sorry!")
    assert button not in (await browser.get(f"/runs/{plain.id}")).text
    fields = Form(pages[address], "decision").fields
    assert "arg.payment.note" not in fields
    assert "arg.payment.amount" in fields
    assert "payment.note: masked." in pages[address]
    assert (await browser.post(f"{address}/reveal")).status_code == 403
    assert await _revealed(inbox, handle.id) == []

    sent = {"form_token": fields["form_token"]}
    page = (await browser.post(f"{address}/reveal", data=sent)).text
    assert NOTE in page
    assert button not in page
    assert Form(page, "decision").fields["arg.payment.note"] == NOTE
    assert NOTE in (await browser.post(f"{run}/reveal", data=sent)).text
    assert await _revealed(inbox, handle.id) == [(request["id"], "ada"), ("run", "ada")]

    wrong = {**Form(page, "decision").fields, "verb": "edit", "arg.payment.amount": "9999"}
    refused = await browser.post(address, data={**wrong, "arg.payment.note": "none"})
    assert refused.status_code == 409
    assert "ann@mail" not in refused.text
    assert Form(refused.text, "decision").fields["arg.payment.note"] == "none"
    said = {"comment": "as ann@mail.example says", "arg.payment.amount": "20"}
    done = await browser.post(address, data={**fields, "verb": "edit", **said})
    assert done.status_code == 303
    await env.result(handle)
    assert PAID["o-shown"] == [20]
    assert "edit by ada: as ⟦e-mail …@mail.example⟧ says" in (await browser.get(run)).text
