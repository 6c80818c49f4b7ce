"""Call the provider within limits of time and size, without redirects."""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.notifications.channels.errors import caused_by
from services.runtime.addresses import AddressRefused, Guard, GuardedTransport, parse_networks
from services.runtime.settings import Settings, variable
from services.runtime.translations import Message

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 256 << 10  # metadata and key sets have a few KiB


@dataclass(frozen=True)
class ProviderResponse:
    """A response: its status and JSON object, empty where it has none."""

    status: int
    body: Mapping[str, Any]


class ProviderHttpClient:
    """An HTTP client.

    ``seconds`` limits a whole call; ``monotonic`` is the clock of cached answers.
    """

    def __init__(
        self, settings: Settings, *, seconds: float = TIMEOUT_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ca_file = settings.oidc.ca_file
        # The issuer's metadata names more addresses: the guard keeps them off internal networks.
        self._guard = Guard(parse_networks(settings.allowed_networks), ("https", "http"))
        self._seconds = seconds
        self.monotonic = monotonic

    async def get(self, url: str, token: str = "") -> ProviderResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._call("GET", url, headers, b"")

    async def post(self, url: str, headers: Mapping[str, str], form: str) -> ProviderResponse:
        return await self._call("POST", url, headers, form.encode())

    async def _call(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> ProviderResponse:
        """Call the provider.

        Raises ProviderRefused; its detail holds nothing of the answer's text.
        """
        # No compression: a small answer could expand to a large one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            with anyio.fail_after(self._seconds):
                async with (
                    httpx.AsyncClient(
                        transport=GuardedTransport(self._guard, self._transport()),
                        timeout=self._seconds,
                        follow_redirects=False,
                        trust_env=False,
                    ) as client,
                    client.stream(method, url, headers=headers, content=content) as response,
                ):
                    return await _read(response)
        except AddressRefused as error:
            raise ProviderRefused(
                "unreachable", Message("{address}: {error}", address=url, error=error.message)
            ) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ProviderRefused(
                "timeout",
                Message("{address} did not answer within {seconds} s", address=url, seconds=f"{self._seconds:g}"),
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderRefused("unreachable", _unreachable(url, error)) from error

    def _transport(self) -> httpx.AsyncBaseTransport:
        context = ssl.create_default_context(cafile=self._ca_file)
        return httpx.AsyncHTTPTransport(verify=context, limits=httpx.Limits(max_keepalive_connections=0))


async def _read(response: httpx.Response) -> ProviderResponse:
    values: dict[str, str | int] = {"address": str(response.url.copy_with(query=None)), "status": response.status_code}
    if 300 <= response.status_code < 400:
        raise ProviderRefused(
            "invalid-answer",
            Message(
                "{address} answered HTTP {status} and points elsewhere: set the issuer that answers itself", **values
            ),
        )
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProviderRefused(
            "invalid-answer",
            Message(
                "{address} answered HTTP {status}, compressed although nothing else was asked for than plain JSON",
                **values,
            ),
        )
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise ProviderRefused(
                "invalid-answer",
                Message(
                    "{address} answered HTTP {status} with more than {most} KiB", most=MAX_ANSWER_BYTES >> 10, **values
                ),
            )
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if response.is_success and not isinstance(body, dict):
        raise ProviderRefused(
            "invalid-answer", Message("{address} answered HTTP {status} and no JSON object", **values)
        )
    return ProviderResponse(response.status_code, body if isinstance(body, dict) else {})


def _unreachable(url: str, error: Exception) -> Message:
    if caused_by(error, ssl.SSLError):
        return Message(
            "no encrypted connection to {address} came about ({error}): set its authority in {variable}",
            address=url,
            error=str(error),
            variable=variable("oidc.ca_file"),
        )
    return Message("{address} cannot be reached ({error})", address=url, error=type(error).__name__)
