"""Attachments of applications and matters, and their objects in the store"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1147"
down_revision = "1146"
branch_labels = None
depends_on = None

TO_LOCK = sa.text("lock_due_since IS NOT NULL")
TO_PURGE = sa.text("purge_after IS NOT NULL AND purged_at IS NULL")
TO_SWEEP = sa.text("swept_at IS NULL AND (stored_at IS NULL OR unwanted_at IS NOT NULL)")


def upgrade() -> None:
    op.create_table(
        "attachment_uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("stored_at", Moment(), nullable=True),
        sa.Column("unwanted_at", Moment(), nullable=True),
        sa.Column("unwanted_because", sa.String(), nullable=True),
        sa.Column("swept_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_attachment_uploads_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment_uploads")),
        sa.UniqueConstraint("key", name=op.f("uq_attachment_uploads_key")),
    )
    op.create_index(
        "ix_attachment_uploads_to_sweep",
        "attachment_uploads",
        ["id"],
        sqlite_where=TO_SWEEP,
        postgresql_where=TO_SWEEP,
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("matter_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", Whole, nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("sealed", Json, nullable=False),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("of_form", sa.Boolean(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("bound_at", Moment(), nullable=True),
        sa.Column("retain_until", Moment(), nullable=True),
        sa.Column("lock_due_since", Moment(), nullable=True),
        sa.Column("purge_after", Moment(), nullable=True),
        sa.Column("purged_at", Moment(), nullable=True),
        sa.CheckConstraint("(application_id IS NULL) <> (matter_id IS NULL)", name=op.f("ck_attachments_one_subject")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_attachments_application_id")),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("fk_attachments_added_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    for column in ("application_id", "matter_id"):
        op.create_index(op.f(f"ix_attachments_{column}"), "attachments", [column])
    op.create_index("ix_attachments_to_lock", "attachments", ["id"], sqlite_where=TO_LOCK, postgresql_where=TO_LOCK)
    op.create_index(
        "ix_attachments_to_purge", "attachments", ["purge_after"], sqlite_where=TO_PURGE, postgresql_where=TO_PURGE
    )
