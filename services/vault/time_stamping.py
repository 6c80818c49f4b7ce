"""Time stamps from an authority (RFC 3161), where the settings name one; after a few failed requests there is none.

A token is checked before it is kept, so that each can be checked later. A label that was signed without one stays so:
it is written once (docs/sealing.md, "Time stamps").
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from services.runtime import metrics
from services.runtime.logs import get_logger
from services.runtime.translations import Message, Text, Verbatim
from services.verifier.invalid import Invalid
from services.verifier.timestamps import LARGEST, check_token, token_of_reply

log = get_logger(__name__)

SECONDS = 10.0
PAUSES = (0.5, 2.0)  # before the second and the third time


class NotGranted(Exception):
    """The authority gave no token that holds; the text says why."""

    def __init__(self, message: str | Text) -> None:
        super().__init__(str(message))
        self.message = Verbatim(message) if isinstance(message, str) else message


@dataclass(frozen=True)
class HttpTimeStamper:
    """Asks the authority at ``url``; a `TimeStamper`. ``trusted``: who has to vouch for it, where that is known."""

    url: str
    trusted: Sequence[x509.Certificate] = ()
    pause: Callable[[float], None] = time.sleep
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def stamp(self, data: bytes) -> bytes | None:
        """A checked token over SHA-256 of ``data``; None, with a line in the log, where there was none to be had."""
        for pause in (*PAUSES, None):
            try:
                token = self._request_token(data)
            except NotGranted as error:
                cause = error
            else:
                metrics.TIMESTAMP_REQUESTS.labels("granted").inc()
                return token
            if pause is not None:
                self.pause(pause)
        metrics.TIMESTAMP_REQUESTS.labels("failed").inc()
        log.warning("sealed without a time stamp", authority=self.url, cause=str(cause))
        return None

    def check(self) -> None:
        """Request one token and discard it; raises NotGranted."""
        self._request_token(b"footage-desk doctor")

    def _request_token(self, data: bytes) -> bytes:
        request = TimestampRequestBuilder(data, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        headers = {"Content-Type": "application/timestamp-query", "User-Agent": "footage-desk"}
        try:
            token = token_of_reply(self._post(request.as_bytes(), headers))
            stamp = check_token(token, data, self.trusted)
        except httpx.HTTPError as error:
            raise NotGranted(Message("it does not answer ({error})", error=type(error).__name__)) from error
        except Invalid as error:
            raise NotGranted(str(error)) from error
        if stamp.nonce != request.nonce:
            raise NotGranted(Message("it has answered another question"))
        return token

    def _post(self, body: bytes, headers: dict[str, str]) -> bytes:
        with (
            httpx.Client(timeout=SECONDS, transport=self.transport, trust_env=False) as client,
            client.stream("POST", self.url, content=body, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise NotGranted(Message("it answers with HTTP {status}", status=answer.status_code))
            reply = b""
            for piece in answer.iter_bytes():
                reply += piece
                if len(reply) > LARGEST:
                    raise NotGranted(Message("its answer is too long"))
            return reply


def read_trusted(path: Path | None) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file; none without one. Raises OSError and ValueError."""
    return () if path is None else tuple(x509.load_pem_x509_certificates(path.read_bytes()))
