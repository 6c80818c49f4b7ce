"""Call an address that somebody outside answers: guarded, in time, without redirects, and never for long.

What is no HTTP asks here for the addresses that it may connect to.
"""

import ssl
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import httpx

from services.domain.notifications.channels.errors import Undelivered, caused_by
from services.runtime.addresses import AddressRefused, Guard, GuardedTransport, Target

MOST_WAIT = timedelta(hours=8)  # as long as the longest pause between two attempts


class TooLong(Exception):
    """The answer's body is longer than its reader wants."""


@dataclass(frozen=True)
class Answer:
    """What a server said. ``wait``: it wants no further call before, at most ``MOST_WAIT``."""

    status: int
    content: bytes = field(default=b"", repr=False)
    wait: timedelta = timedelta()


async def addresses_of(guard: Guard, host: str, port: int) -> list[str]:
    """Resolve a host once; return its addresses, of which the guard allows each. Raises Undelivered."""
    try:
        return await guard.resolve(Target("smtp", host, port, f"smtp://{host}:{port}"))
    except AddressRefused as error:
        raise Undelivered("address-refused", error.en) from error


async def call(
    guard: Guard,
    method: str,
    url: str,
    *,
    seconds: float,
    headers: dict[str, str],
    body: bytes,
    context: ssl.SSLContext | None = None,
    most: int = 0,
) -> Answer:
    """Return what the server says; raises Undelivered and TooLong.

    ``context``: the authorities to trust, else those of the machine. ``most``: bytes of the body that are read; by
    default it is left unread.
    """
    transport = httpx.AsyncHTTPTransport(verify=context or True, limits=httpx.Limits(max_keepalive_connections=0))
    try:
        with anyio.fail_after(seconds):
            async with (
                httpx.AsyncClient(
                    transport=GuardedTransport(guard, transport),
                    timeout=seconds,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
                client.stream(method, url, headers=headers, content=body) as answer,
            ):
                content = b""
                if most:
                    async for piece in answer.aiter_bytes(most):
                        content += piece
                        if len(content) > most:
                            raise TooLong
                return Answer(answer.status_code, content, _wait_of(answer.headers.get("Retry-After", "")))
    except AddressRefused as error:
        raise Undelivered("address-refused", error.en) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Undelivered("timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cause = "certificate" if caused_by(error, ssl.SSLError) else "unreachable"
        raise Undelivered(cause, str(error)) from error


def _wait_of(said: str) -> timedelta:
    """Return what Retry-After says in seconds; a date, which needs their clock, counts as nothing."""
    if not said.isascii() or not said.isdigit():
        return timedelta()
    return min(timedelta(seconds=int(said[:9])), MOST_WAIT)
