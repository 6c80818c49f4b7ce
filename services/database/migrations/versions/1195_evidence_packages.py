"""Evidence packages that the portal was asked for: who may have them, their runs, and each time one was fetched"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1195"
down_revision = "1194"
branch_labels = None
depends_on = None

TO_MAKE = sa.text("queued_at IS NOT NULL AND made_at IS NULL AND failed_at IS NULL")
KEPT = sa.text("made_at IS NOT NULL AND discarded_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "evidence_packages",
        *_texts("id", "application_id", "footage", "recipient_kind", "recipient", "reason", "asked_by"),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("log_keys", Json, nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("signature", Json, nullable=True),
        sa.Column("queued_at", Moment(), nullable=True),
        sa.Column("attempt_id", sa.String(), nullable=True),
        sa.Column("made_at", Moment(), nullable=True),
        sa.Column("sealed", Json, nullable=True),
        sa.Column("facts", Json, nullable=True),
        sa.Column("failed_at", Moment(), nullable=True),
        sa.Column("failed_because", sa.String(), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("key_destroyed_at", Moment(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_evidence_packages_application_id")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_evidence_packages_asked_by")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_evidence_packages_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_packages")),
    )
    for name in ("application_id", "asked_by"):
        op.create_index(op.f(f"ix_evidence_packages_{name}"), "evidence_packages", [name])
    for name, moment, where in (("to_make", "queued_at", TO_MAKE), ("kept", "expires_at", KEPT)):
        op.create_index(
            f"ix_evidence_packages_{name}",
            "evidence_packages",
            [moment, "id"],
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "package_attempts",
        *_texts("id", "package_id", "bucket", "key"),
        sa.Column("started_at", Moment(), nullable=False),
        *_texts("phase"),
        sa.Column("reached", Whole, nullable=False),
        sa.Column("total", Whole, nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("abandoned_at", Moment(), nullable=True),
        sa.Column("abandoned_because", sa.String(), nullable=True),
        sa.Column("swept_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["package_id"], ["evidence_packages.id"], name=op.f("fk_package_attempts_package_id")),
        sa.UniqueConstraint("key", name=op.f("uq_package_attempts_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_attempts")),
    )
    op.create_table(
        "package_fetches",
        *_texts("id", "package_id", "person_id", "address"),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["package_id"], ["evidence_packages.id"], name=op.f("fk_package_fetches_package_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_package_fetches_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_fetches")),
    )
    for table in ("package_attempts", "package_fetches"):
        op.create_index(op.f(f"ix_{table}_package_id"), table, ["package_id"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]
