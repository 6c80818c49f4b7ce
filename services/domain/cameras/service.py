"""Add, change, retire and list cameras; one with cases is never deleted."""

from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Select, func, or_, select

from services.database.base import new_id
from services.database.listing import EVERYTHING, Listing
from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements, recorders
from services.domain.change_requests import deciders
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

CLASSES = ("ordinary", "sensitive")
MAX_RETENTION_DAYS = 3650
Sort = Literal["recorder", "name", "place", "class", "channel", "days", "oldest"]


@dataclass(frozen=True)
class CameraEntry:
    """The fields of a camera that an administrator enters.

    ``retention_days``: for how many days the recorder keeps footage. ``site_id``: where it is, None for the site of its
    recorder.
    """

    recorder_id: str
    channel: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    camera_class: str
    retention_days: int
    site_id: str | None = None


@dataclass(frozen=True)
class CameraLine:
    row: Camera
    recorder: Recorder
    has_picture: bool


def count_cameras(uow: UnitOfWork) -> int:
    """Count the cameras in use. For readers of the set-up."""
    administrators.require_reader(uow)
    in_use = _lines().where(Camera.active, Recorder.active).order_by(None)
    return uow.session.scalar(in_use.with_only_columns(func.count(), maintain_column_froms=True)) or 0


def list_cameras(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, recorder_id: str | None = None, retired: bool = False
) -> list[CameraLine]:
    """List cameras by site and name.

    The text is searched in names, places, channel and recorder.
    """
    administrators.require_reader(uow)
    query = _lines().where(
        (Camera.active & Recorder.active) != retired,
        listing.mentioned(
            *(Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en, Camera.channel, Recorder.name)
        ),
    )
    if recorder_id is not None:
        query = query.where(Camera.recorder_id == recorder_id)
    name = listing.name(Camera)
    columns = {
        **{"recorder": Recorder.site, "name": name, "place": listing.name(Camera, "place")},
        **{"class": Camera.camera_class, "channel": Camera.channel},
        **{"days": Camera.retention_days, "oldest": Camera.oldest_frame_at},
    }
    page = listing.part(query, columns, Recorder.site, Recorder.name, name, Camera.id)
    return [CameraLine(*row) for row in uow.session.execute(page)]


def get_camera(uow: UnitOfWork, camera_id: str) -> CameraLine:
    """Return one camera. Raises NotFound."""
    administrators.require_reader(uow)
    row = uow.session.execute(_lines().where(Camera.id == camera_id)).one_or_none()
    if row is None:
        raise NotFound(Message("camera"), camera_id)
    return CameraLine(*row)


def add(uow: UnitOfWork, entry: CameraEntry) -> Camera:
    """Add a camera. Refused for wrong values or a used channel."""
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # of two with one channel the second sees the first
    _check(uow, entry)
    if uow.session.scalar(_same_channel(entry)) is not None:
        raise channel_taken(entry.channel)
    _require_as_strict(uow, entry)
    row = Camera(id=new_id(), **asdict(entry))
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "camera-added", "camera", row.id, new=asdict(entry))
    return row


def change_camera(uow: UnitOfWork, camera_id: str, entry: CameraEntry) -> Camera:
    """Change a camera from now on.

    Refused while open cases still need its footage: another recorder or channel, which is other footage, a lower
    class, by which a case needs less approval (R26), and more days of retention, by which its footage no longer counts
    as at risk and is not preserved (T4). Without open cases the last two need a second person: they decide the cases
    to come.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # before the row, as who carries out what was asked for does
    row = _get_for_update(uow, camera_id)
    _check(uow, entry, row.site_id)
    old = asdict(_entry_of(row))
    if (entry.recorder_id, entry.channel) != (row.recorder_id, row.channel):
        if uow.session.scalar(_same_channel(entry).where(Camera.id != camera_id)) is not None:
            raise channel_taken(entry.channel)
        _require_as_strict(uow, entry, camera_id)
        recorders.require_no_open_cases(uow, Camera.id == camera_id)
        # Fingerprint and measurements belong to the footage of the old channel.
        row.fingerprint = row.oldest_frame_at = row.oldest_measured_at = row.oldest_moved_at = None
        row.unlisted_at = None
        measurements.delete_retention(uow, camera_id)
    if weakens(row, entry):
        recorders.require_no_open_cases(uow, Camera.id == camera_id)
        payload = {"camera": camera_id, "was": old, "value": asdict(entry)}
        change_requests.authorise(uow, Change("camera", None, payload))
    for name, value in asdict(entry).items():
        setattr(row, name, value)
    audit_trail.record(uow, "camera-changed", "camera", camera_id, old=old, new=asdict(entry))
    return row


def weakens(row: Camera, entry: CameraEntry) -> bool:
    """Return whether the camera would need less approval, or would be preserved later, than it does now."""
    lower_class = (row.camera_class, entry.camera_class) == ("sensitive", "ordinary")
    return lower_class or entry.retention_days > row.retention_days


def set_active(uow: UnitOfWork, camera_id: str, active: bool) -> Camera:
    """Retire or reactivate a camera; cases keep their references to it."""
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    row = _get_for_update(uow, camera_id)
    if row.active == active:
        return row
    if active and uow.session.scalar(_same_channel(_entry_of(row)).where(Camera.id != camera_id)) is not None:
        raise channel_taken(row.channel)
    if active:
        _require_as_strict(uow, _entry_of(row), camera_id)
    else:
        recorders.require_no_open_cases(uow, Camera.id == camera_id)
    row.active = active
    action = "camera-reactivated" if active else "camera-retired"
    audit_trail.record(uow, action, "camera", camera_id, old=not active, new=active)
    return row


def channel_taken(channel: str) -> Refused:
    return Refused(
        "channel-taken",
        "Channel {channel} of this recorder has already been added: check the channel.",
        field="channel",
        channel=channel,
    )


def _require_as_strict(uow: UnitOfWork, entry: CameraEntry, camera_id: str | None = None) -> None:
    """Refuse a camera that is entered more weakly than a retired one of its channel was, past a second person."""
    if not deciders.is_set_up(uow):
        return
    weaker = [Camera.retention_days < entry.retention_days]
    if entry.camera_class == "ordinary":
        weaker.append(Camera.camera_class == "sensitive")
    retired = select(Camera.id).where(
        Camera.recorder_id == entry.recorder_id, Camera.channel == entry.channel, ~Camera.active, or_(*weaker)
    )
    if camera_id is not None:
        retired = retired.where(Camera.id != camera_id)
    if uow.session.scalar(retired.limit(1)) is not None:
        raise Refused(
            "channel-retired",
            "A retired camera of this recorder had channel {channel}, in a sensitive area or with fewer days of "
            "retention: put that camera back into use, or enter this one as it was. What is to be weaker is then "
            "changed with a second person.",
            field="channel",
            channel=entry.channel,
        )


def _check(uow: UnitOfWork, entry: CameraEntry, site_before: str | None = None) -> None:
    recorder = uow.session.get(Recorder, entry.recorder_id)
    if recorder is None or not recorder.active:
        raise Refused(
            "recorder-unknown",
            "Choose a recorder that is in use.",
            status=422,
            field="recorderId",
        )
    site = uow.session.get(Site, entry.site_id) if entry.site_id is not None else None
    if entry.site_id not in (None, site_before) and (site is None or site.closed_at is not None):
        raise Refused("site-unknown", "Choose a site that is in use.", status=422, field="siteId")
    if entry.camera_class not in CLASSES:
        raise Refused(
            "class-unknown",
            "The class must be ordinary or sensitive.",
            status=422,
            field="cameraClass",
        )
    if not 1 <= entry.retention_days <= MAX_RETENTION_DAYS:
        raise Refused(
            "retention-days",
            "The retention on the recorder must be 1 to {most_days} days.",
            status=422,
            field="retentionDays",
            most_days=MAX_RETENTION_DAYS,
        )
    if entry.channel.startswith("/") or ".." in entry.channel.split("/"):
        raise Refused(
            "channel-wrong",
            "A channel must not begin with “/” or contain “..”.",
            status=422,
            field="channel",
        )


def _lines() -> Select[Camera, Recorder, bool]:
    has_picture = select(func.count()).where(CameraPicture.camera_id == Camera.id).correlate(Camera).scalar_subquery()
    lines = select(Camera, Recorder, has_picture > 0).join(Recorder, Recorder.id == Camera.recorder_id)
    return lines.where(Recorder.kind != UPLOADED)


def _same_channel(entry: CameraEntry) -> Select[str]:
    return select(Camera.id).where(
        Camera.recorder_id == entry.recorder_id, Camera.channel == entry.channel, Camera.active
    )


def _get_for_update(uow: UnitOfWork, camera_id: str) -> Camera:
    row = uow.session.get(Camera, camera_id, with_for_update=not uow.reading)
    if row is None or uow.session.get_one(Recorder, row.recorder_id).kind == UPLOADED:
        raise NotFound(Message("camera"), camera_id)
    return row


def _entry_of(row: Camera) -> CameraEntry:
    return CameraEntry(
        *(row.recorder_id, row.channel, row.name_zh, row.name_en, row.place_zh, row.place_en),
        *(row.camera_class, row.retention_days, row.site_id),
    )
