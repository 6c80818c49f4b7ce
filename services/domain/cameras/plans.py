"""Plans of floors with cameras on them, so that people find the camera of a place.

An administrator uploads the picture and places the pins. A plan shows where cameras are, so those see it who may ask
for one of the cameras on it; a camera or recorder that is out of use is on no plan that is shown.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import ColumnElement, ScalarSelect, Select, delete, func, or_, select

from services.database.base import new_id
from services.database.listing import EVERYTHING, Listing
from services.database.tables.cameras import UPLOADED, Camera, CameraPin, FloorPlan, FloorPlanPicture, Recorder
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.cameras.photographs import Picture
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST_PINS = 500  # of one plan; more cannot be told apart on it
MOST_PLANS = 2000
LOWEST, HIGHEST = -20, 300  # levels
WHOLE = 1000  # thousandths of the width, and of the height
CANDIDATES = 30  # cameras offered at a time to be placed
Sort = Literal["site", "floor", "cameras"]
_ORDER = (Site.name, FloorPlan.building_zh, FloorPlan.level, FloorPlan.floor_zh, FloorPlan.id)


@dataclass(frozen=True)
class PlanEntry:
    """What an administrator enters of a plan; the building may be empty."""

    site_id: str
    building_zh: str
    building_en: str
    floor_zh: str
    floor_en: str
    level: int


@dataclass(frozen=True)
class PlanLine:
    """A plan in a list: its site in words, and how many cameras are on it."""

    row: FloorPlan
    site: str
    pins: int


@dataclass(frozen=True)
class Pin:
    """A camera on a plan, ``x`` and ``y`` in thousandths; pins are numbered from 1 as one reads, line by line."""

    camera: Camera
    in_use: bool
    x: int
    y: int
    number: int


@dataclass(frozen=True)
class ShownPlan:
    row: FloorPlan
    site: str
    pins: Sequence[Pin]

    @property
    def numbers(self) -> Mapping[str, int]:
        """The numbers of the pins by their cameras' ids."""
        return {pin.camera.id: pin.number for pin in self.pins}


def add(uow: UnitOfWork, entry: PlanEntry) -> FloorPlan:
    """Add a plan, whose picture follows. Refused for wrong values or a floor that has a plan."""
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # of two that are added at once, the second sees the first
    _check(uow, entry, None)
    if (uow.session.scalar(select(func.count()).select_from(FloorPlan)) or 0) >= MOST_PLANS:
        raise Refused("plans-full", "There are {most} plans already: remove one first.", most=MOST_PLANS)
    row = FloorPlan(id=new_id(), **asdict(entry), changed_by=uow.actor.id, changed_at=uow.now)
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "plan-added", "floor-plan", row.id, new=asdict(entry))
    return row


def change(uow: UnitOfWork, plan_id: str, entry: PlanEntry) -> FloorPlan:
    """Change what is said of a plan."""
    row = _lock(uow, plan_id)
    _check(uow, entry, plan_id)
    old = {name: getattr(row, name) for name in PlanEntry.__dataclass_fields__}
    for name, value in asdict(entry).items():
        setattr(row, name, value)
    _touch(uow, row)
    audit_trail.record(uow, "plan-changed", "floor-plan", plan_id, old=old, new=asdict(entry))
    return row


def remove(uow: UnitOfWork, plan_id: str) -> None:
    """Remove a plan with its picture and its pins; the cameras stay."""
    row = _lock(uow, plan_id)
    for table in (CameraPin, FloorPlanPicture):
        uow.session.execute(delete(table).where(table.plan_id == plan_id))
    uow.session.delete(row)
    audit_trail.record(uow, "plan-removed", "floor-plan", plan_id, old={"site": row.site_id, "floor": row.floor_zh})


def require_upload_allowed(uow: UnitOfWork, plan_id: str) -> None:
    """Refuse an upload before its body is read."""
    administrators.require_administrator(uow)
    if uow.session.get(FloorPlan, plan_id) is None:
        raise _unknown(plan_id)


def upload(uow: UnitOfWork, plan_id: str, picture: Picture) -> None:
    """Store the picture of a plan, replacing the one before. The pins keep their places."""
    row = _lock(uow, plan_id)
    old = row.sha256
    stored = uow.session.get(FloorPlanPicture, plan_id) or FloorPlanPicture(plan_id=plan_id)
    stored.encrypted = uow.secrets.encrypt(base64.b64encode(picture.jpeg).decode(), _purpose(plan_id))
    uow.session.add(stored)
    row.sha256 = hashlib.sha256(picture.jpeg).hexdigest()
    row.width, row.height = picture.width, picture.height
    _touch(uow, row)
    audit_trail.record(uow, "plan-picture-uploaded", "floor-plan", plan_id, old=old, new=row.sha256)


def place(uow: UnitOfWork, plan_id: str, places: Mapping[str, tuple[int, int]]) -> None:
    """Put cameras, by id, at these places, in thousandths of width and height; others stay where they are."""
    row = _lock(uow, plan_id)
    if any(not 0 <= part <= WHOLE for place in places.values() for part in place):
        raise Refused("pin-outside", "A camera must be on the plan: from 0 to 100 percent.", status=422, field="x")
    query = select(CameraPin).where(CameraPin.plan_id == plan_id)
    pins = {pin.camera_id: pin for pin in uow.session.scalars(query)}
    new = sorted(places.keys() - pins.keys())
    if len(pins) + len(new) > MOST_PINS:
        raise Refused(
            "plan-full",
            "A plan can show {most} cameras: add a second plan for a part of the floor.",
            status=422,
            most=MOST_PINS,
        )
    known = set(uow.session.scalars(_usable(select(Camera.id)).where(Camera.id.in_(new)))) if new else set()
    if unknown := [camera_id for camera_id in new if camera_id not in known]:
        raise NotFound(Message("camera"), unknown[0])
    moved = {}
    for camera_id, (x, y) in places.items():
        pin = pins.get(camera_id)
        if pin is None:
            pin = CameraPin(plan_id=plan_id, camera_id=camera_id)
            uow.session.add(pin)
        elif (pin.x, pin.y) == (x, y):
            continue
        pin.x, pin.y, pin.placed_by, pin.placed_at = x, y, uow.actor.id, uow.now
        moved[camera_id] = [x, y]
    if moved:
        _touch(uow, row)
        audit_trail.record(uow, "plan-cameras-placed", "floor-plan", plan_id, new=moved)


def take_off(uow: UnitOfWork, plan_id: str, camera_id: str) -> None:
    """Take a camera off a plan; nothing where it is not on it."""
    row = _lock(uow, plan_id)
    pin = uow.session.get(CameraPin, (plan_id, camera_id))
    if pin is not None:
        uow.session.delete(pin)
        _touch(uow, row)
        audit_trail.record(uow, "plan-camera-removed", "floor-plan", plan_id, camera=camera_id)


def list_plans(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[PlanLine]:
    """List all plans by site, building and level, for readers of the set-up; searched in sites, buildings, floors."""
    administrators.require_reader(uow)
    columns = {"site": Site.name, "floor": FloorPlan.level, "cameras": _count_pins()}
    page = listing.part(_lines().where(listing.mentioned(Site.name, *_words())), columns, *_ORDER)
    return [PlanLine(*row) for row in uow.session.execute(page)]


def list_shown(uow: UnitOfWork) -> list[PlanLine]:
    """List the plans that everybody sees who may ask for cameras: with a picture, and a camera in use on it."""
    query = _lines().where(
        FloorPlan.sha256.is_not(None), FloorPlan.id.in_(_usable(select(CameraPin.plan_id), pins=True))
    )
    return [PlanLine(*row) for row in uow.session.execute(query.order_by(*_ORDER).limit(MOST_PLANS))]


def get_plan(uow: UnitOfWork, plan_id: str) -> ShownPlan:
    """Return a plan with all its pins, for readers of the set-up. Raises NotFound."""
    administrators.require_reader(uow)
    return _shown(uow, plan_id)


def find_shown(uow: UnitOfWork, plan_id: str) -> ShownPlan | None:
    """Return a plan with the cameras in use on it; None where the acting person sees no such plan."""
    try:
        shown = _shown(uow, plan_id)
    except NotFound:
        return None
    pins = [pin for pin in shown.pins if pin.in_use]
    return ShownPlan(shown.row, shown.site, pins) if pins and shown.row.sha256 is not None else None


def read_picture(uow: UnitOfWork, plan_id: str) -> bytes:
    """Return the JPEG of a plan that the acting person sees, or that a reader of the set-up asks for."""
    if find_shown(uow, plan_id) is None and not administrators.may_read(uow):
        raise _unknown(plan_id)
    stored = uow.session.get(FloorPlanPicture, plan_id)
    if stored is None:
        raise _unknown(plan_id)
    return base64.b64decode(uow.secrets.decrypt(stored.encrypted, _purpose(plan_id)))


def list_candidates(uow: UnitOfWork, plan_id: str, text: str) -> list[Camera]:
    """List cameras in use to be placed that are not on the plan yet, those of its site first."""
    administrators.require_administrator(uow)
    row = uow.session.get(FloorPlan, plan_id)
    if row is None:
        raise _unknown(plan_id)
    here = func.coalesce(Camera.site_id, Recorder.site_id) == row.site_id
    placed = select(CameraPin.camera_id).where(CameraPin.plan_id == plan_id)
    words = (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en, Camera.channel, Recorder.name)
    query = (
        _usable(select(Camera))
        .where(Camera.id.not_in(placed), Listing(text).mentioned(*words))
        .order_by(func.coalesce(here, False).desc(), Camera.name_zh, Camera.id)
    )
    return list(uow.session.scalars(query.limit(CANDIDATES)))


def plans_of(uow: UnitOfWork, camera_ids: Collection[str]) -> dict[str, list[FloorPlan]]:
    """Return the plans with a picture on which these cameras are, by the cameras' ids."""
    found: dict[str, list[FloorPlan]] = {}
    if camera_ids:
        query = (
            select(CameraPin.camera_id, FloorPlan)
            .join(FloorPlan, FloorPlan.id == CameraPin.plan_id)
            .where(CameraPin.camera_id.in_(camera_ids), FloorPlan.sha256.is_not(None))
            .order_by(FloorPlan.building_zh, FloorPlan.level, FloorPlan.id)
        )
        for camera_id, plan in uow.session.execute(query):
            found.setdefault(camera_id, []).append(plan)
    return found


def is_on_plan_of(word: str) -> ColumnElement[bool]:
    """Build the condition that a camera is on a plan whose building or floor has the word."""
    matching = or_(*(column.icontains(word, autoescape=True) for column in _words()))
    return Camera.id.in_(select(CameraPin.camera_id).join(FloorPlan, FloorPlan.id == CameraPin.plan_id).where(matching))


def is_on(plan_id: str) -> ColumnElement[bool]:
    """Build the condition that a camera is on this plan."""
    return Camera.id.in_(select(CameraPin.camera_id).where(CameraPin.plan_id == plan_id))


def list_sites(uow: UnitOfWork, *also: str | None) -> list[tuple[str, str]]:
    """List the sites that are in use, and these, by id with their names, to choose one."""
    administrators.require_reader(uow)
    query = select(Site.id, Site.name).where(or_(Site.closed_at.is_(None), Site.id.in_([one for one in also if one])))
    return [(row.id, row.name) for row in uow.session.execute(query.order_by(Site.name, Site.id))]


def _lines() -> Select[FloorPlan, str, int]:
    return select(FloorPlan, Site.name, _count_pins()).join(Site, Site.id == FloorPlan.site_id)


def _count_pins() -> ScalarSelect[int]:
    pins = select(func.count()).select_from(CameraPin).where(CameraPin.plan_id == FloorPlan.id)
    return pins.correlate(FloorPlan).scalar_subquery()


def _words() -> Sequence[ColumnElement[str]]:
    columns = (FloorPlan.building_zh, FloorPlan.building_en, FloorPlan.floor_zh, FloorPlan.floor_en)
    return [column.expression for column in columns]


def _usable(query: Select, *, pins: bool = False) -> Select:  # type: ignore[type-arg]  # of cameras, or of their pins
    """Narrow a query of cameras, or of ``pins``, to the cameras that can be asked for."""
    if pins:
        query = query.join(Camera, Camera.id == CameraPin.camera_id)
    joined = query.join(Recorder, Recorder.id == Camera.recorder_id)
    return joined.where(Camera.active, Recorder.active, Recorder.kind != UPLOADED)


def _shown(uow: UnitOfWork, plan_id: str) -> ShownPlan:
    query = select(FloorPlan, Site.name).join(Site, Site.id == FloorPlan.site_id).where(FloorPlan.id == plan_id)
    found = uow.session.execute(query).one_or_none()
    if found is None:
        raise _unknown(plan_id)
    pins = (
        select(Camera, Camera.active & Recorder.active, CameraPin.x, CameraPin.y)
        .join(CameraPin, CameraPin.camera_id == Camera.id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .where(CameraPin.plan_id == plan_id)
        .order_by(CameraPin.y, CameraPin.x, Camera.id)
    )
    rows = enumerate(uow.session.execute(pins), start=1)
    return ShownPlan(found[0], found[1], [Pin(*row, number) for number, row in rows])


def _check(uow: UnitOfWork, entry: PlanEntry, own_id: str | None) -> None:
    site = uow.session.get(Site, entry.site_id)
    own = uow.session.get(FloorPlan, own_id) if own_id else None
    kept = own is not None and own.site_id == entry.site_id
    if site is None or (site.closed_at is not None and not kept):
        raise Refused("site-unknown", "Choose a site that is in use.", status=422, field="siteId")
    if not LOWEST <= entry.level <= HIGHEST:
        raise Refused(
            "level-wrong",
            "The level must be a whole number from {lowest} to {highest}; basements are below 0.",
            status=422,
            field="level",
            lowest=LOWEST,
            highest=HIGHEST,
        )
    same = select(FloorPlan.id).where(
        FloorPlan.site_id == entry.site_id,
        FloorPlan.building_zh == entry.building_zh,
        FloorPlan.floor_zh == entry.floor_zh,
        FloorPlan.id != (own_id or ""),
    )
    if uow.session.scalar(same) is not None:
        raise Refused(
            "floor-taken",
            "This floor has a plan already: change that one, or give this one another name, such as the wing it shows.",
            field="floorZh",
        )


def _lock(uow: UnitOfWork, plan_id: str) -> FloorPlan:
    administrators.require_administrator(uow)
    row = uow.session.get(FloorPlan, plan_id, with_for_update=not uow.reading)
    if row is None:
        raise _unknown(plan_id)
    return row


def _touch(uow: UnitOfWork, row: FloorPlan) -> None:
    row.changed_by, row.changed_at = uow.actor.id, uow.now


def _unknown(plan_id: str) -> NotFound:
    return NotFound(Message("floor plan"), plan_id)


def _purpose(plan_id: str) -> str:
    return f"floor-plan {plan_id}"
