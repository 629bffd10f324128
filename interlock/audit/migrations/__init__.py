"""The Alembic environment of the audit database; every revision is a file in `versions`.

There is no `alembic.ini`: `upgrade` runs the revisions on a connection it is given.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from interlock.errors import ConfigError

VERSION_TABLE = "interlock_audit_version"
"""Not Alembic's default name, so that an application may keep its own in the same database."""

# Alembic's `context` and `op` are globals of the process.
_ONE_AT_A_TIME = threading.Lock()
_ADVISORY_LOCK = 0x1A7E_410C
_VERSIONS = Path(__file__).parent / "versions"
NEWEST = max(path.name for path in _VERSIONS.glob("v*.py")).removeprefix("v").split("_")[0]
"""The newest revision."""


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest revision, within the transaction of `connection`.

    Processes that start at once queue up: on Postgres for an advisory lock, on SQLite for the
    write lock that `connection` took when it began.

    Raises:
        ConfigError: the database was written by a newer Interlock.
    """
    if _is_newest(connection):
        return
    # Loaded only when there is something to do: it would be a tenth of a worker's start.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(
                f"The audit database {connection.engine.url!r} was written by a newer Interlock "
                f"({error}). Install that version, or configure another database."
            ) from error


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  a constant
    return list(found.scalars()) == [NEWEST]
