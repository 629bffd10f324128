"""Signatures of decisions: Ed25519 over canonical JSON, with keys that are rotated.

Whoever authenticated the reviewer signs. Whoever is about to act verifies, with the public keys of
the deployment's settings. No key ever reaches a workflow.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from interlock.approvals.contract import ApprovalRequest, Decision
from interlock.approvals.identity import Refusal
from interlock.approvals.people import Person
from interlock.canonical import canonical_json
from interlock.errors import BadInput, ConfigError

_PREFIX = "interlock-ed25519"
"""Of a private key as text, so that scanners for secrets know it."""

_FORM = "decision/1"
"""What is signed, and in which form: a signature of something else never fits."""

_SKEW = timedelta(minutes=1)
"""How far the clock of whoever signs may be ahead."""

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class PublicKey(BaseModel):
    """A key that decisions are verified with, and when it may sign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public: str = Field(description="32 bytes in Base64.")
    not_before: AwareDatetime | None = Field(None, description="It signs nothing before.")
    not_after: AwareDatetime | None = Field(None, description="It signs nothing from then on.")


class SigningKey:
    """A private key and its id."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def new(cls) -> SigningKey:
        """Return a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, secret: SecretStr) -> SigningKey:
        """Return the key of a text that `text` made.

        Raises:
            ConfigError: it is no such text; the message does not repeat it.
        """
        prefix, _, encoded = secret.get_secret_value().strip().partition(":")
        raw = _decoded(encoded)
        if prefix != _PREFIX or raw is None or len(raw) != 32:
            raise ConfigError(
                "the signing key is no key. Make one with `interlock keys new`, and keep its file "
                "as it is."
            )
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    @property
    def text(self) -> SecretStr:
        """The private key as one line of text, to be kept secret."""
        encoded = base64.b64encode(self._private.private_bytes_raw()).decode()
        return SecretStr(f"{_PREFIX}:{encoded}")

    @property
    def public(self) -> str:
        """The public key in Base64, for the settings of whoever verifies."""
        return base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the public key."""
        return hashlib.sha256(self._private.public_key().public_bytes_raw()).hexdigest()[:16]

    def sign(self, data: bytes) -> str:
        """Return the signature of some bytes, in Base64."""
        return base64.b64encode(self._private.sign(data)).decode()


def sign(decision: Decision, key: SigningKey) -> Decision:
    """Return a decision with the signature of a key.

    Args:
        decision: It has everything a signed one needs but `key_id` and `signature`.
        key: The key.
    """
    proof = decision.model_dump() | {"key_id": key.id, "signature": "-"}
    named = Decision.model_validate(proof)
    return named.model_copy(update={"signature": key.sign(_signed(named))})


class KeyRing:
    """The public keys of a deployment.

    Raises:
        ConfigError: one is no Ed25519 key.
    """

    def __init__(self, keys: Mapping[str, PublicKey], *, clock: Clock = _now) -> None:
        self._keys = dict(keys)
        self._clock = clock
        self._public = {name: _public(name, key) for name, key in keys.items()}

    def refusal(self, decision: Decision, *, at_receipt: bool = True) -> Refusal | None:
        """Return why the signature of a decision does not count, or None.

        Args:
            decision: The decision.
            at_receipt: It came just now: a key that is over signs nothing any more, whatever time
                a decision gives. Later, the key has to be known still and to have been in time
                when it signed.
        """
        if decision.issued_at is None:
            return Refusal("UNSIGNED", "it is not signed: decide through the inbox, which signs.")
        key = self._keys.get(decision.key_id)
        if key is None:
            return Refusal(
                "UNKNOWN_KEY",
                f"nobody here knows the key {decision.key_id!r}. Was it retired, or is it missing "
                "in 'approvals.keys'?",
            )
        try:
            raw = _decoded(decision.signature) or b""
            self._public[decision.key_id].verify(raw, _signed(decision))
        except InvalidSignature:
            return Refusal("FORGED", "its signature is not that of its content.")
        return self._refuse_time(decision.key_id, key, decision.issued_at, at_receipt)

    def _refuse_time(
        self, name: str, key: PublicKey, issued_at: datetime, at_receipt: bool
    ) -> Refusal | None:
        now = self._clock()
        if issued_at > now + _SKEW:
            return Refusal("SIGNED_LATER", f"it says that it is of {issued_at.isoformat()}.")
        latest = max(issued_at, now) if at_receipt else issued_at
        if key.not_after and latest >= key.not_after:
            return Refusal("EXPIRED_KEY", f"the key {name!r} is over since {key.not_after}.")
        if key.not_before and issued_at < key.not_before:
            return Refusal("EARLY_KEY", f"the key {name!r} holds from {key.not_before} on.")
        return None


class DecisionSigner:
    """Signs decisions of people whom the caller has authenticated.

    Args:
        key: The private key.
        clock: The time now, with its zone.
    """

    def __init__(self, key: SigningKey, *, clock: Clock = _now) -> None:
        self._key = key
        self._clock = clock

    @property
    def key_id(self) -> str:
        """Id of the key that it signs with."""
        return self._key.id

    def sign(self, request: ApprovalRequest, person: Person, verb: str, **said: Any) -> Decision:
        """Return the signed decision of a person on a request as they saw it.

        Args:
            request: What they saw: its id, digest and run are signed with the decision.
            person: Who decided, authenticated.
            verb: What they decided.
            said: `arguments`, `result`, `comment` and `nonce` of `Decision`. The nonce is drawn
                when none is given; the same one makes a decision that was sent twice count once.

        Raises:
            BadInput: the request does not say which run it is of, or a value is no part of a
                decision.
        """
        if not request.lineage:
            raise BadInput(
                f"request {request.id!r} does not say which run asks, as older ones did."
            )
        try:
            decision = Decision.model_validate(
                {
                    "nonce": secrets.token_urlsafe(16),
                    **said,
                    "request_id": request.id,
                    "digest": request.digest,
                    "verb": verb,
                    "reviewer": person.subject,
                    "by": person,
                    "lineage": request.lineage,
                    "issued_at": self._clock(),
                    "key_id": self._key.id,
                    "signature": "-",
                }
            )
        except ValueError as error:
            raise BadInput(f"this is no decision: {error}") from error
        return sign(decision, self._key)


def _signed(decision: Decision) -> bytes:
    """Return the bytes that are signed; what is not given does not count, so fields may be added."""
    fields = decision.model_dump(mode="json", exclude={"signature"}, exclude_defaults=True)
    return canonical_json({"form": _FORM, "decision": fields})


def _public(name: str, key: PublicKey) -> Ed25519PublicKey:
    raw = _decoded(key.public)
    try:
        return Ed25519PublicKey.from_public_bytes(raw or b"")
    except ValueError as error:
        raise ConfigError(
            f"approvals.keys.{name}: 'public' is no Ed25519 key in Base64. `interlock keys new` "
            "prints one."
        ) from error


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
