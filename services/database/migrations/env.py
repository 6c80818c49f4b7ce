"""Alembic's entry point: runs on the connection of ``schema.migrate``."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import DefaultClause
from sqlalchemy.sql.elements import False_, True_

from services.database.base import Json, Moment, Whole
from services.database.schema import metadata

OURS = {repr(Json): "Json", repr(Whole): "Whole"}


def render(kind: str, thing: Any, _: object) -> str | Literal[False]:
    """Render our column types by name and portable boolean defaults; leave the rest to Alembic."""
    if kind == "server_default" and isinstance(thing, DefaultClause) and isinstance(thing.arg, True_ | False_):
        return "sa.true()" if isinstance(thing.arg, True_) else "sa.false()"
    if kind != "type":
        return False
    return "Moment()" if isinstance(thing, Moment) else OURS.get(repr(thing), False)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata(),
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
