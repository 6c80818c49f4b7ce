"""Cameras have a site of their own, and pins on plans of floors; what a recorder lists no longer is marked"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1188"
down_revision = "1186"
branch_labels = None
depends_on = None


def upgrade() -> None:
    site = sa.Column("site_id", sa.String(), sa.ForeignKey("sites.id", name=op.f("fk_cameras_site_id")), nullable=True)
    op.add_column("cameras", site, inline_references=True)
    op.create_index(op.f("ix_cameras_site_id"), "cameras", ["site_id"])
    op.add_column("cameras", sa.Column("unlisted_at", Moment(), nullable=True))
    op.create_table(
        "floor_plans",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("id", "site_id", "building_zh", "building_en", "floor_zh", "floor_en")
        ),
        sa.Column("level", Whole, nullable=False),
        *(sa.Column(name, Whole, nullable=True) for name in ("width", "height")),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_floor_plans_site_id")),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_floor_plans_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_floor_plans")),
        sa.UniqueConstraint("site_id", "building_zh", "floor_zh", name=op.f("uq_floor_plans_site_id")),
    )
    op.create_index(op.f("ix_floor_plans_site_id"), "floor_plans", ["site_id"])
    op.create_table(
        "floor_plan_pictures",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("plan_id", "encrypted")),
        sa.ForeignKeyConstraint(["plan_id"], ["floor_plans.id"], name=op.f("fk_floor_plan_pictures_plan_id")),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_floor_plan_pictures")),
    )
    op.create_table(
        "camera_pins",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("plan_id", "camera_id")),
        *(sa.Column(name, Whole, nullable=False) for name in ("x", "y")),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["floor_plans.id"], name=op.f("fk_camera_pins_plan_id")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_camera_pins_camera_id")),
        sa.ForeignKeyConstraint(["placed_by"], ["people.id"], name=op.f("fk_camera_pins_placed_by")),
        sa.PrimaryKeyConstraint("plan_id", "camera_id", name=op.f("pk_camera_pins")),
    )
    op.create_index(op.f("ix_camera_pins_camera_id"), "camera_pins", ["camera_id"])
