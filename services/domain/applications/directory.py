"""The directory as everyone signed in sees it: departments, colleagues, cameras. No logins, no recorder's address."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from services.database.keyset import Page, Section, read_place, rows_at
from services.database.listing import Listing
from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications.schemas import CameraChoice, Colleague


def departments(uow: UnitOfWork) -> list[Department]:
    return list(uow.session.scalars(select(Department).order_by(Department.name_en, Department.id)))


def colleagues(uow: UnitOfWork, *, department_id: str | None = None, text: str = "") -> list[Colleague]:
    """Return the active people, by name; of one department where it is given, and whose names have the text."""
    query = select(Person).where(Person.active, Listing(text).mentioned(Person.name)).order_by(Person.name, Person.id)
    if department_id is not None:
        query = query.where(Person.department_id == department_id)
    administrators = access_queries.load_directory(uow).administrators
    agreed = access_queries.list_agreed(uow, query.with_only_columns(Person.id).order_by(None))
    return [
        Colleague(
            id=person.id,
            name=person.name,
            department_id=person.department_id,
            agreement=person.id in agreed,
            may_be_custodian=person.id not in administrators,
        )
        for person in uow.session.scalars(query)
    ]


CAMERA_ORDER = "site"
SHOWN = 60  # cameras to choose from at a time


@dataclass(frozen=True)
class FoundCameras:
    """The first ``SHOWN`` cameras that a search finds, and how many more there are."""

    cameras: list[CameraChoice]
    more: int


def cameras(uow: UnitOfWork, ids: Collection[str] | None = None) -> list[CameraChoice]:
    """Return the cameras in use, by site and name, or those of them with these ids; no uploaded files."""
    query = _select_cameras().order_by(Recorder.site, Camera.name_en, Camera.id)
    if ids is not None:
        query = query.where(Camera.id.in_(ids))
    return [_choice(*row) for row in uow.session.execute(query)]


def page_of_cameras(uow: UnitOfWork, text: str = "", *, limit: int, place: str = "") -> Page[CameraChoice]:
    """Read a page of the cameras in use that a search finds, by site and name, in one statement."""
    keys = (Recorder.site.expression, Camera.name_en.expression, Camera.id.expression)
    sections = (Section(keys),)
    rows, previous, following = rows_at(
        uow.session,
        _select_matching(text),
        sections,
        descending=False,
        limit=limit,
        place=read_place(place, CAMERA_ORDER, sections),
    )
    around = (beside.text(CAMERA_ORDER) if beside else "" for beside in (previous, following))
    return Page([_choice(*row[:3]) for row in rows], *around)


def find_cameras(uow: UnitOfWork, text: str) -> FoundCameras:
    """Find cameras in use by name, place or site, in this order of site and place; two statements."""
    matching = _select_matching(text)
    part = matching.order_by(Recorder.site, Camera.place_zh, Camera.name_en, Camera.id).limit(SHOWN)
    found = [_choice(*row) for row in uow.session.execute(part)]
    if len(found) < SHOWN:
        return FoundCameras(found, 0)
    return FoundCameras(found, (uow.session.scalar(matching.with_only_columns(func.count())) or 0) - SHOWN)


def _select_matching(text: str) -> Select[Camera, Recorder, str | None]:
    words = (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en, Recorder.site)
    return _select_cameras().where(Listing(text).mentioned(*words))


def _select_cameras() -> Select[Camera, Recorder, str | None]:
    return (
        select(Camera, Recorder, CameraPicture.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .outerjoin(CameraPicture, CameraPicture.camera_id == Camera.id)
        .where(Recorder.kind != UPLOADED, Camera.active, Recorder.active)
    )


def _choice(camera: Camera, recorder: Recorder, picture: str | None) -> CameraChoice:
    return choice_of(camera, site=recorder.site, zone=recorder.zone, reference_picture=picture is not None)


def choice_of(camera: Camera, *, site: str, zone: str, **more: bool) -> CameraChoice:
    """Return the camera as a form offers it; ``more`` are fields of `CameraChoice` that the camera does not have."""
    return CameraChoice(
        id=camera.id,
        name_zh=camera.name_zh,
        name_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        camera_class=camera.camera_class,
        site=site,
        zone=zone,
        retention_days=camera.retention_days,
        **more,
    )
