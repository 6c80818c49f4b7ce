"""The schema: all tables in one metadata, and the migrations of a database to it.

From the first release (1000) on, each release migrates what the one before it wrote.
"""

from contextlib import closing
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData

from services.database import tables  # noqa: F401 - importing them enters them into the metadata
from services.database.base import Base
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Fatal
from services.runtime.translations import Message

# The schemas that were made while the first release was written, which no migration starts from.
BEFORE_THE_FIRST_RELEASE = frozenset(f"{number:04}" for number in range(1, 8))


def metadata() -> MetaData:
    """Return the metadata with all tables in it."""
    return Base.metadata


def migrations() -> Path:
    """Return the folder of the migrations."""
    return Path(__file__).with_name("migrations")


@cache
def _scripts_in(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def _scripts() -> ScriptDirectory:
    return _scripts_in(migrations())


def migrate(engine: Engine, revision: str = "head") -> None:
    """Migrate the database to ``revision``, by default the newest.

    A second run changes nothing. Raises Fatal for a database from before the first release, or of a newer one.
    """
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations()))
    with engine.connect() as connection:
        present = _present(connection)
        if revision == "head" and present == _scripts().get_current_head():
            return  # each start of each part comes here, and alembic would load every migration to do nothing
        _refuse_foreign(connection, present)
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
        connection.commit()


def scrub(engine: Engine) -> None:
    """Remove from SQLite's file and its log what rows held before; PostgreSQL keeps it until its own vacuum."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("VACUUM")  # writes the file anew, without the pages that nothing uses
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def check(uow: UnitOfWork) -> str:
    """Return the database's schema; raises Fatal unless it is the newest."""
    return check_in(uow.session.connection())


def check_in(connection: Connection) -> str:
    """Return the schema of a connection's database; raises Fatal unless it is the newest."""
    newest = _scripts().get_current_head()
    present = _present(connection)
    if present == newest:
        return newest or "none"
    if present is None:
        raise Fatal(Message("the database is empty: run footage-desk migrate"))
    _refuse_foreign(connection, present)
    raise Fatal(
        Message(
            "the database has the schema {present} and not {newest}: run footage-desk migrate of this version",
            present=present,
            newest=newest,
        )
    )


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_foreign(connection: Connection, present: str | None) -> None:
    """Raise Fatal for a schema that no migration of this release leads on from."""
    if present in BEFORE_THE_FIRST_RELEASE:
        raise Fatal(
            Message(
                "the database was not opened | {address} | its schema {present} is from before the first release, and "
                "no release migrates it | nothing was changed or deleted: move the data folder (FOOTAGE_DESK_DATA_DIR, "
                "var) away, and with FOOTAGE_DESK_DATABASE_URL name an empty database, then start again",
                address=connection.engine.url.render_as_string(),
                present=present,
            )
        )
    known = {script.revision for script in _scripts().walk_revisions()}
    if present is not None and present not in known:
        raise Fatal(
            Message(
                "the database has the schema {present} of a newer release, which this one does not know | nothing was "
                "changed: run that release, or with this one restore the backup from before",
                present=present,
            )
        )
