"""The audit tree: nodes, checkpoints, anchors; no row of the trail is changed or removed any more

The events that are there are numbered without holes, in their order, and put into the tree.
"""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.database.base import Moment, Whole

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GROWING = ("audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors")
AT_ONCE = 1000
REFUSAL = "the audit trail only grows"
NEWER = "the books are those of a newer release: replace this part by one of that release"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # An act of the release before may be open: its event comes before the tree is made, or not at all.
        op.execute("LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE")
    nodes = op.create_table(
        "audit_nodes",
        sa.Column("level", Whole, autoincrement=False, nullable=False),
        sa.Column("position", Whole, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_audit_nodes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", Whole, autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_anchors",
        sa.Column("size", Whole, autoincrement=False, nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("anchored_at", Moment(), nullable=False),
        sa.Column("retain_until", Moment(), nullable=True),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["size"], ["audit_checkpoints.size"], name=op.f("fk_audit_anchors_size")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_anchors")),
    )
    connection = op.get_bind()
    _number_without_holes(connection)
    _plant(connection, nodes)
    if connection.dialect.name == "postgresql":
        # The number is given under the trail's lock; a counter of the database's would leave holes.
        op.execute("ALTER TABLE audit_events ALTER COLUMN seq DROP DEFAULT")
        op.execute("DROP SEQUENCE IF EXISTS audit_events_seq_seq")
        op.execute(
            "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}: % of %', TG_OP, TG_TABLE_NAME; END $$"
        )
        # Parts of the release before give no number. By this code they take the books for away, say why, and try again.
        op.execute(
            "CREATE FUNCTION audit_numbered() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{NEWER}' USING ERRCODE = 'cannot_connect_now'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_events_numbered BEFORE INSERT ON audit_events "
            "FOR EACH ROW WHEN (NEW.seq IS NULL) EXECUTE FUNCTION audit_numbered()"
        )
        for table in GROWING:
            op.execute(
                f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
            )
    else:
        for table in GROWING:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}: {verb.upper()} of {table}'); END"
                )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in GROWING:
            op.execute(f"DROP TRIGGER {table}_only_grows ON {table}")
        op.execute("DROP FUNCTION audit_only_grows()")
        op.execute("DROP TRIGGER audit_events_numbered ON audit_events")
        op.execute("DROP FUNCTION audit_numbered()")
        op.execute("CREATE SEQUENCE audit_events_seq_seq AS bigint OWNED BY audit_events.seq")
        op.execute("SELECT setval('audit_events_seq_seq', (SELECT coalesce(max(seq), 0) + 1 FROM audit_events), false)")
        op.execute("ALTER TABLE audit_events ALTER COLUMN seq SET DEFAULT nextval('audit_events_seq_seq')")
    else:
        for table in GROWING:
            for verb in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_no_{verb}")
    op.drop_table("audit_anchors")
    op.drop_table("audit_checkpoints")
    op.drop_table("audit_nodes")


def _number_without_holes(connection: sa.Connection) -> None:
    """In ascending order, so that no new number meets one that is still taken."""
    taken = connection.execute(sa.text("SELECT seq FROM audit_events ORDER BY seq")).scalars().all()
    moved = [{"old": old, "new": new} for new, old in enumerate(taken, 1) if old != new]
    for start in range(0, len(moved), AT_ONCE):
        connection.execute(
            sa.text("UPDATE audit_events SET seq = :new WHERE seq = :old"), moved[start : start + AT_ONCE]
        )


def _plant(connection: sa.Connection, nodes: sa.Table) -> None:
    """Write the root of every complete subtree (RFC 6962) of two events and more."""
    leaves = connection.execute(
        sa.text("SELECT leaf_sha256 FROM audit_events ORDER BY seq"), execution_options={"yield_per": AT_ONCE}
    ).scalars()
    edge: list[bytes] = []  # the complete subtrees that wait for their right neighbour, the largest first
    rows: list[dict[str, Any]] = []
    for index, leaf in enumerate(leaves):
        node, level, position = bytes.fromhex(leaf), 0, index
        while position & 1:
            node = hashlib.sha256(b"\x01" + edge.pop() + node).digest()
            level, position = level + 1, position >> 1
            rows.append({"level": level, "position": position, "sha256": node})
        edge.append(node)
    for start in range(0, len(rows), AT_ONCE):
        connection.execute(nodes.insert(), rows[start : start + AT_ONCE])
