"""Answers that are kept for a while: asked for by one at a time, and after a failure not at once again."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from services.domain.accounts.single_sign_on.errors import ProviderRefused

T = TypeVar("T")

CACHE_SECONDS = 3600.0
RETRY_SECONDS = 5.0


class Cached(Generic[T]):
    """What ``fetch`` last answered; its ProviderRefused is remembered too, for ``RETRY_SECONDS``.

    Whoever is not signed in can make the portal ask: a provider that is down must not be asked by each of them.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._kept: T | None = None
        self._failure: ProviderRefused | None = None
        self._asked_at = float("-inf")

    async def get(self) -> T:
        """Raises ProviderRefused."""
        return await self._get(CACHE_SECONDS)

    async def anew(self) -> T:
        """As ``get``, asked for again unless that was a moment ago."""
        return await self._get(RETRY_SECONDS)

    async def _get(self, longest: float) -> T:
        async with self._lock:
            age = self._monotonic() - self._asked_at
            if self._kept is not None and age < longest:
                return self._kept
            if self._failure is not None and age < RETRY_SECONDS:
                raise ProviderRefused(self._failure.code.removeprefix("provider-"), self._failure.detail)
            try:
                kept = await self._fetch()
            except ProviderRefused as refusal:
                self._kept, self._failure, self._asked_at = None, refusal, self._monotonic()
                raise
            self._kept, self._failure, self._asked_at = kept, None, self._monotonic()
            return kept
