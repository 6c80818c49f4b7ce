"""The register's schema: all tables in one metadata, and the migrations that bring a database to it."""

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


def metadata() -> MetaData:
    """The metadata with every book's tables in it."""
    return Base.metadata


def migrations() -> Path:
    """The folder of the migrations."""
    return Path(__file__).with_name("migrations")


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to ``revision``, the newest unless one is named. Running it again changes nothing."""
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations()))
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
        connection.commit()


def check(uow: UnitOfWork) -> str:
    """Which schema the database has; raises Fatal when it is not the newest."""
    return check_in(uow.session.connection())


def check_in(connection: Connection) -> str:
    """As ``check``."""
    newest = ScriptDirectory(str(migrations())).get_current_head()
    present = MigrationContext.configure(connection).get_current_revision()
    if present == newest:
        return newest or "none"
    if present is None:
        raise Fatal("the database is empty: run footage-desk migrate")
    raise Fatal(f"the database has the schema {present} and not {newest}: run footage-desk migrate of this version")
