"""The database as text: every table of one snapshot, in a form that SQLite and PostgreSQL both load.

The backup itself describes the columns and their kinds, so that a backup of an older schema is loaded into that schema
first and then migrated.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Double,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    inspect,
    literal,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

from services.backup.bundle import Bundle, BundleWriter
from services.database import schema as database_schema
from services.database.base import Json, Moment, Whole
from services.database.engine import UNLIMITED, connect_arguments, lift_limits
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings.database import DatabaseSettings

ROWS_AT_ONCE = 500
LARGE_AT_ONCE = 20  # of rows that have the place of each key frame
MOST_AT_ONCE = 4 << 20  # bytes of lines
VERSIONS = "alembic_version"
KINDS: dict[str, TypeEngine[Any]] = {
    "text": String(),
    "datetime": Moment(),
    "date": Date(),
    "integer": Whole,
    "json": Json,
    "boolean": Boolean(),
    "float": Double(),
    "bytes": LargeBinary(),
}


@contextmanager
def snapshot(url: str, settings: DatabaseSettings = UNLIMITED) -> Iterator[Connection]:
    """Open a read-only snapshot that blocks no writer; Retryable if the database does not answer."""
    arguments = connect_arguments(make_url(url), settings)
    arguments.pop("target_session_attrs", None)  # a standby will do
    engine = create_engine(url, connect_args=arguments, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_read_only)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        options: dict[str, Any] = {}
    else:
        lift_limits(engine, settings)
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        with engine.connect().execution_options(**options) as connection:
            yield connection
    except OperationalError as error:
        raise unavailable(engine, error) from error
    finally:
        engine.dispose()


def revision_of(connection: Connection) -> str:
    """Return the schema's revision; raises Fatal unless it is the newest: no other can be backed up."""
    newest = ScriptDirectory(str(database_schema.migrations())).get_current_head()
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None or present != newest:
        raise Fatal(
            f"no backup was made | the database has the schema {present or 'none'} and not {newest} | this version "
            "knows its own schema only | run footage-desk migrate, or take the backup with the version that runs there"
        )
    return present


def dump(connection: Connection, out: BundleWriter) -> dict[str, int]:
    """Write every table, in an order in which they can be loaded; return the number of rows of each."""
    rows = {}
    for table in database_schema.metadata().sorted_tables:
        columns = [_describe(table, column) for column in table.columns]
        kinds = [column["kind"] for column in columns]
        query = select(table).order_by(*table.primary_key.columns)
        at_once = LARGE_AT_ONCE if "sealed" in table.columns else ROWS_AT_ONCE
        result = connection.execute(query, execution_options={"yield_per": at_once})
        rows[table.name] = 0
        with out.member(member_of(table.name)) as file:
            file.write(_line({"table": table.name, "columns": columns}))
            for row in result:
                file.write(_line([_encode(kind, value) for kind, value in zip(kinds, row, strict=True)]))
                rows[table.name] += 1
    return rows


def member_of(table: str) -> str:
    return f"database/{table}.jsonl"


def check_may_load(engine: Engine) -> None:
    """Raise Fatal for an account that may make no tables: such as that of a part, beside the one that owns them."""
    if engine.dialect.name != "postgresql":
        return
    try:
        with engine.connect() as connection:
            may = connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')"))
    except OperationalError as error:
        raise unavailable(engine, error) from error
    if not may:
        raise Fatal(
            f"nothing was restored | {engine.url.render_as_string()} | this account may not make tables | name the "
            "account that owns them in FOOTAGE_DESK_DATABASE_URL"
        )


def check_empty(engine: Engine) -> None:
    """Raise Fatal if any table has a row: existing rows are never mixed with a backup, and never replaced."""
    try:
        with engine.connect() as connection:
            for name in inspect(connection).get_table_names():
                if name == VERSIONS:
                    continue
                if connection.execute(select(literal(1)).select_from(Table(name, MetaData())).limit(1)).first():
                    where = engine.url.render_as_string()
                    raise Fatal(
                        f"nothing was restored | the database at {where} | it is not empty: {name} has rows | restore "
                        "into an empty database or another FOOTAGE_DESK_DATA_DIR, or move the old one away first"
                    )
    except OperationalError as error:
        raise unavailable(engine, error) from error


def check_revision(revision: str) -> None:
    """Raise Fatal for a schema that this version cannot migrate to its own."""
    if revision in database_schema.BEFORE_THE_FIRST_RELEASE:
        raise Fatal(
            f"nothing was restored | the schema {revision} | it is from before the first release, and no release "
            "migrates it | restore with the version that made the backup"
        )
    try:
        ScriptDirectory(str(database_schema.migrations())).get_revision(revision)
    except CommandError as error:
        raise Fatal(
            f"nothing was restored | the schema {revision} | this version does not know it, so a newer one made "
            "the backup | restore with that version or a newer one"
        ) from error


def load(connection: Connection, bundle: Bundle) -> None:
    """Insert every row of the backup into the empty tables of its schema; the caller commits."""
    for name, count in bundle.manifest["tables"].items():
        loaded = _load_table(connection, bundle, name)
        if loaded != count:
            raise Fatal(
                f"nothing was restored | {bundle.place}, table {name} | it has {loaded} rows and should have {count} | "
                "take another backup"
            )


def unavailable(engine: Engine, error: OperationalError) -> Retryable:
    return Retryable(
        f"the database did not answer | {engine.url.render_as_string()} | {error.orig} | "
        "check that the database runs and is reachable"
    )


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    own: bool  # a foreign key to its own table, so it is set when all rows exist


def _load_table(connection: Connection, bundle: Bundle, name: str) -> int:
    with bundle.open(member_of(name)) as file:
        columns = [
            _Column(column["name"], column["kind"], column["selfReference"])
            for column in json.loads(file.readline())["columns"]
        ]
        table = Table(name, MetaData(), *(Column(column.name, KINDS[column.kind]) for column in columns))
        count, size, batch, later = 0, 0, list[dict[str, Any]](), list[dict[str, Any]]()
        for line in file:
            values = json.loads(line)
            row = {column.name: _decode(column.kind, value) for column, value in zip(columns, values, strict=True)}
            own = {column.name: row[column.name] for column in columns if column.own and row[column.name] is not None}
            if own:
                later.append({"id": row["id"], **own})
            batch.append({**row, **dict.fromkeys(own)})
            count, size = count + 1, size + len(line)
            if len(batch) == ROWS_AT_ONCE or size >= MOST_AT_ONCE:
                connection.execute(table.insert(), batch)
                size, batch = 0, []
        if batch:
            connection.execute(table.insert(), batch)
        for column in later:
            key = column.pop("id")
            connection.execute(table.update().where(table.c.id == key).values(**column))
    if connection.dialect.name == "postgresql":
        _set_sequences(connection, table)
    return count


def _set_sequences(connection: Connection, table: Table) -> None:
    """Set PostgreSQL's sequences after the highest number that was loaded."""
    for column in table.columns:
        named = {"relation": f'"{table.name}"', "column": column.name}
        counter = connection.execute(text("SELECT pg_get_serial_sequence(:relation, :column)"), named).scalar()
        highest = connection.execute(select(func.max(column))).scalar() if counter else None
        if highest is not None:
            connection.execute(text("SELECT setval(:counter, :highest)"), {"counter": counter, "highest": highest})


def _describe(table: Table, column: Column[Any]) -> dict[str, Any]:
    own = any(key.column.table is table for key in column.foreign_keys)
    return {"name": column.name, "kind": _kind_of(column.type), "selfReference": own}


def _kind_of(kind: TypeEngine[Any]) -> str:
    for known, word in (
        (Moment, "datetime"),
        (Date, "date"),
        (Boolean, "boolean"),
        (Integer, "integer"),  # BigInteger is one
        (JSON, "json"),
        (Float, "float"),
        (LargeBinary, "bytes"),
        (String, "text"),
    ):
        if isinstance(kind, known):
            return word
    raise TypeError(f"a backup does not know how to write a column of the type {kind!r}")


def _encode(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind in ("datetime", "date"):
        return value.isoformat()
    return base64.b64encode(value).decode() if kind == "bytes" else value


def _decode(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "datetime":
        return datetime.fromisoformat(value)
    if kind == "date":
        return date.fromisoformat(value)
    return base64.b64decode(value) if kind == "bytes" else value


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _set_read_only(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin or commit transactions by itself
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA busy_timeout=10000")
