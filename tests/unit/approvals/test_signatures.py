"""Signatures of decisions: what is signed cannot be changed, and keys hold for their time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from interlock.approvals import ApprovalRequest, Decision
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner, KeyRing, PublicKey, SigningKey
from interlock.errors import BadInput, ConfigError
from interlock.tools import Risk

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = Person(subject="ann", roles=("reviewer", "lead"), tenants=("t",))
KEY = SigningKey.new()
REQUEST = ApprovalRequest(
    id="c1:abc",
    tool="refund",
    digest="d1",
    why="high risk",
    risk=Risk.HIGH,
    agent="a",
    tenant="t",
    requested_at=NOW,
    expires_at=NOW + HOUR,
    lineage="default/run/1",
)


def signed(verb: str = "approve", at: datetime = NOW, **said: Any) -> Decision:
    """A decision of Ann's."""
    return DecisionSigner(KEY, clock=lambda: at).sign(REQUEST, ANN, verb, **said)


def ring(key: SigningKey = KEY, now: datetime = NOW, **window: datetime) -> KeyRing:
    """Keys of a deployment that knows one."""
    public = PublicKey(public=key.public, **window)
    return KeyRing({key.id: public}, clock=lambda: now)


def code(keys: KeyRing, decision: Decision, **how: Any) -> str:
    """Why a decision does not count, or ''."""
    refusal = keys.refusal(decision, **how)
    return refusal.code if refusal else ""


def test_a_signed_decision_survives_its_json_form() -> None:
    """It is about the request, the run and the person, and counts."""
    decision = signed("edit", arguments={"amount": 3.0, "to": "Zoë"}, comment="as on the invoice")
    again = Decision.model_validate_json(decision.model_dump_json())
    assert code(ring(), again) == ""
    assert (again.request_id, again.digest, again.lineage) == ("c1:abc", "d1", "default/run/1")
    assert again.decided_by == "ann"
    assert code(ring(), Decision.model_validate(decision.model_dump(exclude_defaults=True))) == ""


CHANGES: dict[str, Callable[[Decision], dict[str, Any]]] = {
    "request": lambda _: {"request_id": "c2:abc"},
    "verb": lambda _: {"verb": "reject"},
    "digest": lambda _: {"digest": "d2"},
    "arguments": lambda _: {"arguments": {"amount": 300}},
    "result": lambda _: {"result": "paid"},
    "comment": lambda _: {"comment": ""},
    "reviewer": lambda _: {"reviewer": "ben"},
    "nonce": lambda _: {"nonce": "another"},
    "subject": lambda d: {"by": ANN.model_copy(update={"subject": "ben"})},
    "roles": lambda d: {"by": ANN.model_copy(update={"roles": ("lead", "owner", "reviewer")})},
    "tenants": lambda d: {"by": ANN.model_copy(update={"tenants": ("*",)})},
    "run": lambda _: {"lineage": "default/run/2"},
    "time": lambda _: {"issued_at": NOW - HOUR},
    "signature": lambda d: {"signature": base64.b64encode(bytes(64)).decode()},
    "no base64": lambda d: {"signature": "né"},
    "cut": lambda d: {"signature": d.signature[:40]},
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_whatever_is_changed_is_forged(name: str) -> None:
    """Every field is signed."""
    decision = signed("edit", arguments={"amount": 3}, comment="fine")
    changed = decision.model_copy(update=CHANGES[name](decision))
    assert code(ring(), changed) == "FORGED"
    assert code(ring(), decision) == ""


def test_an_unknown_key_signs_nothing() -> None:
    """Nor does a known one under an unknown id, or another's id."""
    other = SigningKey.new()
    assert code(ring(other), signed()) == "UNKNOWN_KEY"
    keys = KeyRing({KEY.id: PublicKey(public=other.public)}, clock=lambda: NOW)
    assert code(keys, signed()) == "FORGED"
    unsigned = Decision(request_id="c1:abc", verb="approve", digest="d1")
    assert code(ring(), unsigned) == "UNSIGNED"


@pytest.mark.parametrize(
    ("issued", "now", "window", "at_receipt", "expected"),
    [
        (NOW, NOW, {"not_before": NOW}, True, ""),
        (NOW, NOW, {"not_before": NOW + HOUR}, True, "EARLY_KEY"),
        (NOW, NOW, {"not_after": NOW}, True, "EXPIRED_KEY"),
        (NOW, NOW, {"not_after": NOW + HOUR}, True, ""),
        # Whoever has an old key cannot date back.
        (NOW - 2 * HOUR, NOW, {"not_after": NOW - HOUR}, True, "EXPIRED_KEY"),
        # What it signed in time holds for the effect.
        (NOW - 2 * HOUR, NOW, {"not_after": NOW - HOUR}, False, ""),
        (NOW, NOW, {"not_after": NOW - HOUR}, False, "EXPIRED_KEY"),
        (NOW + timedelta(seconds=59), NOW, {}, True, ""),
        (NOW + timedelta(seconds=61), NOW, {}, True, "SIGNED_LATER"),
    ],
)
def test_a_key_holds_for_its_time(
    issued: datetime, now: datetime, window: dict[str, datetime], at_receipt: bool, expected: str
) -> None:
    """Rotation: the new key holds before the old one is over; a removed one holds no more."""
    assert code(ring(now=now, **window), signed(at=issued), at_receipt=at_receipt) == expected


def test_two_keys_hold_at_once() -> None:
    """While one is replaced by the next."""
    other = SigningKey.new()
    keys = KeyRing({key.id: PublicKey(public=key.public) for key in (KEY, other)})
    for key in (KEY, other):
        assert code(keys, DecisionSigner(key).sign(REQUEST, ANN, "approve")) == ""


def test_each_decision_has_a_nonce_of_its_own() -> None:
    """Unless it is sent again under the same."""
    assert signed().nonce != signed().nonce
    assert signed(nonce="n1") == signed(nonce="n1")


def test_a_private_key_is_one_secret_line() -> None:
    """It survives its text, and no error and no form of it shows it."""
    secret = KEY.text
    again = SigningKey.read(SecretStr(secret.get_secret_value() + "\n"))
    assert (again.id, again.public) == (KEY.id, KEY.public)
    assert len(KEY.id) == 16
    raw = secret.get_secret_value().partition(":")[2]
    for broken in (raw, f"other:{raw}", f"interlock-ed25519:{raw[:-8]}", "interlock-ed25519:", ""):
        with pytest.raises(ConfigError, match="interlock keys new") as refused:
            SigningKey.read(SecretStr(broken))
        assert raw[:10] not in str(refused.value)
    assert raw not in repr(KEY) + repr(secret)


@pytest.mark.parametrize("public", ["", "AAAA", "no base64!", "A" * 44])
def test_a_public_key_that_is_none_is_named(public: str) -> None:
    """When the ring is made, and not at the first decision."""
    with pytest.raises(ConfigError, match=r"approvals.keys.k1: 'public' is no Ed25519 key"):
        KeyRing({"k1": PublicKey(public=public)})


def test_only_what_a_decision_can_say_is_signed() -> None:
    """A misspelt field, a verb that there is not, or a request of nowhere is refused."""
    signer = DecisionSigner(KEY)
    with pytest.raises(BadInput, match="argumets"):
        signer.sign(REQUEST, ANN, "edit", argumets={})
    with pytest.raises(BadInput, match="verb"):
        signer.sign(REQUEST, ANN, "maybe")
    with pytest.raises(BadInput, match="which run"):
        signer.sign(REQUEST.model_copy(update={"lineage": ""}), ANN, "approve")
