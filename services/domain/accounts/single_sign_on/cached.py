"""Cache the provider's answers.

One caller fetches at a time, and a failure is not retried at once.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from services.domain.accounts.single_sign_on.errors import ProviderRefused

T = TypeVar("T")

CACHE_SECONDS = 3600.0
RETRY_SECONDS = 5.0


class Cached(Generic[T]):
    """The last answer of ``fetch``, or its ProviderRefused for ``RETRY_SECONDS``.

    Anonymous visitors trigger requests: a provider that is down must not be asked by each of them.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._value: T | None = None
        self._failure: ProviderRefused | None = None
        self._fetched_at = float("-inf")

    async def get(self) -> T:
        """Return the answer. Raises ProviderRefused."""
        return await self._get(CACHE_SECONDS)

    async def refresh(self) -> T:
        """Return an answer that is at most ``RETRY_SECONDS`` old."""
        return await self._get(RETRY_SECONDS)

    async def _get(self, max_age: float) -> T:
        async with self._lock:
            age = self._monotonic() - self._fetched_at
            if self._value is not None and age < max_age:
                return self._value
            if self._failure is not None and age < RETRY_SECONDS:
                raise ProviderRefused(self._failure.code.removeprefix("provider-"), self._failure.detail)
            try:
                value = await self._fetch()
            except ProviderRefused as refusal:
                self._value, self._failure, self._fetched_at = None, refusal, self._monotonic()
                raise
            self._value, self._failure, self._fetched_at = value, None, self._monotonic()
            return value
