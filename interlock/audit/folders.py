"""What a folder or file that cannot be written means. Light: a replay of a run imports it."""

from __future__ import annotations

from interlock.errors import StoreUnwritable


def unwritable(path: object, error: BaseException) -> StoreUnwritable:
    """Say that `path` cannot be written, and why."""
    return StoreUnwritable(
        f"{str(path)!r} cannot be written: {error}. Give this user the right to write it, free "
        "disk space, or configure another place.",
        path=str(path),
    )
