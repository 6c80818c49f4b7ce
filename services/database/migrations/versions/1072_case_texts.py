"""What the register is searched for in a case's own words, apart from its long rows"""

import sqlalchemy as sa
from alembic import op

revision = "1072"
down_revision = "1071"
branch_labels = None
depends_on = None

AT_ONCE = 1000


def upgrade() -> None:
    op.create_index("ix_applications_custodian_id", "applications", ["custodian_id"])
    texts = op.create_table(
        "case_texts",
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_case_texts_application_id")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_case_texts")),
    )
    applications = sa.table("applications", *map(sa.column, ("id", "number", "reason", "incident_reference")))
    connection, last = op.get_bind(), ""
    page = sa.select(applications).order_by(applications.c.id).limit(AT_ONCE)
    while rows := connection.execute(page.where(applications.c.id > last)).all():
        written = [
            {"application_id": row.id, "text": "\n".join(field for field in row[1:] if field).lower()} for row in rows
        ]
        connection.execute(texts.insert(), written)
        last = rows[-1].id
