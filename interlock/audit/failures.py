"""What a database driver's error means to whoever runs the deployment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from interlock.audit.folders import unwritable
from interlock.errors import (
    DatabaseBusy,
    DatabaseUnreachable,
    InterlockError,
)

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_UNWRITABLE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
# lock not available, deadlock, serialization failure, too many connections
_POSTGRES_BUSY = {"55P03", "40P01", "40001", "53300"}
# connection exceptions; shutting down, crashed or starting up
_POSTGRES_GONE = ("08", "57P")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the driver's errors that somebody can act on into this project's; pass on the others.

    Raises:
        DatabaseBusy: another writer held a lock for too long, or every connection was in use.
        DatabaseUnreachable: no server answered, or it went away.
        StoreUnwritable: the database file or its folder cannot be written.
    """
    try:
        yield
    except PoolTimeout as error:
        raise busy(url, error) from error
    except DBAPIError as error:
        known = _known(url, error.orig)
        if known is None:
            raise
        raise known from error


def busy(url: URL, error: BaseException | None) -> DatabaseBusy:
    """Say that the database at `url` gave no lock in time."""
    return DatabaseBusy(
        f"The database {str(url)!r} did not give a lock in time: {str(error).strip()}. Look for a "
        "process that keeps a transaction open (a database browser, a backup); the call may be "
        "made again.",
        url=str(url),
    )


def _known(url: URL, error: BaseException | None) -> InterlockError | None:
    if isinstance(error, sqlite3.Error):
        # The low byte is the code; the rest says more about it.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _SQLITE_BUSY:
            return busy(url, error)
        return unwritable(url.database, error) if code in _SQLITE_UNWRITABLE else None
    return _known_to_postgres(url, error)


def _known_to_postgres(url: URL, error: BaseException | None) -> InterlockError | None:
    state = getattr(error, "sqlstate", None)
    if state in _POSTGRES_BUSY:
        return busy(url, error)
    # psycopg gives an OperationalError no state when there was no connection, or no longer one.
    lost = state is None and type(error).__name__ == "OperationalError"
    if lost or (state or "").startswith(_POSTGRES_GONE):
        return DatabaseUnreachable(
            f"No database answers at {str(url)!r}: {str(error).strip()}. Start the server, or correct the "
            "URL in the audit settings.",
            url=str(url),
        )
    return None
