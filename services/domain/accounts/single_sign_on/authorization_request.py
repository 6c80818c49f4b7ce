"""Keep a pending authorization request in an encrypted cookie."""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.runtime.errors import Fatal
from services.runtime.secret_box import SecretBox

LIFETIME = timedelta(minutes=10)
MAX_NEXT_LENGTH = 1000  # browsers drop cookies over 4,096 characters
PURPOSE = "the way to the provider and back"


@dataclass(frozen=True)
class AuthorizationRequest:
    """A pending login at the provider.

    ``state`` binds the callback to this browser, ``nonce`` the ID token to it, ``verifier`` the code (RFC 7636).
    ``next_path`` is the page that was asked for, ``until`` a POSIX time on real time.
    """

    state: str
    nonce: str
    verifier: str
    next_path: str
    until: int

    def encrypt(self, box: SecretBox) -> str:
        """Return the cookie's value."""
        return box.encrypt(json.dumps(asdict(self)), PURPOSE)


def create(next_path: str, now: datetime) -> AuthorizationRequest:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    until = int((now + LIFETIME).timestamp())
    return AuthorizationRequest(state, nonce, verifier, next_path if len(next_path) <= MAX_NEXT_LENGTH else "/", until)


def decrypt(box: SecretBox, cookie: str | None, now: datetime) -> AuthorizationRequest:
    """Return the request of the cookie.

    ProviderRefused where there is none, it is expired or not ours.
    """
    if not cookie:
        raise ProviderRefused("out-of-date", "no login was begun in this browser")
    try:
        request = AuthorizationRequest(**json.loads(box.decrypt(cookie, PURPOSE)))
    except (Fatal, ValueError, TypeError) as error:
        raise ProviderRefused("out-of-date", "the browser's cookie was not encrypted here") from error
    if now.timestamp() >= request.until:
        raise ProviderRefused("out-of-date", "the login took too long")
    return request
