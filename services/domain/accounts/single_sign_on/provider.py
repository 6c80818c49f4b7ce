"""Signing in at the provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207)."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import KeySet

from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.single_sign_on import id_token, round_trip
from services.domain.accounts.single_sign_on.cached import Cached
from services.domain.accounts.single_sign_on.discovery import Metadata, discover
from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.http_client import ProviderHttpClient, ProviderResponse
from services.domain.accounts.single_sign_on.id_token import UnknownKey
from services.domain.accounts.single_sign_on.round_trip import AuthorizationRequest
from services.runtime.clock import Clock
from services.runtime.settings import Settings, variable

CALLBACK_PATH = "/login/provider/callback"
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
ERROR_CODE = re.compile(r"[a-z_]{1,60}")
MAX_CODE_LENGTH = 4096
MAX_LOGIN_LENGTH = 200


@dataclass(frozen=True)
class Callback:
    """The parameters of the provider's answer, as the browser brings them."""

    state: str = ""
    code: str = ""
    issuer: str = ""
    error: str = ""


class Provider:
    """The provider of the settings; ``oidc_issuer`` is set. ``real`` is the machine's clock, whatever a demo turns."""

    def __init__(self, settings: Settings, real: Clock, wire: ProviderHttpClient | None = None) -> None:
        self.issuer = str(settings.needed("oidc.issuer"))
        self.name = settings.oidc.name
        self._client_id = str(settings.needed("oidc.client_id"))
        self._secret = settings.needed("oidc.client_secret").get_secret_value()
        self._scopes, self._claim = settings.oidc.scopes, settings.oidc.claim
        self._portal_url = settings.portal.url
        self._real = real
        self._wire = wire or ProviderHttpClient(settings)
        self._discovered = Cached(lambda: discover(self._wire, self.issuer), self._wire.monotonic)
        self._keys = Cached(self._fetch_keys, self._wire.monotonic)

    @property
    def redirect_uri(self) -> str:
        """Where people come back to; written from the public address, never from what a request says."""
        return self._portal_url + CALLBACK_PATH

    async def begin(self, back: str, *, anew: bool = False) -> tuple[str, AuthorizationRequest]:
        """The provider's address to lead the browser to, and what the browser keeps until it comes back.

        ``anew``: the provider asks who it is, although it knows somebody in this browser.
        """
        discovered = await self._discovered.get()
        trip = round_trip.create(back, self._real.now())
        address = prepare_grant_uri(
            discovered.authorization,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=self.redirect_uri,
            scope=self._scopes,
            state=trip.state,
            nonce=trip.nonce,
            code_challenge=create_s256_code_challenge(trip.verifier),
            code_challenge_method="S256",
            prompt="login" if anew else None,
        )
        return str(address), trip

    async def finish(self, trip: AuthorizationRequest, answer: Callback) -> ProviderIdentity:
        """Whom the provider vouches for. Raises ProviderRefused; nothing of the tokens is kept."""
        if not answer.state or not hmac.compare_digest(answer.state.encode(), trip.state.encode()):
            raise ProviderRefused("out-of-date", "the answer belongs to another way")
        discovered = await self._discovered.get()
        if answer.issuer != self.issuer and (answer.issuer or discovered.tells_issuer):
            raise ProviderRefused("token", "the answer comes from another issuer")
        if answer.error:
            told = answer.error if ERROR_CODE.fullmatch(answer.error) else "an error without a name"
            raise ProviderRefused("cancelled" if told == "access_denied" else "login-error", told)
        if not 0 < len(answer.code) <= MAX_CODE_LENGTH:
            raise ProviderRefused("login-error", "the answer has no code")
        tokens = await self._hand_in(discovered, trip, answer.code)
        claims = await self._checked(discovered, trip, tokens)
        login = claims.get(self._claim)
        if login is None and discovered.userinfo is not None:
            login = await self._from_userinfo(discovered.userinfo, str(claims["sub"]), tokens)
        if not isinstance(login, str) or not 0 < len(login) <= MAX_LOGIN_LENGTH:
            raise ProviderRefused("login-missing", f"no text in the claim {self._claim}: see {variable('oidc.claim')}")
        return ProviderIdentity(self.issuer, str(claims["sub"]), login)

    async def goodbye(self) -> str | None:
        """Where the session at the provider is ended (RP-Initiated Logout 1.0); None where it cannot be.

        It is told by the client's id: an ID token to hint with would have to be kept.
        """
        try:
            address = (await self._discovered.get()).end_session
        except ProviderRefused:
            return None
        if address is None:
            return None
        parameters = (("client_id", self._client_id), ("post_logout_redirect_uri", f"{self._portal_url}/login"))
        query = "&".join(f"{name}={quote_plus(value)}" for name, value in parameters)
        return f"{address}{'&' if '?' in address else '?'}{query}"

    async def check(self) -> Metadata:
        """For the doctor: discovery and keys, asked for now."""
        discovered = await self._discovered.anew()
        await self._keys.anew()
        return discovered

    async def _hand_in(self, discovered: Metadata, trip: AuthorizationRequest, code: str) -> Mapping[str, Any]:
        """The answer of the token endpoint."""
        form = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=trip.verifier
        )
        basic = discovered.client_auth == "client_secret_basic"
        # In the header both are encoded as in a form (RFC 6749, 2.3.1), which authlib leaves to its callers.
        names = [quote_plus(one) if basic else one for one in (self._client_id, self._secret)]
        address, headers, form = ClientAuth(*names, discovered.client_auth).prepare(
            "POST", discovered.token, dict(FORM_HEADERS), form
        )
        told = await self._wire.post(address, headers, form)
        if told.status == 200:
            return told.body
        error = str(told.body.get("error", ""))
        error = error if ERROR_CODE.fullmatch(error) else "no error by name"
        detail = f"the token endpoint answered HTTP {told.status}, {error}"
        if error in ("invalid_client", "unauthorized_client"):
            raise ProviderRefused("client-refused", f"{detail}: check {variable('oidc.client_id')} and its secret")
        raise ProviderRefused("code-refused" if error == "invalid_grant" else "invalid-answer", detail)

    async def _checked(
        self, discovered: Metadata, trip: AuthorizationRequest, tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The claims of the ID token. An unknown key is looked for once more: providers change theirs."""
        text, access_token = tokens.get("id_token"), tokens.get("access_token", "")
        if not isinstance(text, str) or not isinstance(access_token, str):
            raise ProviderRefused(
                "invalid-answer", "the token endpoint gave no ID token: openid has to be in the scopes"
            )
        for ask in (self._keys.get, self._keys.anew):
            try:
                return id_token.check(
                    text,
                    await ask(),
                    algorithms=discovered.algorithms,
                    issuer=self.issuer,
                    client_id=self._client_id,
                    nonce=trip.nonce,
                    access_token=access_token,
                    now=self._real.now(),
                )
            except UnknownKey:
                continue
        raise ProviderRefused("token", "the ID token was signed by a key that the provider does not show")

    async def _from_userinfo(self, address: str, subject: str, tokens: Mapping[str, Any]) -> object:
        """The claim from where some providers put it alone; of the same subject, or it is somebody else's."""
        told: ProviderResponse = await self._wire.get(address, token=str(tokens.get("access_token", "")))
        if told.status != 200 or told.body.get("sub") != subject:
            raise ProviderRefused("token", f"userinfo answered HTTP {told.status}, or for another subject")
        return told.body.get(self._claim)

    async def _fetch_keys(self) -> KeySet:
        discovered = await self._discovered.get()
        return id_token.read_keys(await self._wire.get(discovered.keys))
