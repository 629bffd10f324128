"""Claims become people, configuration wins, and origins are safe ones."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from interlock.approvals.people import Person
from interlock.errors import BadInput, ConfigError, NotAllowed, NotSignedIn
from interlock.inbox import cursors
from interlock.inbox.people import People, let_follow, let_review, person_of
from interlock.inbox.services import origin_of
from interlock.inbox.sessions import Sessions
from interlock.inbox.signing_in import own
from interlock.settings import OidcSettings, PersonSettings, Settings


def test_claims_count_as_the_settings_say() -> None:
    """Unknown groups count for nothing once there is a map; odd claims never count."""
    plain = OidcSettings(issuer="https://id.test", client_id="c")
    claims = {"sub": "u", "name": "Uma", "roles": ["reviewer", 7, None], "tenants": "north"}
    assert person_of(claims, plain) == Person(
        subject="u", name="Uma", roles=("reviewer",), tenants=("north",)
    )
    mapped = plain.model_copy(update={"roles": {"grp": "reviewer"}, "roles_claim": "groups"})
    found = person_of({"sub": "u", "groups": ["grp", "admin"], "roles": ["admin"]}, mapped)
    assert (found.roles, found.tenants) == (("reviewer",), ())
    assert person_of({"sub": "u", "roles": {"admin": True}}, plain).roles == ()
    for subject in ("", "u" * 201, 7, ["u"]):
        with pytest.raises(NotSignedIn, match="subject"):
            person_of({"sub": subject}, plain)


def test_the_configuration_wins() -> None:
    """Over whatever claims say."""
    people = People([PersonSettings(subject="u", roles=["caller"], tenants=["south"])])
    came = Person(subject="u", roles=("admin",), tenants=("*",))
    assert people.known_as(came).roles == ("caller",)
    other = Person(subject="v", roles=("admin",))
    assert people.known_as(other) == other


def test_of_whom_the_configuration_names_only_the_name_is_kept() -> None:
    """So that a session is worth nothing once somebody was taken out of it."""
    ada = PersonSettings(subject="ada", name="Ada", roles=["reviewer"], tenants=["north"])
    came = Person(subject="ada", roles=("admin",), tenants=("*",))
    kept = People([ada]).kept(came)
    assert kept == Person(subject="ada", name="Ada")
    assert People([ada]).known_as(kept).roles == ("reviewer",)
    assert People([]).known_as(kept).roles == ()
    assert People([]).kept(came) == came


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://inbox.test", "__Host-interlock"),
        ("http://127.0.0.1:8321", "interlock-8321"),
        ("http://localhost", "interlock-80"),
        ("http://[::1]", "interlock-80"),
    ],
)
def test_a_cookie_has_a_name_that_browsers_take(origin: str, name: str) -> None:
    """Of this host alone, and where a machine has several inboxes, of this port."""
    nowhere: Any = None
    hour = timedelta(hours=1)
    assert Sessions(nowhere, origin=origin, session=hour, link=hour, owners=True).cookie == name


def test_who_has_no_role_is_told_so() -> None:
    """A caller follows runs; whoever a policy may ask reviews."""
    nobody, caller, lead = (
        Person(subject="a", roles=roles) for roles in ((), ("caller",), ("lead",))
    )
    for person in (caller, lead):
        let_follow(person)
    let_review(lead)
    with pytest.raises(NotAllowed, match="'a' has no role"):
        let_follow(nobody)
    for person in (nobody, caller):
        with pytest.raises(NotAllowed, match="'a' may not see requests or decide"):
            let_review(person)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, "http://127.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:80"),
        ({"host": "0.0.0.0", "public_url": "https://inbox.test/"}, "https://inbox.test"),
        ({"public_url": "http://localhost:9000"}, "http://localhost:9000"),
        ({"public_url": "https://Inbox.Test:443"}, "https://inbox.test"),
    ],
)
def test_people_come_by_https_or_from_this_machine(given: dict[str, str], origin: str) -> None:
    """Everything else is refused when the inbox starts."""
    assert origin_of(Settings(inbox=given), 80) == origin


@pytest.mark.parametrize(
    "given",
    [{"host": "0.0.0.0"}, {"public_url": "http://inbox.test"}, {"public_url": "https://a.test/b"},
     {"public_url": "ftp://localhost"}, {"public_url": "https://a@b.test"}, {"public_url": "http://["}],
)  # fmt: skip
def test_an_address_without_tls_is_refused(given: dict[str, str]) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=r"inbox\."):
        origin_of(Settings(inbox=given), 80)


@pytest.mark.parametrize("given", [{}, {"public_url": "http://localhost:9000"}])
def test_in_production_people_come_by_https_only(given: dict[str, str]) -> None:
    """Not even from this machine by http: cookies are then secure wherever it is reached."""
    secure = Settings(profile="production", inbox={"public_url": "https://inbox.test"})
    assert origin_of(secure, 80) == "https://inbox.test"
    with pytest.raises(ConfigError, match=r"'profile' is 'production'.*'inbox.public_url'"):
        origin_of(Settings(profile="production", inbox=given), 80)


@pytest.mark.parametrize(
    ("address", "kept"),
    [("/", True), ("/runs?status=waiting", True), ("//evil.test", False), ("https://evil.test", False),
     ("/\\evil.test", False), ("", False), ("/a\nb", False), ("runs", False),
     ("/runs/%C3%BC", True), ("/runs/ü", False)],
)  # fmt: skip
def test_only_own_addresses_are_gone_to(address: str, kept: bool) -> None:
    """After signing in nobody is led elsewhere."""
    assert own(address) == (address if kept else "/")


DEEP = base64.urlsafe_b64encode(b"[" * 3000).decode()


def test_a_cursor_comes_back_as_it_was_given() -> None:
    """Any text survives; anything else is refused."""
    parts = ["a/b", "ünï\ud800", "c:d"]
    word = cursors.encode(parts)
    assert word.replace("-", "").replace("_", "").isalnum()
    assert cursors.decode(word, 3, "cursor") == parts
    for wrong in (
        "",
        "!",
        "ümlaut",
        cursors.encode(["a"]),
        cursors.encode([1, 2]),
        "A" * 5000,
        DEEP,
    ):
        with pytest.raises(BadInput, match="no cursor"):
            cursors.decode(wrong, 2, "cursor")
