"""Empty databases. SQLite files are copied from one that is migrated once, because migrating takes 0.25 s."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import inspect

from services.database import schema as database_schema
from services.database.unit_of_work import Database, connect


def lay_out(database: Database) -> None:
    """Bring a new database to the newest schema; it may be a copy that has it already."""
    engine = database.engine
    if engine.dialect.name == "sqlite" and engine.url.database and not Path(engine.url.database).exists():
        Path(engine.url.database).write_bytes(_migrated())
    elif not inspect(engine).has_table("alembic_version"):
        database_schema.migrate(engine)


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "database.sqlite3"
        engine = connect(f"sqlite:///{file}")
        database_schema.migrate(engine)
        engine.dispose()
        return file.read_bytes()
