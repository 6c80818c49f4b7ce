"""Log in by authorization code with PKCE.

OpenID Connect Core 1.0, RFC 7636, RFC 9207.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import Depends, Request
from joserfc.jwk import KeySet

from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.single_sign_on import authorization_request, id_token
from services.domain.accounts.single_sign_on.authorization_request import AuthorizationRequest
from services.domain.accounts.single_sign_on.cached import Cached
from services.domain.accounts.single_sign_on.discovery import Metadata, discover
from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.http_client import ProviderHttpClient, ProviderResponse
from services.domain.accounts.single_sign_on.id_token import UnknownKey
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable
from services.runtime.translations import Message, Text

CALLBACK_PATH = "/login/provider/callback"
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
ERROR_CODE = re.compile(r"[a-z_]{1,60}")
MAX_CODE_LENGTH = 4096
MAX_LOGIN_LENGTH = 200


@dataclass(frozen=True)
class Callback:
    """The parameters of the provider's redirect."""

    state: str = ""
    code: str = ""
    issuer: str = ""
    error: str = ""


class Provider:
    """The provider of the settings, which have its issuer.

    ``real`` is the machine's clock, which a demo does not turn.
    """

    def __init__(self, settings: Settings, real: Clock, http: ProviderHttpClient | None = None) -> None:
        self.issuer = str(settings.needed("oidc.issuer"))
        self.name = settings.oidc.name
        self._client_id = str(settings.needed("oidc.client_id"))
        self._secret = settings.needed("oidc.client_secret").get_secret_value()
        self._scopes, self._claim = settings.oidc.scopes, settings.oidc.claim
        self._portal_url = settings.portal.url
        self._real = real
        self._http = http or ProviderHttpClient(settings)
        self._metadata = Cached(lambda: discover(self._http, self.issuer), self._http.monotonic)
        self._keys = Cached(self._fetch_keys, self._http.monotonic)

    @property
    def redirect_uri(self) -> str:
        """Return the callback address, from the public address of the settings."""
        return self._portal_url + CALLBACK_PATH

    async def begin(self, next_path: str, *, reauthenticate: bool = False) -> tuple[str, AuthorizationRequest]:
        """Return the provider's address, and the request for the browser's cookie.

        ``reauthenticate``: the provider asks for a login even in an open session.
        """
        metadata = await self._metadata.get()
        request = authorization_request.create(next_path, self._real.now())
        address = prepare_grant_uri(
            metadata.authorization,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=self.redirect_uri,
            scope=self._scopes,
            state=request.state,
            nonce=request.nonce,
            code_challenge=create_s256_code_challenge(request.verifier),
            code_challenge_method="S256",
            prompt="login" if reauthenticate else None,
        )
        return str(address), request

    async def finish(self, request: AuthorizationRequest, callback: Callback) -> ProviderIdentity:
        """Check the callback and return the person's identity.

        Raises ProviderRefused. No token is stored.
        """
        if not callback.state or not hmac.compare_digest(callback.state.encode(), request.state.encode()):
            raise ProviderRefused("out-of-date", "the answer belongs to another login")
        metadata = await self._metadata.get()
        if callback.issuer != self.issuer and (callback.issuer or metadata.issuer_in_response):
            raise ProviderRefused("token", "the answer comes from another issuer")
        if callback.error:
            error = callback.error if ERROR_CODE.fullmatch(callback.error) else "an error without a name"
            raise ProviderRefused("cancelled" if error == "access_denied" else "login-error", error)
        if not 0 < len(callback.code) <= MAX_CODE_LENGTH:
            raise ProviderRefused("login-error", "the answer has no code")
        tokens = await self._exchange_code(metadata, request, callback.code)
        claims = await self._verify_id_token(metadata, request, tokens)
        login = claims.get(self._claim)
        if login is None and metadata.userinfo is not None:
            login = await self._fetch_userinfo_claim(metadata.userinfo, str(claims["sub"]), tokens)
        if not isinstance(login, str) or not 0 < len(login) <= MAX_LOGIN_LENGTH:
            raise ProviderRefused("login-missing", f"no text in the claim {self._claim}: see {variable('oidc.claim')}")
        return ProviderIdentity(self.issuer, str(claims["sub"]), login)

    async def logout_url(self) -> str | None:
        """Return the address of RP-Initiated Logout 1.0, or None.

        The client id identifies us: a hint would need a stored ID token.
        """
        try:
            address = (await self._metadata.get()).end_session
        except ProviderRefused:
            return None
        if address is None:
            return None
        parameters = (("client_id", self._client_id), ("post_logout_redirect_uri", f"{self._portal_url}/login"))
        query = "&".join(f"{name}={quote_plus(value)}" for name, value in parameters)
        return f"{address}{'&' if '?' in address else '?'}{query}"

    async def check(self) -> Metadata:
        """Fetch metadata and keys now, for the doctor."""
        metadata = await self._metadata.refresh()
        await self._keys.refresh()
        return metadata

    async def _exchange_code(self, metadata: Metadata, request: AuthorizationRequest, code: str) -> Mapping[str, Any]:
        """Exchange the code at the token endpoint."""
        form = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=request.verifier
        )
        basic = metadata.client_auth == "client_secret_basic"
        # In the header both are form-encoded (RFC 6749, 2.3.1), which authlib leaves to its callers.
        credentials = [quote_plus(part) if basic else part for part in (self._client_id, self._secret)]
        address, headers, form = ClientAuth(*credentials, metadata.client_auth).prepare(
            "POST", metadata.token, dict(FORM_HEADERS), form
        )
        response = await self._http.post(address, headers, form)
        if response.status == 200:
            return response.body
        error = str(response.body.get("error", ""))
        error = error if ERROR_CODE.fullmatch(error) else "no error by name"
        detail = f"the token endpoint answered HTTP {response.status}, {error}"
        if error in ("invalid_client", "unauthorized_client"):
            raise ProviderRefused("client-refused", f"{detail}: check {variable('oidc.client_id')} and its secret")
        raise ProviderRefused("code-refused" if error == "invalid_grant" else "invalid-answer", detail)

    async def _verify_id_token(
        self, metadata: Metadata, request: AuthorizationRequest, tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Verify the ID token; an unknown key is fetched once more."""
        text, access_token = tokens.get("id_token"), tokens.get("access_token", "")
        if not isinstance(text, str) or not isinstance(access_token, str):
            raise ProviderRefused(
                "invalid-answer", "the token endpoint gave no ID token: openid has to be in the scopes"
            )
        for get_keys in (self._keys.get, self._keys.refresh):
            try:
                return id_token.check(
                    text,
                    await get_keys(),
                    algorithms=metadata.algorithms,
                    issuer=self.issuer,
                    client_id=self._client_id,
                    nonce=request.nonce,
                    access_token=access_token,
                    now=self._real.now(),
                )
            except UnknownKey:
                continue
        raise ProviderRefused("token", "the ID token was signed by a key that the provider does not show")

    async def _fetch_userinfo_claim(self, address: str, subject: str, tokens: Mapping[str, Any]) -> object:
        """Fetch the claim from userinfo, for the same subject alone."""
        response: ProviderResponse = await self._http.get(address, token=str(tokens.get("access_token", "")))
        if response.status != 200 or response.body.get("sub") != subject:
            raise ProviderRefused("token", f"userinfo answered HTTP {response.status}, or for another subject")
        return response.body.get(self._claim)

    async def _fetch_keys(self) -> KeySet:
        metadata = await self._metadata.get()
        return id_token.read_keys(await self._http.get(metadata.keys))


async def provider(request: Request) -> Provider | None:
    """Return the provider; None where people log in by passwords alone."""
    return cast("Provider | None", request.app.state.dependencies.get("provider"))


GivenProvider = Annotated[Provider | None, Depends(provider)]


async def check_provider(settings: Settings) -> Text:
    """Return the doctor's sentence. Raises Fatal with what to do."""
    if settings.oidc.issuer is None:
        return Message(
            "by the passwords of Footage Desk; {variable} leads people to an identity provider as well",
            variable=variable("oidc.issuer"),
        )
    checked = Provider(settings, SystemClock())
    try:
        metadata = await checked.check()
    except ProviderRefused as refusal:
        raise Fatal(
            Message(
                "{detail}; see {variable}",
                detail=refusal.detail_text or refusal.message,
                variable=variable("oidc.issuer"),
            )
        ) from refusal
    logout = (
        Message("signing out leads there too")
        if metadata.end_session
        else Message("signing out ends the session here alone")
    )
    return Message(
        "{issuer} answers and signs by {algorithms}; have it know {callback}; {logout}",
        issuer=checked.issuer,
        algorithms=", ".join(metadata.algorithms),
        callback=checked.redirect_uri,
        logout=logout,
    )
