"""Devices and media of storage: what there is, where it stands, who holds it (R10, R15, R53)."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.cameras import Recorder
from services.database.tables.people import Person
from services.database.tables.sites import Site

KINDS = ("recorder", "array", "node", "tape", "medium", "viewing-station")
MEDIUM_KINDS = ("usb-stick", "disk", "disc", "tape", "other")
IN, OUT = "in", "out"
ENDS = ("provided", "destroyed", "lost")  # how a medium leaves the register for good
STORES = ("vault", "replica")
AWAY = text("state = 'out'")
IN_SERVICE = text("retired_at IS NULL")


class Device(Base):
    """One device by its inventory number; one that is ``retired`` stays on record.

    ``redundancy`` says in words what of it may fail. ``recorder_id``: the recorder of the catalogue that it is;
    ``store``: the store of footage that it carries, alone or with others.
    """

    __tablename__ = "devices"
    __table_args__ = (
        Index("ix_devices_of_site", "site_id", "number"),
        Index("ix_devices_in_service", "kind", "number", sqlite_where=IN_SERVICE, postgresql_where=IN_SERVICE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # of KINDS
    make: Mapped[str]
    model: Mapped[str]
    serial: Mapped[str | None]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    in_service_since: Mapped[date | None]
    capacity: Mapped[str | None]
    redundancy: Mapped[str | None]
    recorder_id: Mapped[str | None] = mapped_column(ForeignKey("recorders.id"), index=True)
    store: Mapped[str | None]  # of STORES
    entered_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    entered_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    retired_because: Mapped[str | None]

    site: Mapped[Site] = reference()
    recorder: Mapped[Recorder | None] = reference()


class Medium(Base):
    """One numbered medium on which footage leaves the vault; downloads name it by its number.

    ``state``: ``in`` where it lies at its site, ``out`` with whom ``holder`` names, or one of ENDS for good.
    """

    __tablename__ = "media"
    __table_args__ = (Index("ix_media_out", "out_since", "id", sqlite_where=AWAY, postgresql_where=AWAY),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # of MEDIUM_KINDS
    serial: Mapped[str | None]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    state: Mapped[str]
    holder_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    out_since: Mapped[datetime | None]
    entered_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    entered_at: Mapped[datetime]

    site: Mapped[Site] = reference()
    holder: Mapped[Person | None] = reference(foreign_keys=holder_id)


class MediumEvent(Base):
    """What became of a medium: registered, handed-out, returned, or one of ENDS; never changed."""

    __tablename__ = "medium_events"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    medium_id: Mapped[str] = mapped_column(ForeignKey("media.id"), index=True)
    event: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    holder_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    note: Mapped[str | None]


class DeviceHealth(Base):
    """What was last read of a store or of a recorder: its disks, its redundancy, its free space (R10).

    ``source``: vault, replica, or the id of a recorder. ``state`` has lasted since ``since`` and was told at
    ``told_at``; ``failure`` is why nothing was told at ``asked_at``, after which the state is what it was.
    """

    __tablename__ = "device_health"

    source: Mapped[str] = mapped_column(primary_key=True)
    recorder_id: Mapped[str | None] = mapped_column(ForeignKey("recorders.id"), unique=True)
    state: Mapped[str]  # of services.runtime.storage_health.STATES
    since: Mapped[datetime]
    told_at: Mapped[datetime | None]
    asked_at: Mapped[datetime]
    findings: Mapped[list[Any]]  # sentences: zh, en
    figures: Mapped[dict[str, Any]]
    disks: Mapped[list[Any]]
    failure: Mapped[dict[str, Any] | None]  # a sentence: zh, en
