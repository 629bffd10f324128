"""An OpenID provider for tests, as a process of its own: it signs in whomever it is told to.

Run as a module it prints its port. What a test decides about the next person goes to `/next`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "inbox"


class Issuer:
    """Keys, codes that were given out, and what the next token says."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keys = [_key("first")]
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {}
        self.methods = ["client_secret_basic"]
        self.secret: dict[str, str] = {}
        """How the last client said its secret."""

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a signed token."""
        now = int(time.time())
        made = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 60, **claims}
        head = {"alg": "RS256", "kid": self.keys[-1].kid, **header}
        return str(jwt.encode(head, made, self.keys[-1]))

    async def describe(self, _: Request) -> Response:
        """Answer discovery."""
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "token_endpoint_auth_methods_supported": self.methods,
            }
        )

    async def public_keys(self, _: Request) -> Response:
        """Answer with the public keys."""
        return JSONResponse(KeySet(self.keys).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        """Send the browser back with a code, as if somebody had signed in."""
        asked = dict(request.query_params)
        if (asked["client_id"], asked["response_type"]) != (CLIENT, "code"):
            return Response("unknown client", 400)
        if asked["code_challenge_method"] != "S256" or "openid" not in asked["scope"]:
            return Response("no PKCE", 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = f"{asked['redirect_uri']}?code={code}&state={asked['state']}"
        return RedirectResponse(back, 302)

    async def exchange(self, request: Request) -> Response:
        """Give a token for a code, once, to whoever has the verifier."""
        form = await request.form()
        self.secret = {
            "header": request.headers.get("Authorization", ""),
            "form": str(form.get("client_secret", "")),
        }
        asked = self.codes.pop(str(form["code"]), None)
        digest = sha256(str(form["code_verifier"]).encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = asked is not None and (asked["code_challenge"], asked["redirect_uri"]) == (
            challenge,
            form["redirect_uri"],
        )
        if asked is None or not fits:
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {"nonce": asked["nonce"], **self.claims}
        return JSONResponse({"id_token": self.token(claims), "token_type": "Bearer"})

    async def sign_in_next(self, request: Request) -> Response:
        """Take the claims of the next person."""
        self.claims = await request.json()
        return Response()

    async def take_secrets(self, request: Request) -> Response:
        """Take how clients have to say their secret, and tell how the last one did."""
        self.methods = await request.json()
        return JSONResponse(self.secret)

    async def mint(self, request: Request) -> Response:
        """Give a token with any claims and header."""
        told = await request.json()
        return JSONResponse({"token": self.token(told["claims"], **told.get("header", {}))})

    async def rotate(self, _: Request) -> Response:
        """Sign with a new key from now on."""
        self.keys = [_key(secrets.token_hex(4))]
        return Response()

    def application(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.describe),
                Route("/keys", self.public_keys),
                Route("/authorize", self.authorize),
                Route("/token", self.exchange, methods=["POST"]),
                Route("/next", self.sign_in_next, methods=["POST"]),
                Route("/secrets", self.take_secrets, methods=["POST"]),
                Route("/mint", self.mint, methods=["POST"]),
                Route("/rotate", self.rotate, methods=["POST"]),
            ]
        )


def _key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def main() -> None:
    """Serve on a free port and print it when connections are taken."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    issuer = Issuer(f"http://127.0.0.1:{port}")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server = uvicorn.Server(uvicorn.Config(issuer.application(), log_level="error"))
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
