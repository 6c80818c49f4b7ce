"""An OpenID Connect provider on the loopback that is honest, or lies in one way that a test chooses."""

import base64
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from served import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "footage-desk", "a secret: with+signs%"
TOKEN = "access-token-1"
KEYS = {name: RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in ("one", "two")}


def half_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


@dataclass
class CrookedProvider:
    """``now`` is its clock. ``document``, ``claims``, ``header`` and ``answer`` change what it says; a value of None
    leaves a name out. ``signer`` makes the ID token, ``misbehave`` answers in place of the route of this path."""

    now: Callable[[], datetime]
    subject: str = "subject-1"
    login: str = "drafter"
    document: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    shown: list[str] = field(default_factory=lambda: ["one"])
    key: str = "one"
    signer: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    misbehave: dict[str, Callable[[Request], Awaitable[Response]]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    issuer: str = ""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, address: str, **changes: str | None) -> dict[str, str]:
        """What the browser brings back from the address that it was led to; the person has signed in there."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (CLIENT, "code", "S256")
        code = f"code-{len(self._codes) + 1}"
        self._codes[code] = asked
        told = {"code": code, "state": asked["state"], "iss": self.issuer, **changes}
        return {name: value for name, value in told.items() if value is not None}

    def app(self) -> Starlette:
        routes = {
            "/.well-known/openid-configuration": self._document,
            "/keys": self._keys,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/elsewhere": self._elsewhere,
        }

        def guarded(path: str, honest: Callable[[Request], Awaitable[Response]]) -> Route:
            async def answer(request: Request) -> Response:
                self.called.append(path)
                return await self.misbehave.get(path, honest)(request)

            return Route(path, answer, methods=["GET", "POST"])

        return Starlette(routes=[guarded(path, honest) for path, honest in routes.items()])

    async def _document(self, _request: Request) -> Response:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/leave",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": True,
            **self.document,
        }
        return JSONResponse({name: value for name, value in told.items() if value is not None})

    async def _keys(self, _request: Request) -> Response:
        rows: list[Any] = [KEYS[name].as_dict(private=False) for name in self.shown]
        rows += [{"kty": "new-kind"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, "nonsense"]
        return JSONResponse({"keys": rows})

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        # as RFC 6749, 2.3.1 has it: both parts encoded as in a form
        basic = base64.b64encode(f"{CLIENT}:a+secret%3A+with%2Bsigns%25".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self._codes.get(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            asked is None
            or asked.pop("used", None)
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge.decode() != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        self._codes[form["code"]] = {**asked, "used": "yes"}
        told = {"access_token": TOKEN, "token_type": "Bearer", "id_token": self.id_token(asked), **self.answer}
        return JSONResponse({name: value for name, value in told.items() if value is not None})

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(self.now().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "at_hash": half_hash(TOKEN),
            "preferred_username": self.login,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key, **self.header}
        if self.signer is not None:
            return self.signer(header, claims)
        return jwt.encode(header, claims, KEYS[self.key])

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return JSONResponse(self.userinfo or {"sub": self.subject})

    async def _elsewhere(self, _request: Request) -> Response:
        raise AssertionError("a redirect was followed")


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """``alg: none``"""
    return f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}."


def signed_with_the_public_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """HS256 over what everybody can read: some libraries took the key for a secret."""
    public = OctKey.import_key(KEYS["one"].as_pem(private=False))
    return jwt.encode({**header, "alg": "HS256"}, claims, public, algorithms=["HS256"])


def signed_by_another(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Under the name of a key that is shown."""
    return jwt.encode(header, claims, KEYS["two"])


async def silent(request: Request) -> Response:
    """Never answers; ends when the caller goes away."""
    await request.body()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def huge(_request: Request) -> Response:
    return Response(b'{"x": "' + b"x" * (2 << 20) + b'"}', media_type="application/json")


async def elsewhere(_request: Request) -> Response:
    return RedirectResponse("/elsewhere", 302)


async def broken(_request: Request) -> Response:
    return Response("<html>", 500)


async def no_json(_request: Request) -> Response:
    return Response("[]", media_type="application/json")


async def compressed(_request: Request) -> Response:
    """Although nobody asked for it: a small answer could unfold into a large one."""
    return Response(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})


@contextmanager
def crooked_provider(now: Callable[[], datetime]) -> Iterator[CrookedProvider]:
    provider = CrookedProvider(now)
    with served(provider.app()) as address:
        provider.issuer = address
        yield provider
