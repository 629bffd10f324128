"""POST requests of channels, whose addresses may be secrets: neither errors nor logs have them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import httpx

from interlock.errors import NotTold

_LOG = logging.getLogger("httpx")
"""httpx writes the address of every request to its log."""


async def post(
    client: httpx.AsyncClient,
    channel: str,
    url: str,
    content: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send JSON and expect a yes.

    Args:
        client: A client that follows no redirects.
        channel: Name of the channel, for errors.
        url: Where it is sent.
        content: The JSON.
        headers: More headers.

    Raises:
        NotTold: there was no answer, or another one than 2xx.
    """
    wanted = {"Content-Type": "application/json", "User-Agent": "interlock", **(headers or {})}
    try:
        answer = await client.post(url, content=content, headers=wanted)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Without its cause, which knows the address: failures are in the run's history.
        raise NotTold(f"{channel!r} cannot be reached: {type(error).__name__}.") from None
    if not answer.is_success:
        raise NotTold(f"{channel!r} answered {answer.status_code}.")


@contextmanager
def kept_out_of_logs(urls: Iterable[str]) -> Iterator[None]:
    """Write addresses without their paths to httpx's log while the context lasts."""
    found = _Masked(urls)
    _LOG.addFilter(found)
    try:
        yield
    finally:
        _LOG.removeFilter(found)


class _Masked(logging.Filter):
    def __init__(self, urls: Iterable[str]) -> None:
        super().__init__()
        self._masked = {str(httpx.URL(url)): _masked(httpx.URL(url)) for url in urls}

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(self._masked.get(str(item), item) for item in record.args)
        return True


def _masked(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode().rpartition('@')[2]}/***"
