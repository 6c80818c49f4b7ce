"""Sites: where footage is stored, recorded and watched, who keeps each; where vault and replica stand (R11 to R15)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.people import Person

USES = ("primary", "backup", "recorder-room", "viewing")
PARTS = ("keeper", "deputy")
STORES = ("vault", "replica")
HELD = text("until IS NULL")


class Site(Base):
    """One place. It is never deleted, because devices and records refer to it; one that is closed has no use any more.

    ``area`` says in words which area is set apart for storage (R12). ``told_at``: when somebody was last told that
    nobody keeps it.
    """

    __tablename__ = "sites"
    __table_args__ = (Index("ix_sites_named", "name", "id", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]
    uses: Mapped[list[str]]  # of USES
    area: Mapped[str | None]
    entered_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    entered_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]


class SiteKeeper(Base):
    """Who is in charge of a site, or stands in, from ``since`` up to ``until``: the history stays (R13)."""

    __tablename__ = "site_keepers"
    # one keeper and one deputy at a time
    __table_args__ = (
        Index("ix_site_keepers_held", "site_id", "part", unique=True, sqlite_where=HELD, postgresql_where=HELD),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    part: Mapped[str]  # of PARTS
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    entered_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))

    person: Mapped[Person] = reference(foreign_keys=person_id)


class StoragePlace(Base):
    """At which site the vault stands, and at which its replica (R15); a row for each that somebody has told."""

    __tablename__ = "storage_places"

    store: Mapped[str] = mapped_column(primary_key=True)  # of STORES
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    set_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    set_at: Mapped[datetime]

    site: Mapped[Site] = reference()
