"""The way to the provider and back: what the browser keeps of it meanwhile, sealed, so that nobody else writes it."""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.runtime.errors import Fatal
from services.runtime.secret_box import SecretBox

LIFETIME = timedelta(minutes=10)
MAX_NEXT_LENGTH = 1000  # a browser drops a cookie beyond 4,096 characters
PURPOSE = "the way to the provider and back"


@dataclass(frozen=True)
class AuthorizationRequest:
    """``state`` binds the answer to this browser, ``nonce`` the ID token to it, ``verifier`` the code (RFC 7636).

    ``back`` is the page that was asked for, ``until`` a POSIX time on real time.
    """

    state: str
    nonce: str
    verifier: str
    back: str
    until: int

    def sealed(self, box: SecretBox) -> str:
        """What goes into the cookie."""
        return box.encrypt(json.dumps(asdict(self)), PURPOSE)


def create(back: str, now: datetime) -> AuthorizationRequest:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    until = int((now + LIFETIME).timestamp())
    return AuthorizationRequest(state, nonce, verifier, back if len(back) <= MAX_NEXT_LENGTH else "/", until)


def decrypt(box: SecretBox, sealed: str | None, now: datetime) -> AuthorizationRequest:
    """The way that this browser is on; ProviderRefused where it is on none, or for too long."""
    if not sealed:
        raise ProviderRefused("out-of-date", "no way was begun in this browser")
    try:
        trip = AuthorizationRequest(**json.loads(box.decrypt(sealed, PURPOSE)))
    except (Fatal, ValueError, TypeError) as error:
        raise ProviderRefused("out-of-date", "the browser's cookie was not sealed here") from error
    if now.timestamp() >= trip.until:
        raise ProviderRefused("out-of-date", "the way took too long")
    return trip
