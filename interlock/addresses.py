"""Which addresses secrets may be sent to."""

from __future__ import annotations

from urllib.parse import urlsplit

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine."""


def is_private(url: str) -> bool:
    """Whether nobody else reads what is sent to an address: it is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL))
