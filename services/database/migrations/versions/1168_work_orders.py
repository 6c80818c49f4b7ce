"""Work orders with their attempts, and the schedules that open them"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1168"
down_revision = "1167"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "work_orders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=True),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("subject_label", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("title_zh", sa.String(), nullable=False),
        sa.Column("title_en", sa.String(), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("facts_sha256", sa.String(), nullable=False),
        sa.Column("doer_id", sa.String(), nullable=True),
        sa.Column("doer_post", sa.String(), nullable=True),
        sa.Column("doer_department_id", sa.String(), nullable=True),
        sa.Column("doer_department_kind", sa.String(), nullable=True),
        sa.Column("verifier_id", sa.String(), nullable=True),
        sa.Column("verifier_post", sa.String(), nullable=True),
        sa.Column("verifier_department_id", sa.String(), nullable=True),
        sa.Column("verifier_department_kind", sa.String(), nullable=True),
        sa.Column("opened_by", sa.String(), nullable=True),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("process_instance_key", Whole, nullable=True),
        sa.Column("attempt", Whole, server_default="1", nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("escalations", Whole, server_default="0", nullable=False),
        sa.Column("finding_due_at", Moment(), nullable=True),
        sa.Column("finding_id", sa.String(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.Column("closed_because", sa.String(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_work_orders_application_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["people.id"], name=op.f("fk_work_orders_closed_by")),
        sa.ForeignKeyConstraint(
            ["doer_department_id"], ["departments.id"], name=op.f("fk_work_orders_doer_department_id")
        ),
        sa.ForeignKeyConstraint(["doer_id"], ["people.id"], name=op.f("fk_work_orders_doer_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["people.id"], name=op.f("fk_work_orders_opened_by")),
        sa.ForeignKeyConstraint(
            ["verifier_department_id"], ["departments.id"], name=op.f("fk_work_orders_verifier_department_id")
        ),
        sa.ForeignKeyConstraint(["verifier_id"], ["people.id"], name=op.f("fk_work_orders_verifier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_orders")),
        sa.UniqueConstraint("key", name=op.f("uq_work_orders_key")),
        sa.UniqueConstraint("number", name=op.f("uq_work_orders_number")),
    )
    op.create_index(op.f("ix_work_orders_application_id"), "work_orders", ["application_id"], unique=False)
    op.create_index(op.f("ix_work_orders_doer_id"), "work_orders", ["doer_id"], unique=False)
    op.create_index(
        "ix_work_orders_due",
        "work_orders",
        ["due_at", "id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_work_orders_of_doer_post",
        "work_orders",
        ["doer_post"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_work_orders_of_kind", "work_orders", ["kind", "opened_at", "id"], unique=False)
    op.create_index(
        "ix_work_orders_of_subject", "work_orders", ["subject_kind", "subject_id", "opened_at"], unique=False
    )
    op.create_index("ix_work_orders_opened", "work_orders", ["opened_at", "id"], unique=False)
    op.create_index(op.f("ix_work_orders_opened_by"), "work_orders", ["opened_by"], unique=False)
    op.create_index(
        "ix_work_orders_to_find",
        "work_orders",
        ["finding_due_at"],
        unique=False,
        sqlite_where=sa.text("finding_due_at IS NOT NULL AND finding_id IS NULL"),
        postgresql_where=sa.text("finding_due_at IS NOT NULL AND finding_id IS NULL"),
    )
    op.create_table(
        "work_order_attempts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("work_order_id", sa.String(), nullable=False),
        sa.Column("attempt", Whole, nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("first_reminder_at", Moment(), nullable=False),
        sa.Column("escalations", Whole, server_default="0", nullable=False),
        sa.Column("done_by", sa.String(), nullable=True),
        sa.Column("stands_in_for", sa.String(), nullable=True),
        sa.Column("done_at", Moment(), nullable=True),
        sa.Column("answers", Json, nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("done_sha256", sa.String(), nullable=True),
        sa.Column("done_signature", Json, nullable=True),
        sa.Column("review_id", sa.String(), nullable=True),
        sa.Column("job_key", Whole, nullable=True),
        sa.Column("asked_at", Moment(), nullable=True),
        sa.Column("verify_until", Moment(), nullable=True),
        sa.Column("verification_escalated_at", Moment(), nullable=True),
        sa.Column("verified_by", sa.String(), nullable=True),
        sa.Column("verifier_stands_in_for", sa.String(), nullable=True),
        sa.Column("verified_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("verification", Json, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("next_due_at", Moment(), nullable=True),
        sa.Column("verified_sha256", sa.String(), nullable=True),
        sa.Column("verified_signature", Json, nullable=True),
        sa.ForeignKeyConstraint(["done_by"], ["people.id"], name=op.f("fk_work_order_attempts_done_by")),
        sa.ForeignKeyConstraint(["stands_in_for"], ["people.id"], name=op.f("fk_work_order_attempts_stands_in_for")),
        sa.ForeignKeyConstraint(["verified_by"], ["people.id"], name=op.f("fk_work_order_attempts_verified_by")),
        sa.ForeignKeyConstraint(
            ["verifier_stands_in_for"], ["people.id"], name=op.f("fk_work_order_attempts_verifier_stands_in_for")
        ),
        sa.ForeignKeyConstraint(
            ["work_order_id"], ["work_orders.id"], name=op.f("fk_work_order_attempts_work_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order_attempts")),
        sa.UniqueConstraint("job_key", name=op.f("uq_work_order_attempts_job_key")),
        sa.UniqueConstraint("review_id", name=op.f("uq_work_order_attempts_review_id")),
        sa.UniqueConstraint("work_order_id", "attempt", name=op.f("uq_work_order_attempts_work_order_id")),
    )
    op.create_index("ix_work_order_attempts_done_by", "work_order_attempts", ["done_by", "work_order_id"], unique=False)
    op.create_index(op.f("ix_work_order_attempts_verified_by"), "work_order_attempts", ["verified_by"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("next_due", Moment(), nullable=False),
        sa.Column("period", Whole, server_default="1", nullable=False),
        sa.Column("doer", Json, nullable=True),
        sa.Column("verifier", Json, nullable=True),
        sa.Column("checklist", Json, nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("changed_at", Moment(), nullable=True),
        sa.Column("changed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_schedules_changed_by")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_schedules")),
    )
