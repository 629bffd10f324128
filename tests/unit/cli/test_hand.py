"""Whose decisions leave the command line: signed where the key is, and else unverified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.app import database_url
from interlock.approvals.people import Person
from interlock.approvals.signatures import KeyRing, PublicKey, SigningKey
from interlock.audit.database import Database
from interlock.cli.hand import hand_of, person_named
from interlock.errors import BadInput, ConfigError
from interlock.runs.contract import OpenRequest
from interlock.runs.delegations import delegations_of
from interlock.settings import Settings
from tests.unit.cli.waiting import Waiting, request, runs

KEY = SigningKey.new()
FINANCE = [{"tier": "money", "who": ["finance"], "until": "2099-01-01T00:00:00Z"}]
PEOPLE = [
    {"subject": "ann", "name": "Ann", "roles": ["reviewer", "finance"], "tenants": ["north"]},
    {"subject": "ben", "roles": ["reviewer"], "tenants": ["*"]},
]


def settings(folder: Path, *, key: bool = True, **approvals: Any) -> Settings:
    """A deployment with two people, on a machine with the key or without."""
    (folder / "my.key").write_text(KEY.text.get_secret_value(), encoding="utf-8")
    given: dict[str, Any] = {"keys": {KEY.id: {"public": KEY.public}}, **approvals}
    if key:
        given["signing_key_file"] = "my.key"
    return Settings.model_validate({"approvals": given, "people": PEOPLE, "project_dir": folder})


def asked(**fields: Any) -> OpenRequest:
    """A request of a run that a signature can name."""
    known = {"lineage": "default/run-1/1", "tenant": "north", **fields}
    return OpenRequest(workflow_id="run-1", request=request(**known))


async def test_a_decision_is_signed_for_whoever_it_is(tmp_path: Path) -> None:
    """With the roles and tenants of the configuration; whoever knows the public key verifies it."""
    waiting, item = Waiting(), asked()
    hand = hand_of(settings(tmp_path), "ann")
    assert hand.signs
    await hand.decide(runs(waiting), item, "reject", comment="too dear")
    (sent,) = waiting.sent
    assert sent.by is not None
    assert (sent.by.subject, sent.by.roles, sent.by.tenants) == (
        "ann",
        ("finance", "reviewer"),
        ("north",),
    )
    assert (sent.verb, sent.comment, sent.digest) == ("reject", "too dear", item.request.digest)
    ring = KeyRing({KEY.id: PublicKey(public=KEY.public)})
    assert ring.refusal(sent) is None
    assert ring.refusal(sent.model_copy(update={"verb": "approve"})) is not None


async def test_the_setting_says_who_it_is_where_the_option_does_not(tmp_path: Path) -> None:
    """And the option wins."""
    given = settings(tmp_path, decide_as="ben")
    for subject, name in (("", "ben"), ("ann", "ann")):
        waiting = Waiting()
        await hand_of(given, subject).decide(runs(waiting), asked(), "approve")
        assert waiting.sent[0].decided_by == name
        assert waiting.sent[0].is_signed


@pytest.mark.parametrize("subject", ["", "ann"])
async def test_without_a_key_a_decision_is_unverified(tmp_path: Path, subject: str) -> None:
    """It carries the name that was given, and no signature."""
    waiting = Waiting()
    hand = hand_of(settings(tmp_path, key=False), subject)
    assert not hand.signs
    named = {} if subject else {"reviewer": "carl"}
    await hand.decide(runs(waiting), asked(), "approve", **named)
    (sent,) = waiting.sent
    assert (sent.is_signed, sent.reviewer) == (False, subject or "carl")


async def test_nobody_named_signs_nothing(tmp_path: Path) -> None:
    """Unverified where that counts; where it does not, it is refused before anything is sent."""
    waiting = Waiting()
    hand = hand_of(settings(tmp_path))
    assert not hand.signs
    await hand.decide(runs(waiting), asked(), "approve")
    assert not waiting.sent[0].is_signed
    with pytest.raises(BadInput, match=r"--as SUBJECT.*'ann', 'ben'"):
        hand_of(settings(tmp_path, require_signature=True))


@pytest.mark.parametrize("key", [True, False])
def test_only_the_deployments_people_decide(tmp_path: Path, key: bool) -> None:
    """A name that the configuration does not have is refused, with those it has."""
    with pytest.raises(BadInput, match=r"'eve' is none of.*'ann', 'ben'.*--as.*\[\[people\]\]"):
        hand_of(settings(tmp_path, key=key), "eve")
    assert person_named(settings(tmp_path, key=key)) is None


async def test_a_signature_has_one_name(tmp_path: Path) -> None:
    """A name of one's own beside it is refused, and nothing is sent."""
    waiting = Waiting()
    with pytest.raises(BadInput, match="signed for 'ann'"):
        await hand_of(settings(tmp_path), "ann").decide(
            runs(waiting), asked(), "approve", reviewer="ben"
        )
    assert waiting.sent == []


def test_a_key_that_nobody_knows_signs_nothing(tmp_path: Path) -> None:
    """Its decisions would count nowhere."""
    with pytest.raises(ConfigError, match=r"'approvals\.keys' does not have it"):
        hand_of(settings(tmp_path, keys={}), "ann")


async def test_whoever_stands_in_decides_in_the_others_place(tmp_path: Path) -> None:
    """Where one may not in one's own right, and somebody has said so."""
    given = settings(tmp_path)
    waiting, item = Waiting(settings=given), asked(tiers=FINANCE)
    async with Database(database_url(given)) as database:
        soon = datetime.now(UTC) + timedelta(hours=1)
        await delegations_of(given, database).give(Person(subject="ann"), "ben", soon)
    await hand_of(given, "ben").decide(runs(waiting), item, "approve")
    (sent,) = waiting.sent
    assert sent.by is not None
    assert (sent.by.subject, sent.by.acts_for, sent.by.roles) == (
        "ben",
        "ann",
        ("finance", "reviewer"),
    )
