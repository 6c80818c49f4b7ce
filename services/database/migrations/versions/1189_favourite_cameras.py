"""The cameras that each person has marked"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment

revision = "1189"
down_revision = "1188"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "favourite_cameras",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("person_id", "camera_id")),
        sa.Column("since", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_favourite_cameras_person_id")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_favourite_cameras_camera_id")),
        sa.PrimaryKeyConstraint("person_id", "camera_id", name=op.f("pk_favourite_cameras")),
    )
    op.create_index(op.f("ix_favourite_cameras_camera_id"), "favourite_cameras", ["camera_id"])
