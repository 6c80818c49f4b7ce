"""Who leaves while copies are out, and whom the organisation's directory names"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1190"
down_revision = "1189"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "leavings",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "person_id", "source", "begun_by")),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.CheckConstraint("source IN ('page', 'list', 'directory')", name=op.f("ck_leavings_source")),
        sa.CheckConstraint("outcome IN ('left', 'stays')", name=op.f("ck_leavings_outcome")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_leavings_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leavings")),
    )
    op.create_index(
        "ix_leavings_open", "leavings", ["person_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "directory_people",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("linked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_directory_people_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_directory_people")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_directory_people_entry_id")),
    )
