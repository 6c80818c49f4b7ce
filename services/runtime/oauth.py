"""Get and cache tokens for the engine by OAuth client credentials (RFC 6749, 4.4).

pyzeebe's own plug-in has no time-out, requests a token for each waiting call, and trusts only the system's authorities.
"""

import math
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import httpx

from services.runtime.logs import get_logger
from services.runtime.translations import Message

log = get_logger(__name__)

ASK_SECONDS = 10.0
PAUSE_SECONDS = 5.0
LEEWAY_SECONDS = 60.0
LEEWAY_SHARE = 0.1
DEFAULT_SECONDS = 60.0
# gRPC carries the text of an error alone, so this phrase identifies a refusal (engine_client.transport).
REFUSED = "the token address refuses this client"
CHECK_CLIENT = Message("check CAMUNDA_CLIENT_ID, CAMUNDA_CLIENT_SECRET, CAMUNDA_TOKEN_AUDIENCE and CAMUNDA_TOKEN_SCOPE")


class NoToken(Exception):
    """There is no token; the text says why and what to do, and shows no secret."""


@dataclass(frozen=True)
class Client:
    """The client's credentials; ``trust`` has the authorities of the token address."""

    url: str
    client_id: str
    client_secret: str
    audience: str | None
    scope: str | None
    trust: ssl.SSLContext


class Tokens:
    """One token for all threads. ``monotonic`` counts seconds."""

    def __init__(self, client: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = self._ends_at = self._retry_at = float("-inf")
        self._failure = ""

    def token(self) -> str:
        """Return the token; may block for ``ASK_SECONDS``; raises NoToken.

        After a failure there is no request for ``PAUSE_SECONDS``: every poll of every job type calls this five times.
        """
        with self._lock:
            now = self._monotonic()
            if now >= self._renew_at and now >= self._retry_at:
                self._renew(now)
            if now < self._ends_at:
                return self._token
            raise NoToken(self._failure)

    def _renew(self, now: float) -> None:
        try:
            self._token, seconds = _ask(self._client)
        except NoToken as error:
            self._failure = str(error)
            self._retry_at = now + PAUSE_SECONDS
            log.warning("no token for the engine", cause=self._failure, retry_in_seconds=PAUSE_SECONDS)
            return
        self._ends_at = now + seconds
        self._renew_at = self._ends_at - min(LEEWAY_SECONDS, seconds * LEEWAY_SHARE)


class TokenPlugin(grpc.AuthMetadataPlugin):  # type: ignore[misc]  # grpc has no types
    """Add the token to every call; gRPC calls it in a thread of its own."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, context: object, callback: Callable[[Any, Exception | None], None]) -> None:
        try:
            token = self._tokens.token()
        except NoToken as error:
            callback((), error)
        else:
            callback((("authorization", f"Bearer {token}"),), None)


def _ask(client: Client) -> tuple[str, float]:
    """Request a token; return it with its lifetime in seconds; raises NoToken."""
    # In the body, as Camunda's own clients do: all of Camunda's identity providers accept it there.
    form = {
        "grant_type": "client_credentials",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        **({"audience": client.audience} if client.audience else {}),
        **({"scope": client.scope} if client.scope else {}),
    }
    try:
        answer = httpx.post(client.url, data=form, verify=client.trust, timeout=ASK_SECONDS)
    except httpx.TimeoutException as error:
        raise NoToken(f"{client.url} did not answer within {ASK_SECONDS:g} s: see that it runs") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoToken(_unreachable(client.url, error)) from error
    body = _parsed(answer)
    token, seconds = body.get("access_token"), body.get("expires_in", DEFAULT_SECONDS)
    if answer.is_success and isinstance(token, str) and token:
        return token, _lasting(client, seconds)
    if answer.status_code in (400, 401, 403) and "error" in body:
        why = " ".join(f"{body['error']} {body.get('error_description', '')}".split())[:200]
        raise NoToken(f"{REFUSED} ({client.url}: {why}): {CHECK_CLIENT}")
    raise NoToken(f"{client.url} answered {answer.status_code} and no token: check CAMUNDA_OAUTH_URL")


def _lasting(client: Client, answered: Any) -> float:
    """Return the lifetime in seconds; NoToken unless it is positive and finite."""
    try:
        seconds = float(answered)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise NoToken(f"{client.url} gave a token without an end: check CAMUNDA_OAUTH_URL")
    return seconds


def _unreachable(url: str, error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {url} is not trusted ({cause.verify_message}): add its authority to the file of "
            "ZEEBE_CA_CERTIFICATE_PATH"
        )
    return f"{url} cannot be reached ({type(error).__name__}): check CAMUNDA_OAUTH_URL, and that it runs"


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    try:
        answered = answer.json()
    except ValueError:
        return {}
    return answered if isinstance(answered, dict) else {}
