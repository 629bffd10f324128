"""The Alembic environment of the audit database; every revision is a file in `versions`.

There is no `alembic.ini`: `upgrade` runs the revisions on a connection it is given.
"""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from interlock.errors import ConfigError

VERSION_TABLE = "interlock_audit_version"
"""Not Alembic's default name, so that an application may keep its own in the same database."""

# Alembic's `context` and `op` are globals of the process.
_ONE_AT_A_TIME = threading.Lock()
_ADVISORY_LOCK = 0x1A7E_410C


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest revision, within the transaction of `connection`.

    Processes that start at once queue up: on Postgres for an advisory lock, on SQLite for the
    write lock that `connection` took when it began.

    Raises:
        ConfigError: the database was written by a newer Interlock.
    """
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
