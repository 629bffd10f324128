"""How often one may ask: attempts to sign in by address, everything else by person."""

from __future__ import annotations

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from interlock.errors import TooManyRequests


class Limits:
    """Counters of one process.

    Args:
        requests: Requests of one person in a minute.
        logins: Attempts to sign in from one address in a minute.
    """

    def __init__(self, *, requests: int, logins: int) -> None:
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(requests)
        self._logins = RateLimitItemPerMinute(logins)

    async def count_request(self, subject: str) -> None:
        """Count a request of a person.

        Raises:
            TooManyRequests: it is one too many.
        """
        await self._count(self._requests, "request", subject)

    async def count_login(self, address: str) -> None:
        """Count an attempt to sign in, or a token that did not hold.

        Raises:
            TooManyRequests: it is one too many.
        """
        await self._count(self._logins, "login", address)

    async def _count(self, item: RateLimitItemPerMinute, what: str, who: str) -> None:
        if not await self._counters.hit(item, what, who):
            raise TooManyRequests(
                f"more than {item.amount} a minute is too much. Wait a minute.",
                retry_after_seconds=60,
            )
