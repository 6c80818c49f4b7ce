"""What a case is about: its title, cases by camera, time and incident, saved searches, columns of the register"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1141"
down_revision = "1140"
branch_labels = None
depends_on = None

ASKED = sa.text("dropped_in_round IS NULL")
OF_TIME = ["asked_end", "asked_start", "application_id"]


def upgrade() -> None:
    op.add_column("applications", sa.Column("title", sa.String(), nullable=True))
    op.create_index("ix_applications_incident", "applications", [sa.text("lower(incident_reference)")])
    for name, columns in (("ix_items_of_camera", ["camera_id", *OF_TIME]), ("ix_items_of_time", OF_TIME)):
        op.create_index(name, "items", columns, sqlite_where=ASKED, postgresql_where=ASKED)
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("saved_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_saved_searches_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint("person_id", "name", name=op.f("uq_saved_searches_person_id")),
    )
    op.add_column("people", sa.Column("register_columns", Json, nullable=True))
