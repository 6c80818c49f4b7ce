"""What was deployed, and for each case and step the version of the process that it runs on

Nothing is known of those of before; where the engine knows more, the next start writes it.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "1144"
down_revision = "1143"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_files",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_model_files")),
    )
    op.create_table(
        "deployed_processes",
        sa.Column("process_definition_key", Whole, autoincrement=False, nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("deployed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["model_files.sha256"], name=op.f("fk_deployed_processes_sha256")),
        sa.PrimaryKeyConstraint("process_definition_key", name=op.f("pk_deployed_processes")),
    )
    op.add_column("applications", sa.Column("process_id", sa.String(), nullable=True))
    op.add_column("applications", sa.Column("process_version", Whole, nullable=True))
    op.add_column("applications", sa.Column("process_definition_key", Whole, nullable=True))
    op.add_column("applications", sa.Column("model_sha256", sa.String(), nullable=True))
    op.add_column("process_steps", sa.Column("process_version", Whole, nullable=True))
    op.add_column("process_steps", sa.Column("process_definition_key", Whole, nullable=True))
