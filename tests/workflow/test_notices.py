"""Who is told of a request, when and how often, on a server whose clock jumps to the next timer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from interlock.audit import EventFilter
from interlock.payloads import first
from interlock.testing import worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.notices import SECRET
from tests.receivers import (
    HOST,
    FakeMailServer,
    FakeReceiver,
    fake_mail_server,
    fake_receiver,
)
from tests.workflow.people import LEA, SIGNED, decide, paying
from tests.workflow.skipping import HOUR, MINUTE, World, asked, forgotten_runs, skipping_server

pytestmark = forgotten_runs

POLICY = """
tiers:
  desk: {who: reviewer, quorum: 2, deadline: 4h, remind_every: 90m, escalate_to: lead}
  lead: {who: lead, deadline: 1d}
rules:
  - {name: ladder, tool: pay, when: args.amount > 100, then: {ask: {tier: desk}}}
  - {name: lead, tool: pay, then: {ask: {tier: lead}}}
"""
AMOUNTS = {"two tiers": 101, "out of order": 102, "shown": 8, "for ever": 7}


class Town(NamedTuple):
    """A deployment with channels, and whoever is at their other ends."""

    world: World
    web: FakeReceiver
    post: FakeMailServer


def channels(web: FakeReceiver, post: FakeMailServer) -> list[dict[str, Any]]:
    """Settings of `notify`: one channel for each tier, one that hears all, one that hears nothing."""
    hook = {"channel": "webhook", "secret_env": "NOTICE_SECRET"}
    return [
        {**hook, "name": "desk", "url": f"{web.url}/desk", "tiers": ["desk"]},
        {**hook, "name": "lead", "url": f"{web.url}/lead", "tiers": ["lead"], "arguments": True},
        {**hook, "name": "south", "url": f"{web.url}/south", "tenants": ["south"]},
        {"channel": "slack", "name": "all", "url_env": "NOTICE_SLACK"},
        {
            "channel": "email",
            "name": "office",
            "host": HOST,
            "port": post.port,
            "security": "none",
            "sender": "interlock@shop.example",
            "to": ["lea@shop.example", "luc@shop.example"],
            "tiers": ["lead"],
        },
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Two tiers, and somebody to tell of each."""
    folder = tmp_path_factory.mktemp("notices")
    (folder / "rules.yaml").write_text(POLICY, encoding="utf-8")
    with fake_receiver() as web, pytest.MonkeyPatch.context() as environment:
        environment.setenv("NOTICE_SECRET", SECRET)
        environment.setenv("NOTICE_SLACK", f"{web.url}/services/very-secret")
        async with (
            fake_mail_server(folder, tls=False) as post,
            skipping_server() as server,
            worker_env(
                server.client,
                folder,
                agents=[shopper()],
                script={"conversations": {name: paying(name, AMOUNTS[name]) for name in AMOUNTS}},
                approvals={**SIGNED, "policy": str(folder / "rules.yaml")},
                notify=channels(web, post),
                inbox={"public_url": "https://inbox.example"},
            ) as env,
        ):
            yield Town(World(env, server), web, post)


def told(town: Town, run: Handle, path: str) -> list[dict[str, Any]]:
    """Messages about a run that a path of the web service has taken."""
    bodies = [json.loads(item.body) for item in town.web.taken(path)]
    return [body for body in bodies if run.id in json.dumps(body)]


def mailed(town: Town, run: Handle) -> list[tuple[str, str]]:
    """Who got which mail about a run."""
    return sorted(
        (str(mail["To"]), str(mail["Subject"]))
        for mail in town.post.mail
        if run.id in mail.get_content()
    )


async def scheduled(run: Handle) -> list[tuple[str, str, timedelta]]:
    """Kind, tier and time of each notice, since the first, to the second of the server."""
    found, start = [], None
    for event in (await run.fetch_history()).events:
        attributes = event.activity_task_scheduled_event_attributes
        if attributes.activity_type.name == "approvals.notify":
            at, notice = event.event_time.ToDatetime(), first(attributes.input.payloads)
            start = start or at
            after = timedelta(seconds=round((at - start).total_seconds()))
            found.append((notice["kind"], notice["tier"]["tier"], after))
    return found


async def not_told(town: Town, run: Handle) -> list[str]:
    """Why people were not told, as the audit has it."""
    where = EventFilter(workflow_id=run.id, kind="decision")
    events = await town.world.env.app.audit.events(where)
    return [event.details["why"] for event in events if event.outcome == "not told"]


async def finished(town: Town, run: Handle, name: str) -> None:
    """The run ends well; a replay of it tells nobody anything."""
    assert (await town.world.env.result(run)).reply == "Done."
    assert PAID[name] == [AMOUNTS[name]]
    before = (len(town.web.posted), len(town.post.mail))
    await town.world.env.replay(run)
    assert (len(town.web.posted), len(town.post.mail)) == before


async def test_one_request_with_two_tiers_tells_whom_when(town: Town) -> None:
    """Each tier hears of it when it is asked and is reminded; nobody twice, though the run replays."""
    run, action = await asked(town.world, "two tiers")
    await town.world.server.sleep(4 * HOUR + 10 * MINUTE)
    assert (await decide(run, action, LEA)).accepted
    await finished(town, run, "two tiers")
    when = [
        ("requested", "desk", 0 * HOUR),
        ("reminder", "desk", 90 * MINUTE),
        ("reminder", "desk", 180 * MINUTE),
        ("escalation", "lead", 4 * HOUR),
    ]
    assert await scheduled(run) == when
    desk, lead = told(town, run, "/desk"), told(town, run, "/lead")
    kinds = [body["type"].removeprefix("approval.") for body in (*desk, *lead)]
    assert kinds == [kind for kind, _, _ in when]
    assert len(told(town, run, "/services/very-secret")) == len(when)
    assert told(town, run, "/south") == []
    assert mailed(town, run) == [
        ("lea@shop.example", "Escalated, to decide: pay (high risk)"),
        ("luc@shop.example", "Escalated, to decide: pay (high risk)"),
    ]
    links = {body["data"]["link"] for body in (*desk, *lead)}
    assert len(links) == 1
    assert links.pop().startswith("https://inbox.example/requests/")
    assert await not_told(town, run) == []


async def test_arguments_are_told_only_where_the_settings_say_so(town: Town) -> None:
    """The run is asked for them; the notice in the history has none."""
    run, action = await asked(town.world, "shown")
    await town.world.server.sleep(MINUTE)
    (body,) = told(town, run, "/lead")
    assert body["data"]["arguments"] == {"account": "shown", "amount": 8}
    (slack,) = told(town, run, "/services/very-secret")
    assert "shown" not in json.dumps(slack)
    assert [kind for kind, _, _ in await scheduled(run)] == ["requested"]
    assert (await decide(run, action, LEA)).accepted
    await finished(town, run, "shown")


async def test_one_that_is_out_of_order_is_tried_again_alone(town: Town) -> None:
    """Under the same id until it takes it; the others are told once."""
    town.web.answer("/desk", 503, 500)
    run, action = await asked(town.world, "out of order")
    await town.world.server.sleep(MINUTE)
    tries = [
        item for item in town.web.posted if run.id in item.body.decode() and item.path == "/desk"
    ]
    assert [item.status for item in tries] == [503, 500, 200]
    assert len({item.headers["webhook-id"] for item in tries}) == 1
    assert len({item.body for item in tries}) == 1
    assert len(told(town, run, "/services/very-secret")) == 1
    await town.world.server.sleep(4 * HOUR)
    assert (await decide(run, action, LEA)).accepted
    await finished(town, run, "out of order")
    assert await not_told(town, run) == []


async def test_one_that_is_never_reached_is_recorded(town: Town) -> None:
    """The run waits all the same, the others were told once, and no secret is in the history."""
    town.web.always("/lead", 503)
    run, action = await asked(town.world, "for ever")
    await town.world.server.sleep(10 * MINUTE)
    tries = [
        item for item in town.web.posted if run.id in item.body.decode() and item.path == "/lead"
    ]
    assert [item.status for item in tries] == [503] * 12
    assert len(told(town, run, "/services/very-secret")) == 1
    assert len(mailed(town, run)) == 2
    (why,) = await not_told(town, run)
    assert "1 of 1 channels were not told" in why
    assert "'lead' answered 503." in why
    assert (await decide(run, action, LEA)).accepted
    await finished(town, run, "for ever")
    history = str(await run.fetch_history())
    assert SECRET not in history
    assert "very-secret" not in history
