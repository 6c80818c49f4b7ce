"""The supervision group, its inspections, their samples and what they find"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1169"
down_revision = "1168"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "supervision_groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("proposed_at", Moment(), nullable=False),
        sa.Column("proposal", Json, nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("confirmation", Json, nullable=True),
        sa.Column("document", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["confirmed_by"], ["people.id"], name=op.f("fk_supervision_groups_confirmed_by")),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name=op.f("fk_supervision_groups_proposed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervision_groups")),
    )
    where = sa.text("confirmed_at IS NOT NULL AND ended_at IS NULL")
    op.create_index(
        "ix_supervision_groups_in_office", "supervision_groups", ["since"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("department_kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["supervision_groups.id"], name=op.f("fk_group_members_group_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_group_members_person_id")),
        sa.PrimaryKeyConstraint("group_id", "person_id", name=op.f("pk_group_members")),
    )
    op.create_table(
        "group_inspections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("period_from", Moment(), nullable=False),
        sa.Column("period_to", Moment(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=True),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("seed", sa.String(), nullable=False),
        sa.Column("seed_size", Whole, nullable=False),
        sa.Column("process_instance_key", Whole, nullable=True),
        sa.Column("drawn_at", Moment(), nullable=True),
        sa.Column("population", Whole, nullable=True),
        sa.Column("population_sha256", sa.String(), nullable=True),
        sa.Column("sampled", Whole, nullable=True),
        sa.Column("report", Json, nullable=True),
        sa.Column("report_sha256", sa.String(), nullable=True),
        sa.Column("reported_at", Moment(), nullable=True),
        sa.Column("signing_job_key", Whole, nullable=True),
        sa.Column("signing_opened_at", Moment(), nullable=True),
        sa.Column("signing_due_at", Moment(), nullable=True),
        sa.Column("signing_reminder_at", Moment(), nullable=True),
        sa.Column("signed_as", sa.String(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["supervision_groups.id"], name=op.f("fk_group_inspections_group_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["people.id"], name=op.f("fk_group_inspections_opened_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_inspections")),
        sa.UniqueConstraint("number", name=op.f("uq_group_inspections_number")),
        sa.UniqueConstraint("period", name=op.f("uq_group_inspections_period")),
    )
    op.create_index("ix_group_inspections_opened", "group_inspections", ["opened_at", "id"])
    where = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_group_inspections_under_way", "group_inspections", ["id"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "inspection_population",
        sa.Column("inspection_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["group_inspections.id"], name=op.f("fk_inspection_population_inspection_id")
        ),
        sa.PrimaryKeyConstraint("inspection_id", "number", name=op.f("pk_inspection_population")),
    )
    op.create_table(
        "inspected_cases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("inspection_id", sa.String(), nullable=False),
        sa.Column("position", Whole, nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("because", Json, nullable=False),
        sa.Column("job_key", Whole, nullable=True),
        sa.Column("assigned_to", sa.String(), nullable=True),
        sa.Column("opened_at", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("first_reminder_at", Moment(), nullable=True),
        sa.Column("escalated_at", Moment(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("answers", Json, nullable=True),
        sa.Column("sheet_sha256", sa.String(), nullable=True),
        sa.Column("statement_sha256", sa.String(), nullable=True),
        sa.Column("signature", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_inspected_cases_application_id")
        ),
        sa.ForeignKeyConstraint(["assigned_to"], ["people.id"], name=op.f("fk_inspected_cases_assigned_to")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_inspected_cases_decided_by")),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["group_inspections.id"], name=op.f("fk_inspected_cases_inspection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspected_cases")),
        sa.UniqueConstraint("inspection_id", "position", name=op.f("uq_inspected_cases_inspection_id")),
        sa.UniqueConstraint("application_id", "inspection_id", name=op.f("uq_inspected_cases_application_id")),
        sa.UniqueConstraint("job_key", name=op.f("uq_inspected_cases_job_key")),
    )
    op.create_index(op.f("ix_inspected_cases_application_id"), "inspected_cases", ["application_id"])
    op.create_index(op.f("ix_inspected_cases_decided_by"), "inspected_cases", ["decided_by"])
    where = sa.text("decided_at IS NULL")
    op.create_index(
        "ix_inspected_cases_undone", "inspected_cases", ["assigned_to"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "inspection_findings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("inspection_id", sa.String(), nullable=False),
        sa.Column("inspected_case_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("position", Whole, nullable=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("found_by", sa.String(), nullable=False),
        sa.Column("found_at", Moment(), nullable=False),
        sa.Column("work_order_id", sa.String(), nullable=True),
        sa.Column("violation_id", sa.String(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_inspection_findings_application_id")
        ),
        sa.ForeignKeyConstraint(["found_by"], ["people.id"], name=op.f("fk_inspection_findings_found_by")),
        sa.ForeignKeyConstraint(
            ["inspected_case_id"], ["inspected_cases.id"], name=op.f("fk_inspection_findings_inspected_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["group_inspections.id"], name=op.f("fk_inspection_findings_inspection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_findings")),
        sa.UniqueConstraint("inspected_case_id", "question", name=op.f("uq_inspection_findings_inspected_case_id")),
    )
    op.create_index(op.f("ix_inspection_findings_application_id"), "inspection_findings", ["application_id"])
    op.create_index(op.f("ix_inspection_findings_inspection_id"), "inspection_findings", ["inspection_id"])
    op.create_index(op.f("ix_inspection_findings_violation_id"), "inspection_findings", ["violation_id"])
    op.create_index(op.f("ix_inspection_findings_work_order_id"), "inspection_findings", ["work_order_id"])
    op.create_table(
        "inspection_signatures",
        sa.Column("inspection_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("signed_at", Moment(), nullable=False),
        sa.Column("statement_sha256", sa.String(), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["group_inspections.id"], name=op.f("fk_inspection_signatures_inspection_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_inspection_signatures_person_id")),
        sa.PrimaryKeyConstraint("inspection_id", "person_id", name=op.f("pk_inspection_signatures")),
    )
