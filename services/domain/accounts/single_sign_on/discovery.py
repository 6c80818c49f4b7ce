"""Read the provider's metadata (OpenID Connect Discovery 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.http_client import ProviderHttpClient, ProviderResponse
from services.runtime.translations import Joined, Message

# Signatures that only the provider can make: HS256 has a shared secret, and "none" has none.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
CLIENT_AUTH = ("client_secret_basic", "client_secret_post")
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Metadata:
    """The endpoints of one issuer.

    ``issuer_in_response``: its responses name it (RFC 9207).
    """

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    algorithms: tuple[str, ...]
    client_auth: str
    issuer_in_response: bool


async def discover(http: ProviderHttpClient, issuer: str) -> Metadata:
    """Fetch and check the metadata.

    Raises ProviderRefused, whose detail names what is wrong.
    """
    return parse(issuer, await http.get(issuer.rstrip("/") + WELL_KNOWN))


def parse(issuer: str, response: ProviderResponse) -> Metadata:
    if response.status != 200:
        raise ProviderRefused(
            "invalid-answer", Message("discovery answered HTTP {status}: check the issuer", status=response.status)
        )
    body = response.body
    if body.get("issuer") != issuer:
        raise ProviderRefused(
            "invalid-answer",
            Message(
                "discovery names another issuer than {issuer}: write it as the identity provider does", issuer=issuer
            ),
        )
    methods = _string_list(body, "code_challenge_methods_supported", ("S256",))
    if "code" not in _string_list(body, "response_types_supported", ("code",)) or "S256" not in methods:
        raise ProviderRefused(
            "invalid-answer", Message("the identity provider has no authorization code flow with PKCE S256")
        )
    algorithms = tuple(
        name for name in ALGORITHMS if name in _string_list(body, "id_token_signing_alg_values_supported", ("RS256",))
    )
    if not algorithms:
        raise ProviderRefused(
            "invalid-answer",
            Message("the identity provider signs ID tokens by no public key: have it use RS256 or ES256"),
        )
    auth_methods = _string_list(body, "token_endpoint_auth_methods_supported", CLIENT_AUTH[:1])
    client_auth = next((name for name in CLIENT_AUTH if name in auth_methods), None)
    if client_auth is None:
        raise ProviderRefused(
            "invalid-answer", Message("the identity provider takes no client's secret: have it use client_secret_basic")
        )
    return Metadata(
        issuer=issuer,
        authorization=_required_address(issuer, body, "authorization_endpoint"),
        token=_required_address(issuer, body, "token_endpoint"),
        keys=_required_address(issuer, body, "jwks_uri"),
        userinfo=_address(issuer, body, "userinfo_endpoint"),
        end_session=_address(issuer, body, "end_session_endpoint"),
        algorithms=algorithms,
        client_auth=client_auth,
        issuer_in_response=body.get("authorization_response_iss_parameter_supported") is True,
    )


def _required_address(issuer: str, body: Mapping[str, Any], name: str) -> str:
    address = _address(issuer, body, name)
    if address is None:
        raise ProviderRefused("invalid-answer", Message("discovery has no {name}", name=name))
    return address


def _address(issuer: str, body: Mapping[str, Any], name: str) -> str | None:
    """Return an endpoint, which has to be as secure as the issuer."""
    text = body.get(name)
    if text is None:
        return None
    schemes = ("https",) if issuer.startswith("https://") else ("https", "http")
    plain = isinstance(text, str) and text.isascii() and text.isprintable() and not set(text) & set(' "<>\\^`{|}')
    try:
        parts = urlsplit(text if plain else "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in schemes or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ProviderRefused(
            "invalid-answer",
            Message("discovery has a {name} that is no {schemes} address", name=name, schemes=Joined(" or ", schemes)),
        )
    return str(text)


def _string_list(body: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list of the document, or the default without one."""
    value = body.get(name)
    if value is None:
        return default
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
