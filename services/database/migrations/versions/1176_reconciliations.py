"""Reconciliations of the register with stores, recorders and engine; their findings; the stores' access logs"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1176"
down_revision = "1175"
branch_labels = None
depends_on = None

OPEN = sa.text("state = 'open'")
UNJUDGED = sa.text("judged_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("compared", Json, nullable=False),
        sa.Column("found", Whole, nullable=False),
        sa.Column("open", Whole, nullable=False),
        sa.Column("not_told", Json, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_reconciliations")),
        sa.UniqueConstraint("document", name=op.f("uq_reconciliations_document")),
    )
    op.create_table(
        "reconciliation_findings",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "fingerprint", "kind", "place", "subject")),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.Column("found_at", Moment(), nullable=False),
        sa.Column("first_day", sa.String(), nullable=False),
        sa.Column("last_day", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("explained_by", sa.String(), nullable=True),
        sa.Column("explained_at", Moment(), nullable=True),
        sa.Column("explanation", sa.String(), nullable=True),
        sa.Column("violation_id", sa.String(), nullable=True),
        sa.Column("work_order_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'explained', 'work-order', 'gone')", name=op.f("ck_reconciliation_findings_state")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_reconciliation_findings_application_id")
        ),
        sa.ForeignKeyConstraint(["explained_by"], ["people.id"], name=op.f("fk_reconciliation_findings_explained_by")),
        sa.ForeignKeyConstraint(
            ["violation_id"], ["violations.id"], name=op.f("fk_reconciliation_findings_violation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_findings")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_reconciliation_findings_fingerprint")),
    )
    for name in ("application_id", "last_day"):
        op.create_index(op.f(f"ix_reconciliation_findings_{name}"), "reconciliation_findings", [name])
    op.create_index(
        "ix_reconciliation_findings_open",
        "reconciliation_findings",
        ["found_at", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_reconciliation_findings_listed", "reconciliation_findings", ["found_at", "id"])
    op.create_table(
        "store_accesses",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "place", "act", "bucket", "key")),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=True),
        sa.Column("requester", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("imported_at", Moment(), nullable=False),
        sa.Column("judged_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_accesses")),
    )
    op.create_index(
        "ix_store_accesses_unjudged",
        "store_accesses",
        ["id"],
        sqlite_where=UNJUDGED,
        postgresql_where=UNJUDGED,
    )
