"""Run by Alembic, for each command: revisions on the connection that `upgrade` was given."""

from __future__ import annotations

from alembic import context

from interlock.audit.migrations import VERSION_TABLE
from interlock.audit.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite can alter few things in place; a batch copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
