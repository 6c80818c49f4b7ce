"""Verify ID tokens (OpenID Connect Core 1.0, 3.1.3.7)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet, RSAKey, import_key

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.http_client import ProviderResponse
from services.runtime.translations import Message

LEEWAY_SECONDS = 60  # between the clocks of two servers
MAX_AGE_SECONDS = 600  # a token is issued when the code is exchanged: an old one is replayed
MAX_SUBJECT_LENGTH = 255
MIN_RSA_BITS = 2048


class UnknownKey(Exception):
    """The token's key is unknown; the provider may have rotated its keys."""


def read_keys(response: ProviderResponse) -> KeySet:
    """Return the public signing keys of the set."""
    jwks = response.body.get("keys")
    if response.status != 200 or not isinstance(jwks, list):
        raise ProviderRefused(
            "invalid-answer",
            Message("the address of the keys answered HTTP {status} and no key set", status=response.status),
        )
    keys = [key for jwk in jwks if isinstance(jwk, dict) and (key := _signing_key(jwk)) is not None]
    if not keys:
        raise ProviderRefused("invalid-answer", Message("the identity provider's key set has no public key that signs"))
    return KeySet(keys)


def _signing_key(jwk: dict[str, Any]) -> Key | None:
    if jwk.get("kty") not in ("RSA", "EC") or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return None  # such as an unknown curve; tokens of this key are refused
    if isinstance(key, RSAKey):
        return key if key.public_key.key_size >= MIN_RSA_BITS else None
    return key


def check(
    text: str,
    keys: KeySet,
    *,
    algorithms: tuple[str, ...],
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    now: datetime,
) -> Mapping[str, Any]:
    """Verify the token and return its claims.

    Raises UnknownKey, or ProviderRefused whose detail names the wrong claim.
    """
    try:
        token = jwt.decode(text, keys, algorithms=algorithms)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
                "sub": {"essential": True},
            },
            params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except InvalidKeyIdError as error:
        raise UnknownKey from error
    except ClaimError as error:
        raise ProviderRefused("token", f"the ID token's {error.claim} does not fit") from error
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderRefused("token", f"the ID token cannot be read ({type(error).__name__})") from error
    if now.timestamp() - claims["iat"] > MAX_AGE_SECONDS + LEEWAY_SECONDS:
        raise ProviderRefused("token", "the ID token's iat does not fit")
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT_LENGTH:
        raise ProviderRefused("token", "the ID token's sub does not fit")
    return dict(claims)
