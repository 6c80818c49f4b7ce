"""Registers of storage: sites with their keepers, where vault and replica stand, devices, numbered media

Recorders have a site once somebody has told it; what they have in words stays.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment

revision = "1173"
down_revision = "1172"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "sites",
        *(_text(name) for name in ("id", "name", "address")),
        sa.Column("uses", Json, nullable=False),
        _text("area", nullable=True),
        _text("entered_by"),
        sa.Column("entered_at", Moment(), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("told_at", Moment(), nullable=True),
        _key("sites", "entered_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("name", name=op.f("uq_sites_name")),
    )
    op.create_index("ix_sites_named", "sites", ["name", "id"], unique=True)
    op.create_table(
        "site_keepers",
        *(_text(name) for name in ("id", "site_id", "person_id", "part")),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        _text("entered_by"),
        _text("ended_by", nullable=True),
        _key("site_keepers", "site_id", "sites"),
        *(_key("site_keepers", name, "people") for name in ("person_id", "entered_by", "ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_keepers")),
    )
    held = sa.text("until IS NULL")
    for name in ("site_id", "person_id"):
        op.create_index(op.f(f"ix_site_keepers_{name}"), "site_keepers", [name])
    op.create_index(
        "ix_site_keepers_held",
        "site_keepers",
        ["site_id", "part"],
        unique=True,
        sqlite_where=held,
        postgresql_where=held,
    )
    op.create_table(
        "storage_places",
        *(_text(name) for name in ("store", "site_id", "set_by")),
        sa.Column("set_at", Moment(), nullable=False),
        _key("storage_places", "site_id", "sites"),
        _key("storage_places", "set_by", "people"),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_storage_places")),
    )
    op.create_table(
        "devices",
        *(_text(name) for name in ("id", "number", "kind", "make", "model")),
        _text("serial", nullable=True),
        _text("site_id"),
        sa.Column("in_service_since", sa.Date(), nullable=True),
        *(_text(name, nullable=True) for name in ("capacity", "redundancy", "recorder_id")),
        _text("entered_by"),
        sa.Column("entered_at", Moment(), nullable=False),
        sa.Column("retired_at", Moment(), nullable=True),
        _text("retired_because", nullable=True),
        _key("devices", "site_id", "sites"),
        _key("devices", "recorder_id", "recorders"),
        _key("devices", "entered_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("number", name=op.f("uq_devices_number")),
    )
    op.create_index(op.f("ix_devices_recorder_id"), "devices", ["recorder_id"])
    op.create_index("ix_devices_of_site", "devices", ["site_id", "number"])
    serving = sa.text("retired_at IS NULL")
    op.create_index(
        "ix_devices_in_service", "devices", ["kind", "number"], sqlite_where=serving, postgresql_where=serving
    )
    op.create_table(
        "media",
        *(_text(name) for name in ("id", "number", "kind")),
        _text("serial", nullable=True),
        *(_text(name) for name in ("site_id", "state")),
        _text("holder_id", nullable=True),
        sa.Column("out_since", Moment(), nullable=True),
        _text("entered_by"),
        sa.Column("entered_at", Moment(), nullable=False),
        _key("media", "site_id", "sites"),
        *(_key("media", name, "people") for name in ("holder_id", "entered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("number", name=op.f("uq_media_number")),
    )
    for name in ("site_id", "holder_id"):
        op.create_index(op.f(f"ix_media_{name}"), "media", [name])
    away = sa.text("state = 'out'")
    op.create_index("ix_media_out", "media", ["out_since", "id"], sqlite_where=away, postgresql_where=away)
    op.create_table(
        "medium_events",
        *(_text(name) for name in ("id", "medium_id", "event")),
        sa.Column("at", Moment(), nullable=False),
        _text("by"),
        *(_text(name, nullable=True) for name in ("holder_id", "note")),
        _key("medium_events", "medium_id", "media"),
        *(_key("medium_events", name, "people") for name in ("by", "holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_medium_events")),
    )
    op.create_index(op.f("ix_medium_events_medium_id"), "medium_events", ["medium_id"])
    site = sa.Column(
        "site_id", sa.String(), sa.ForeignKey("sites.id", name=op.f("fk_recorders_site_id")), nullable=True
    )
    op.add_column("recorders", site, inline_references=True)
    op.create_index(op.f("ix_recorders_site_id"), "recorders", ["site_id"])
    op.create_index(op.f("ix_downloads_medium"), "downloads", ["medium"])
    op.create_index(op.f("ix_disclosure_downloads_medium"), "disclosure_downloads", ["medium"])
