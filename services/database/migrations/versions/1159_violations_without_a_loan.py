"""Violations of a case that has no loan, such as an urgent retrieval that nobody has approved afterwards"""

import sqlalchemy as sa
from alembic import op

revision = "1159"
down_revision = "1158"
branch_labels = None
depends_on = None

suspensions = sa.table("suspensions", sa.column("id"), sa.column("violation_id"))


def upgrade() -> None:
    connection = op.get_bind()
    # SQLite makes the table anew, and drops the old one only while no suspension refers to a violation
    named = [] if connection.dialect.name != "sqlite" else _list_named(connection)
    for suspension, _ in named:
        _refer(connection, suspension, None)
    # the tables that violations refer to stay as they are, and are not read
    with op.batch_alter_table("violations", reflect_kwargs={"resolve_fks": False}) as table:
        table.alter_column("hand_over_id", existing_type=sa.String(), nullable=True)
    for suspension, violation in named:
        _refer(connection, suspension, violation)


def _list_named(connection: sa.Connection) -> list[tuple[str, str]]:
    query = sa.select(suspensions.c.id, suspensions.c.violation_id).where(suspensions.c.violation_id.is_not(None))
    return [(row.id, row.violation_id) for row in connection.execute(query)]


def _refer(connection: sa.Connection, suspension: str, violation: str | None) -> None:
    connection.execute(suspensions.update().where(suspensions.c.id == suspension).values(violation_id=violation))
