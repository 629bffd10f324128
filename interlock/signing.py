"""The keys that a deployment's settings name: to sign decisions with, and to verify them."""

from __future__ import annotations

import os

from pydantic import SecretStr

from interlock.approvals.signatures import DecisionSigner, KeyRing, PublicKey, SigningKey
from interlock.errors import ConfigError
from interlock.settings import Settings


def key_ring(settings: Settings) -> KeyRing:
    """Return the public keys of the settings.

    Raises:
        ConfigError: one is no key, or signatures are required and there is none.
    """
    keys = settings.approvals.keys
    if settings.signatures_required and not keys:
        raise ConfigError(
            f"only signed decisions count ({_why(settings)}) and 'approvals.keys' is empty, so "
            "nobody could decide. Make a key with `interlock keys new`, and put its public part "
            "there."
        )
    return KeyRing({name: PublicKey.model_validate(key.model_dump()) for name, key in keys.items()})


def decision_signer(settings: Settings) -> DecisionSigner:
    """Return what signs decisions of people who were authenticated.

    Raises:
        ConfigError: no private key is named or it cannot be read, or whoever verifies does not
            know it.
    """
    key = SigningKey.read(_secret(settings))
    known = settings.approvals.keys.get(key.id)
    if known is None or known.public != key.public:
        raise ConfigError(
            f"the signing key is {key.id!r}, and 'approvals.keys' does not have it, so that its "
            "decisions would count nowhere. Put its public part there."
        )
    return DecisionSigner(key)


def _why(settings: Settings) -> str:
    if settings.profile == "production":
        return "'profile' is 'production'"
    return "'approvals.require_signature' is on"


def _secret(settings: Settings) -> SecretStr:
    given = settings.approvals
    if (given.signing_key_env is None) == (given.signing_key_file is None):
        raise ConfigError(
            "name the private key that signs decisions: either 'approvals.signing_key_env', an "
            "environment variable, or 'approvals.signing_key_file'. `interlock keys new` makes one."
        )
    if given.signing_key_env is not None:
        value = os.environ.get(given.signing_key_env)
        if not value:
            raise ConfigError(
                f"the environment variable {given.signing_key_env!r} that 'approvals' names as the "
                "signing key is empty. Put the private key into it."
            )
        return SecretStr(value)
    path = settings.project_dir / str(given.signing_key_file)
    try:
        return SecretStr(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: the signing key cannot be read: {getattr(error, 'strerror', error)}. Make "
            "one with `interlock keys new`."
        ) from error
