"""The directory as everyone signed in sees it: departments, colleagues, cameras. No logins, no recorder's address."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from services.database.keyset import Page, Section, page_of
from services.database.listing import Listing
from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications.schemas import CameraChoice, Colleague


def departments(uow: UnitOfWork) -> list[Department]:
    return list(uow.session.scalars(select(Department).order_by(Department.name_en, Department.id)))


@dataclass(frozen=True)
class FoundPeople:
    """The first ``PEOPLE_SHOWN`` people that a search finds, each with the department, and how many more there are."""

    people: Sequence[tuple[Colleague, Department]] = ()
    more: int = 0


def page_of_people(uow: UnitOfWork, listing: Listing, *, department_id: str | None = None) -> Page[Colleague]:
    """Read a page of the active people whose names have the text, by name; of one department where it is given."""
    query = select(Person).where(Person.active, listing.mentioned(Person.name))
    if department_id is not None:
        query = query.where(Person.department_id == department_id)
    page = page_of(uow.session, query, (Section((Person.name.expression, Person.id.expression)),), listing)
    return page.showing(_colleagues(uow, [row[0] for row in page.lines]))


def find_people(
    uow: UnitOfWork,
    text: str,
    without: Collection[str] = (),
    *,
    department_id: str | None = None,
    kinds: Collection[str] = (),
    custodians: bool = False,
) -> FoundPeople:
    """Find active people by name or department, those with a valid agreement first; three statements at most.

    ``kinds`` of departments, where it is only about them. With ``custodians`` no administrators, who see no
    footage (R2).
    """
    query = (
        select(Person, Department)
        .join(Department, Department.id == Person.department_id)
        .where(
            Person.active,
            Person.id.not_in(without),
            Listing(text).mentioned(Person.name, Department.name_zh, Department.name_en),
        )
    )
    if department_id is not None:
        query = query.where(Person.department_id == department_id)
    if kinds:
        query = query.where(Department.kind.in_(kinds))
    if custodians:
        query = query.where(Person.id.not_in(access_queries.load_directory(uow).administrators))
    agreed = Person.id.in_(access_queries.select_agreed(uow))
    rows = uow.session.execute(query.order_by(agreed.desc(), Person.name, Person.id).limit(PEOPLE_SHOWN)).all()
    shown = _colleagues(uow, [person for person, _ in rows])
    more = 0
    if len(rows) == PEOPLE_SHOWN:
        more = (uow.session.scalar(query.with_only_columns(func.count())) or 0) - PEOPLE_SHOWN
    return FoundPeople([(colleague, row[1]) for colleague, row in zip(shown, rows, strict=True)], more)


def colleagues(uow: UnitOfWork, person_ids: Collection[str]) -> dict[str, Colleague]:
    """Return the people with these ids, by id, whoever has left among them."""
    people = uow.session.scalars(select(Person).where(Person.id.in_(person_ids))).all() if person_ids else []
    return {colleague.id: colleague for colleague in _colleagues(uow, people)}


def _colleagues(uow: UnitOfWork, people: Sequence[Person]) -> list[Colleague]:
    administrators = access_queries.load_directory(uow).administrators
    agreed = access_queries.list_agreed(uow, [person.id for person in people])
    return [
        Colleague(
            id=person.id,
            name=person.name,
            department_id=person.department_id,
            agreement=person.id in agreed,
            may_be_custodian=person.id not in administrators,
        )
        for person in people
    ]


SHOWN = 60  # cameras to choose from at a time
PEOPLE_SHOWN = 8


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


def page_of_cameras(uow: UnitOfWork, listing: Listing) -> Page[CameraChoice]:
    """Read a page of the cameras in use that a search finds, by site and name, in one statement."""
    keys = (Recorder.site.expression, Camera.name_en.expression, Camera.id.expression)
    page = page_of(uow.session, _select_matching(listing.text), (Section(keys),), listing)
    return page.showing([_choice(*row[:3]) for row in page.lines])


def find_cameras(uow: UnitOfWork, text: str, *, retired: bool = False) -> FoundCameras:
    """Find cameras in use by name, place or site, in this order of site and place; two statements.

    With ``retired`` also those that are not in use any more: earlier cases ask for their footage.
    """
    matching = _select_matching(text, retired=retired)
    part = matching.order_by(Recorder.site, Camera.place_zh, Camera.name_en, Camera.id).limit(SHOWN)
    found = [_choice(*row) for row in uow.session.execute(part)]
    if len(found) < SHOWN:
        return FoundCameras(found, 0)
    return FoundCameras(found, (uow.session.scalar(matching.with_only_columns(func.count())) or 0) - SHOWN)


def get_camera(uow: UnitOfWork, camera_id: str) -> Camera | None:
    """Return a camera by its id, in use or not; no uploaded file."""
    query = select(Camera).join(Recorder, Recorder.id == Camera.recorder_id)
    return uow.session.scalar(query.where(Camera.id == camera_id, Recorder.kind != UPLOADED))


def _select_matching(text: str, *, retired: bool = False) -> Select[Camera, Recorder, str | None]:
    words = (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en, Recorder.site)
    return _select_cameras(retired=retired).where(Listing(text).mentioned(*words))


def _select_cameras(*, retired: bool = False) -> Select[Camera, Recorder, str | None]:
    query = (
        select(Camera, Recorder, CameraPicture.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .outerjoin(CameraPicture, CameraPicture.camera_id == Camera.id)
        .where(Recorder.kind != UPLOADED)
    )
    return query if retired else query.where(Camera.active, Recorder.active)


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
