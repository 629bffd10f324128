"""The identity provider: where people are sent to sign in, and which tokens are its own.

OpenID Connect with the authorization code flow and PKCE. Keys are fetched from the provider and
kept; an unknown key id has them fetched again, but not more often than `_KEYS_SECONDS` allows.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from interlock.addresses import is_private
from interlock.errors import ConfigError, NotSignedIn, OperatorError
from interlock.settings import OidcSettings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures of a provider that others can check; never one with a shared secret, never none."""

_LEEWAY_SECONDS = 30
_KEYS_SECONDS = 30.0
_LONGEST_TOKEN = 16_384


class _Metadata(BaseModel):
    """What the inbox needs of a provider's description of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """An OpenID Connect provider.

    Args:
        settings: Which one, with its `issuer` set.
        http: Client for the provider's own endpoints.
        secret: The client's secret; None for a public client.
    """

    def __init__(
        self, settings: OidcSettings, http: httpx.AsyncClient, secret: SecretStr | None
    ) -> None:
        self.settings = settings
        self._issuer = settings.issuer or ""
        self._http = http
        self._secret = secret
        self._metadata: _Metadata | None = None
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")

    async def check(self) -> None:
        """Fetch what is needed before anybody can sign in: the provider's description and its keys.

        Raises:
            ConfigError: the provider calls itself something else than 'oidc.issuer'.
            OperatorError: it does not answer, or not as a provider.
        """
        await self._known_keys()

    async def where_to_sign_in(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return the address that a browser is sent to.

        Raises:
            OperatorError: the provider does not answer.
        """
        found = await self._described()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        joined = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joined}{urlencode(asked)}"

    async def exchange(
        self, code: str, *, redirect_uri: str, nonce: str, verifier: str
    ) -> Mapping[str, Any]:
        """Return the verified claims of whoever came back with a code.

        Raises:
            NotSignedIn: the provider does not know the code, or its token does not hold.
            OperatorError: the provider does not answer.
        """
        found = await self._described()
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": verifier,
        }
        answer = await self._asked("POST", found.token_endpoint, **self._with_secret(found, sent))
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotSignedIn("the identity provider did not accept the code. Sign in again.")
        claims = await self._verified(token, self.settings.client_id)
        if claims.get("nonce") != nonce:
            raise NotSignedIn("this answer of the identity provider is not to your request.")
        return claims

    def _with_secret(self, found: _Metadata, sent: dict[str, str]) -> dict[str, Any]:
        """Return what is posted, with the client's secret where the provider wants it."""
        if self._secret is None:
            return {"data": sent}
        secret = self._secret.get_secret_value()
        if "client_secret_post" in found.token_endpoint_auth_methods_supported:
            return {"data": {**sent, "client_secret": secret}}
        return {"data": sent, "auth": (quote_plus(self.settings.client_id), quote_plus(secret))}

    async def verified(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a bearer token for the API.

        Raises:
            NotSignedIn: it is not of this provider, not for this API, or too old.
            OperatorError: the provider does not answer.
        """
        return await self._verified(token, self.settings.audience or self.settings.client_id)

    async def _verified(self, token: str, audience: str) -> Mapping[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise NotSignedIn("this token is too long.")
        try:
            decoded = jwt.decode(token, await self._known_keys(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError) as first:
            if not self._may_fetch_again():
                raise _refused(first) from first
            try:
                decoded = jwt.decode(token, await self._fetched_keys(), algorithms=_ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise _refused(error) from error
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise _refused(error) from error
        return decoded.claims

    def _may_fetch_again(self) -> bool:
        return time.monotonic() - self._fetched_at >= _KEYS_SECONDS

    async def _known_keys(self) -> KeySet:
        return await self._fetched_keys() if self._keys is None else self._keys

    async def _fetched_keys(self) -> KeySet:
        """Return the provider's keys of now; while it does not answer, those before are kept."""
        found = await self._described()
        self._fetched_at = time.monotonic()
        answer = await self._asked("GET", found.jwks_uri)
        try:
            self._keys = KeySet.import_key_set(answer)  # type: ignore[arg-type]  # checked by it
        except (JoseError, ValueError, KeyError) as error:
            raise OperatorError(f"the identity provider's keys cannot be read: {error}.") from error
        return self._keys

    async def _described(self) -> _Metadata:
        if self._metadata is None:
            address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            answer = await self._asked("GET", address)
            try:
                found = _Metadata.model_validate(answer)
            except ValidationError as error:
                raise OperatorError(f"{address!r} describes no OpenID provider.") from error
            if found.issuer != self._issuer:
                raise ConfigError(
                    f"'oidc.issuer' is {self._issuer!r}, but the provider there calls itself "
                    f"{found.issuer!r}. Write it exactly so."
                )
            self._metadata = found
        return self._metadata

    async def _asked(self, method: str, address: str, **sent: Any) -> dict[str, Any]:
        if not is_private(address):
            raise ConfigError(
                f"{address!r} of the identity provider: others could read and change what is said "
                "there. It has to begin with https://, or be http on this machine."
            )
        try:
            answer = await self._http.request(method, address, **sent)
            data = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise OperatorError(
                f"the identity provider does not answer at {address!r}. Check 'oidc.issuer'."
            ) from error
        return data if answer.is_success and isinstance(data, dict) else {}


def _refused(error: Exception) -> NotSignedIn:
    return NotSignedIn(f"this token does not hold: {error}. Get a new one, or sign in again.")


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
