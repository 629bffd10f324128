"""Opening the audit database: what is refused, and what the error says."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import SQLModel, text

from interlock.audit.contract import EventFilter
from interlock.audit.database import Database
from interlock.audit.failures import explained
from interlock.audit.store import SqlAuditStore
from interlock.errors import ConfigError, DatabaseBusy, DatabaseUnreachable, StoreUnwritable


@pytest.mark.parametrize(
    "url",
    [
        "audit.db",
        "sqlite:///audit.db",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "postgresql://host/name",
        "mysql+aiomysql://host/name",
    ],
)
def test_other_urls_are_refused(url):
    """A URL that is neither an SQLite file nor Postgres is refused, with the two that are allowed."""
    with pytest.raises(ConfigError, match=r"sqlite\+aiosqlite:///FILE.*postgresql\+psycopg://"):
        Database(url)


def test_password_is_not_shown():
    """The error on a refused URL does not have its password."""
    with pytest.raises(ConfigError) as refused:
        Database("mysql://user:hunter2@host/name")

    assert "hunter2" not in str(refused.value)


def test_missing_driver_is_named():
    """Without psycopg the error says which extra to install."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from interlock.audit.database import Database\n"
        "from interlock.errors import ConfigError\n"
        "try: Database('postgresql+psycopg://host/name')\n"
        "except ConfigError as error: sys.exit(f'told: {error}')\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stderr.startswith("told: ")
    assert "interlock[postgres]" in run.stderr


async def test_sqlite_is_opened_for_several_processes(tmp_path):
    """The file is in WAL mode, its folder is made, and closing leaves only the one file."""
    path = tmp_path / "new" / "folder" / "audit.db"

    async with Database(f"sqlite+aiosqlite:///{path}", busy_seconds=3) as database:

        def settings(connection):
            return [
                connection.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]

        assert await database.read(settings) == ["wal", 2, 3000]  # 2 is FULL

    assert {file.name for file in path.parent.iterdir()} <= {"audit.db", "audit.db.lock"}


async def test_databases_are_opened_side_by_side(tmp_path):
    """One process may open several databases at once, although Alembic has global state."""
    databases = [Database(f"sqlite+aiosqlite:///{tmp_path}/{n}.db") for n in range(8)]

    await asyncio.gather(*(database.open() for database in databases))

    for database in databases:
        assert await SqlAuditStore(database).count(EventFilter()) == 0
        await database.close()


async def test_writers_of_one_process_take_turns(tmp_path):
    """Writers on one SQLite file get their turn in the order in which they came."""
    order, begun, go_on = [], threading.Event(), threading.Event()

    def write(number, _):
        order.append(number)
        begun.set()
        go_on.wait(10)

    async with Database(f"sqlite+aiosqlite:///{tmp_path}/audit.db") as database:
        writers = [asyncio.create_task(database.write(partial(write, 0)))]
        await asyncio.to_thread(begun.wait, 10)
        writers += [asyncio.create_task(database.write(partial(write, n))) for n in range(1, 30)]
        await asyncio.wait(writers, timeout=0.3)
        go_on.set()
        await asyncio.gather(*writers)

    assert order == list(range(30))


async def test_waiting_writers_share_a_commit(tmp_path):
    """Writers that wait for another one's commit are committed together, and one that fails is alone."""
    begun, go_on, commits = threading.Event(), threading.Event(), []

    def hold(_):
        begun.set()
        go_on.wait(10)

    def note(key, connection):
        connection.execute(text("INSERT INTO noted VALUES (:key)"), {"key": key})
        if key == 3:
            raise ZeroDivisionError

    def create(connection):
        event.listen(connection.engine, "commit", lambda _: commits.append(None))
        connection.execute(text("CREATE TABLE noted (key INTEGER)"))

    def noted(connection):
        return list(connection.execute(text("SELECT key FROM noted ORDER BY key")).scalars())

    async with Database(f"sqlite+aiosqlite:///{tmp_path}/audit.db") as database:
        await database.write(create)
        for keys, expected in (([1, 2], 1), ([3, 4, 5], 2)):
            commits.clear(), begun.clear(), go_on.clear()
            holding = asyncio.create_task(database.write(hold))
            await asyncio.to_thread(begun.wait, 10)
            writers = [asyncio.create_task(database.write(partial(note, key))) for key in keys]
            await asyncio.sleep(0)
            go_on.set()
            answers = await asyncio.gather(holding, *writers, return_exceptions=True)
            assert len(commits) == 1 + expected
            failed = [type(answer) for answer in answers if answer is not None]
            assert failed == ([ZeroDivisionError] if 3 in keys else [])

        assert await database.read(noted) == [1, 2, 4, 5]


async def test_folder_that_cannot_be_made_is_named(tmp_path):
    """A path below a file is refused with the path."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "audit.db"

    with pytest.raises(StoreUnwritable, match="cannot be written") as refused:
        await Database(f"sqlite+aiosqlite:///{path}").open()

    assert refused.value.details == {"path": str(path)}


async def test_folder_in_place_of_the_file_is_named(tmp_path):
    """A folder where the database should be is refused with its path."""
    path = tmp_path / "audit.db"
    path.mkdir()

    with pytest.raises(StoreUnwritable) as refused:
        await Database(f"sqlite+aiosqlite:///{path}").open()

    assert refused.value.details == {"path": str(path)}


def test_read_only_file_is_named(tmp_path):
    """SQLite's refusal to write a read-only file becomes an error that names the file."""
    path = tmp_path / "audit.db"
    sqlite3.connect(path).close()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    with pytest.raises(StoreUnwritable) as refused, explained(make_url(f"sqlite:///{path}")):
        _raise_as_sqlalchemy(lambda: connection.execute("CREATE TABLE t (a)"))

    connection.close()
    assert refused.value.details == {"path": str(path)}


async def test_another_process_that_migrates_for_too_long(tmp_path):
    """Opening while another process holds the folder's lock ends as busy."""
    path = tmp_path / "audit.db"
    with FileLock(f"{path}.lock"), pytest.raises(DatabaseBusy):
        await Database(f"sqlite+aiosqlite:///{path}", busy_seconds=0.1).open()


async def test_no_server(tmp_path):
    """A Postgres that does not answer is told by its URL, without the password."""
    database = Database(f"postgresql+psycopg://user:hunter2@/name?host={tmp_path}")

    with pytest.raises(DatabaseUnreachable, match="No database answers at") as refused:
        await database.open()

    assert refused.value.retryable
    assert "hunter2" not in str(refused.value) + str(refused.value.details)
    await database.close()


def test_no_free_connection_is_busy():
    """When every connection is in use for too long the call may be made again."""
    with pytest.raises(DatabaseBusy), explained(make_url("sqlite:///x")):
        raise PoolTimeout


def test_other_database_errors_pass(tmp_path):
    """An error that nobody but a developer can act on keeps its own type."""
    connection = sqlite3.connect(tmp_path / "audit.db")

    with pytest.raises(OperationalError, match="no such table"), explained(make_url("sqlite:///x")):
        _raise_as_sqlalchemy(lambda: connection.execute("SELECT * FROM missing"))

    connection.close()


def test_tables_stay_out_of_the_applications_metadata():
    """An application's own SQLModel tables never meet those of this room."""
    assert not {"audit_event", "effect", "consumed_decision"} & set(SQLModel.metadata.tables)


def test_room_is_light():
    """Importing the room brings in neither a database library nor Temporal."""
    code = (
        "import sys, interlock.audit\n"
        "heavy = {'sqlalchemy', 'sqlmodel', 'alembic', 'temporalio', 'filelock'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr.strip()) == (0, "")


def test_migrations_are_in_the_package():
    """The revisions are found beside the code, wherever it is installed."""
    import interlock.audit.migrations as migrations

    versions = Path(migrations.__file__).parent / "versions"
    assert sorted(file.name for file in versions.glob("v*.py")) == [
        "v0001_events_and_effects.py",
        "v0002_breakers.py",
        "v0003_limits.py",
        "v0004_credentials.py",
    ]
    assert ScriptDirectory(versions.parent).get_current_head() == migrations.NEWEST


OPENING = """
import asyncio, sys
from interlock.audit.database import Database
async def main():
    async with Database(sys.argv[1]):
        print("alembic" in sys.modules)
asyncio.run(main())
"""


async def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path):
    """The library of migrations is loaded only where there is something to migrate."""
    url = f"sqlite+aiosqlite:///{tmp_path}/audit.db"
    async with Database(url):
        pass

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OPENING, url), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()

    assert (process.returncode, said.strip()) == (0, b"False")


def _raise_as_sqlalchemy(statement):
    try:
        statement()
    except sqlite3.Error as error:
        raise OperationalError("statement", {}, error) from error
