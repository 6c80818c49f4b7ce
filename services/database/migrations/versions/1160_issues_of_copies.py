"""Issues of copies: an application is handed over again where its copies had to be replaced

Everything that is there is of the first issue.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1160"
down_revision = "1159"
branch_labels = None
depends_on = None

LENT = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("applications", sa.Column("issue", Whole, nullable=False, server_default="1"))
    op.add_column("applications", sa.Column("reissued_at", Moment(), nullable=True))
    for table in ("reviews", "decisions"):
        op.add_column(table, sa.Column("issue", Whole, nullable=False, server_default="1"))
    op.add_column("masters", sa.Column("superseded_at", Moment(), nullable=True))
    # in the column itself: SQLite would make the table anew, which others refer to
    of_item = sa.ForeignKey("items.id", name=op.f("fk_items_replaces_id"))
    op.add_column("items", sa.Column("replaces_id", sa.String(), of_item, nullable=True), inline_references=True)
    op.create_index(op.f("ix_items_replaces_id"), "items", ["replaces_id"], unique=True)
    op.add_column("items", sa.Column("form_item_id", sa.String(), nullable=True))
    op.add_column("items", sa.Column("unchanged", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    if op.get_bind().dialect.name == "sqlite":
        _make_hand_overs_anew()
        return
    op.drop_constraint(op.f("uq_hand_overs_application_id"), "hand_overs", type_="unique")
    op.add_column("hand_overs", sa.Column("issue", Whole, nullable=False, server_default="1"))
    op.add_column("hand_overs", sa.Column("replaced_at", Moment(), nullable=True))
    op.create_unique_constraint(op.f("uq_hand_overs_application_id"), "hand_overs", ["application_id", "issue"])


def _make_hand_overs_anew() -> None:
    """SQLite drops no constraint: the table is made anew under its own name, so that what refers to it stays valid.

    Until the end of the transaction its references are not checked, and then they are: a row that was not written
    back would undo the migration.
    """
    connection = op.get_bind()
    kept = [column["name"] for column in sa.inspect(connection).get_columns("hand_overs")]
    names = ", ".join(kept)
    op.execute("PRAGMA defer_foreign_keys=ON")
    op.execute("CREATE TEMPORARY TABLE hand_overs_before AS SELECT * FROM hand_overs")
    op.drop_table("hand_overs")
    op.create_table(
        "hand_overs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("issue", Whole, nullable=False, server_default="1"),
        sa.Column("custodian_id", sa.String(), nullable=False),
        sa.Column("agreement_id", sa.String(), nullable=True),
        sa.Column("offered_at", Moment(), nullable=False),
        sa.Column("take_up_until", Moment(), nullable=False),
        sa.Column("use_days", Whole, nullable=False),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("way_of_use", sa.String(), nullable=True),
        sa.Column("grace_seconds", Whole, nullable=True),
        sa.Column("accepted_at", Moment(), nullable=True),
        sa.Column("conditions_version", sa.String(), nullable=True),
        sa.Column("declined_at", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("returned_at", Moment(), nullable=True),
        sa.Column("lost_at", Moment(), nullable=True),
        sa.Column("loss", Json, nullable=True),
        sa.Column("replaced_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("fk_hand_overs_agreement_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_hand_overs_application_id")),
        sa.ForeignKeyConstraint(["custodian_id"], ["people.id"], name=op.f("fk_hand_overs_custodian_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_overs")),
        sa.UniqueConstraint("application_id", "issue", name=op.f("uq_hand_overs_application_id")),
    )
    op.execute(f"INSERT INTO hand_overs ({names}) SELECT {names} FROM hand_overs_before")  # noqa: S608  # our own names
    op.execute("DROP TABLE hand_overs_before")
    op.create_index(op.f("ix_hand_overs_custodian_id"), "hand_overs", ["custodian_id"])
    op.create_index("ix_hand_overs_lent", "hand_overs", ["due_at"], sqlite_where=LENT)
    op.create_index("ix_hand_overs_due", "hand_overs", ["due_at", "application_id"])
