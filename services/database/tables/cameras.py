"""The catalogue of recorders and cameras, with their retention (R7, R10).

Neither is ever deleted, because cases refer to them. One that is not ``active`` cannot be requested.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.sites import Site

UPLOADED = "upload"  # the kind of recorder that stands for files people upload


class Recorder(Base):
    """A recorder and its last measurements; ``configuration`` is for ``recorders.open_recorder``."""

    __tablename__ = "recorders"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    site: Mapped[str]  # in words
    site_id: Mapped[str | None] = mapped_column(ForeignKey(Site.id), index=True)  # None: nobody has told it
    kind: Mapped[str]
    configuration: Mapped[dict[str, Any]]
    zone: Mapped[str]
    make: Mapped[str | None]
    model: Mapped[str | None]
    identity: Mapped[str | None]
    clock_offset_ms: Mapped[int | None]
    clock_method: Mapped[str | None]
    clock_uncertainty_ms: Mapped[int | None]
    clock_measured_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    # the last poll, and its error: code, zh and en, or None
    polled_at: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))

    @property
    def tells_its_time(self) -> bool:
        """Whether its last answer had its time, which overrides what a person compares."""
        return self.clock_method in {"api-time", "http-date"}


class Camera(Base):
    """One channel of a recorder; ``fingerprint`` distinguishes its footage from another's (sealing.Coverage)."""

    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    recorder_id: Mapped[str] = mapped_column(ForeignKey("recorders.id"), index=True)
    channel: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    place_zh: Mapped[str]
    place_en: Mapped[str]
    camera_class: Mapped[str] = mapped_column(default="ordinary")
    retention_days: Mapped[int]
    oldest_frame_at: Mapped[datetime | None]
    oldest_measured_at: Mapped[datetime | None]
    oldest_moved_at: Mapped[datetime | None]  # when the oldest picture was last seen to be another: it overwrites
    fingerprint: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    site_id: Mapped[str | None] = mapped_column(ForeignKey(Site.id), index=True)  # None: where its recorder stands
    unlisted_at: Mapped[datetime | None]  # since when its recorder, when it was asked, does not list it
    # False for an uploaded file
    overwritten: Mapped[bool] = mapped_column(default=True, server_default=text("true"))

    recorder: Mapped[Recorder] = reference()


class CameraPicture(Base):
    """The photograph by which people recognise a camera's place: a small JPEG, encrypted with the portal's key.

    It is uploaded as a file: a recorder is never asked for one (R2).
    """

    __tablename__ = "camera_pictures"

    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), primary_key=True)
    encrypted: Mapped[str]
    sha256: Mapped[str]
    uploaded_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    uploaded_at: Mapped[datetime]


class FloorPlan(Base):
    """The plan of a floor, or of a part of a site, on which cameras are shown. It is removed with its pins.

    ``building`` may be empty; ``level`` orders the floors of a building. ``width`` and ``height`` in pixels, None until
    a picture is uploaded.
    """

    __tablename__ = "floor_plans"
    __table_args__ = (UniqueConstraint("site_id", "building_zh", "floor_zh"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[str] = mapped_column(ForeignKey(Site.id), index=True)
    building_zh: Mapped[str]
    building_en: Mapped[str]
    floor_zh: Mapped[str]
    floor_en: Mapped[str]
    level: Mapped[int]
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[str | None]
    changed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    changed_at: Mapped[datetime]

    site: Mapped[Site] = reference()


class FloorPlanPicture(Base):
    """The picture of a plan: a JPEG made anew from the uploaded one, encrypted with the portal's key."""

    __tablename__ = "floor_plan_pictures"

    plan_id: Mapped[str] = mapped_column(ForeignKey("floor_plans.id"), primary_key=True)
    encrypted: Mapped[str]


class CameraPin(Base):
    """Where a camera is on a plan: ``x`` from the left and ``y`` from the top, in thousandths of the picture."""

    __tablename__ = "camera_pins"

    plan_id: Mapped[str] = mapped_column(ForeignKey("floor_plans.id"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), primary_key=True, index=True)
    x: Mapped[int]
    y: Mapped[int]
    placed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    placed_at: Mapped[datetime]


class FavouriteCamera(Base):
    """A camera that a person has marked, to find it first."""

    __tablename__ = "favourite_cameras"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), primary_key=True, index=True)
    since: Mapped[datetime]


class RetentionMeasurement(Base):
    """One camera's last measurement of a day (UTC): its oldest picture, and when that was measured (F33)."""

    __tablename__ = "retention_measurements"

    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime]
    oldest_frame_at: Mapped[datetime]

    @property
    def length(self) -> timedelta:
        """How far back the recordings went."""
        return self.measured_at - self.oldest_frame_at
