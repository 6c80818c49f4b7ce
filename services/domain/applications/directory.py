"""The directory as everyone signed in sees it: departments, colleagues, cameras. No recorder's address.

Usernames are shown only where two people of a department have one name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Select, func, select

from services.database.keyset import Page, Section, page_of
from services.database.listing import LONGEST_TEXT, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, FloorPlan, Recorder
from services.database.tables.people import Department, Person
from services.database.tables.sites import Site
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes
from services.domain.access import queries as access_queries
from services.domain.applications.schemas import CameraChoice, Colleague
from services.domain.cameras import favourites as camera_favourites
from services.domain.cameras import plans
from services.domain.cameras.plans import PlanLine, ShownPlan

SITE = func.coalesce(Site.name, Recorder.site)  # of a camera: its own, or its recorder's


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
    department_ids: Collection[str] = (),
    kinds: Collection[str] = (),
    custodians: bool = False,
) -> FoundPeople:
    """Find active people by name or department, those with a valid agreement first; a fixed number of statements.

    ``department_ids``, or ``kinds`` of departments, where it is only about them. With ``custodians`` no
    administrators, who see no footage (R2).
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
    if department_ids:
        query = query.where(Person.department_id.in_(department_ids))
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
    ids = [person.id for person in people]
    agreed = access_queries.list_agreed(uow, ids)
    usernames = namesakes.get_usernames(uow, ids, within_department=True)
    return [
        Colleague(
            id=person.id,
            name=person.name,
            department_id=person.department_id,
            agreement=person.id in agreed,
            may_be_custodian=person.id not in administrators,
            username=usernames.get(person.id),
        )
        for person in people
    ]


SHOWN = 60  # cameras to choose from at a time
MOST_WORDS = 8  # of a search; the rest is left out
COUNTED = 1000  # how many more cameras there are is counted up to here
OFTEN = 6  # cameras that a person often chooses
PEOPLE_SHOWN = 8


@dataclass(frozen=True)
class FoundCameras:
    """The first ``SHOWN`` cameras that a search finds, all of a plan, and how many more there are.

    ``more`` is ``COUNTED`` where there are as many or more; ``next`` is where the next page begins. Of the pickers
    alone: the ``plan`` that was chosen, ``choices`` of plans, the ``plans`` that a camera is on by its id, the ids of
    ``favourites``, and of a whole picker ``own``, the cameras that the person has marked or often chosen.
    """

    cameras: Sequence[CameraChoice]
    more: int = 0
    next: str = ""
    plans: Mapping[str, Sequence[FloorPlan]] = field(default_factory=dict)
    plan: ShownPlan | None = None
    choices: Sequence[PlanLine] = ()
    favourites: frozenset[str] = frozenset()
    own: Sequence[CameraChoice] = ()


@dataclass(frozen=True)
class CameraSearch:
    """What a person searches cameras by: words, each of which has to be found, a plan, and the own favourites."""

    text: str = ""
    plan_id: str = ""
    place: str = ""  # where a page begins
    favourites: bool = False

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text.strip() or self.plan_id or self.place or self.favourites)


def cameras(uow: UnitOfWork, ids: Collection[str] | None = None) -> list[CameraChoice]:
    """Return the cameras in use, by site and name, or those of them with these ids; no uploaded files."""
    query = _select_cameras().order_by(SITE, Camera.name_en, Camera.id)
    if ids is not None and not any(ids):
        return []
    if ids is not None:
        query = query.where(Camera.id.in_(ids))
    return [_choice(*row) for row in uow.session.execute(query)]


def page_of_cameras(uow: UnitOfWork, listing: Listing, *, favourites: bool = False) -> Page[CameraChoice]:
    """Read a page of the cameras in use that a search finds, by site and name, in one statement.

    With ``favourites`` those that the acting person has marked.
    """
    query = _select_matching(listing.text)
    if favourites:
        query = query.where(camera_favourites.is_marked(uow))
    keys = (SITE, Camera.name_en.expression, Camera.id.expression)
    page = page_of(uow.session, query, (Section(keys),), listing)
    return page.showing([_choice(*row[:4]) for row in page.lines])


def find_cameras(uow: UnitOfWork, text: str, *, retired: bool = False) -> FoundCameras:
    """Find cameras in use by name, place, site, building or floor, in order of site and place.

    With ``retired`` also those that are not in use any more: earlier cases ask for their footage.
    """
    found = _find(uow, CameraSearch(text), retired=retired)
    if not found.next:
        return found
    counted = _select_matching(text, retired=retired).with_only_columns(Camera.id).limit(SHOWN + COUNTED).subquery()
    return replace(found, more=(uow.session.scalar(select(func.count()).select_from(counted)) or 0) - SHOWN)


def pick_cameras(uow: UnitOfWork, search: CameraSearch) -> FoundCameras:
    """Find cameras in use for a person to choose from: with favourites, plans, and page after page.

    The others are not counted: that would search all cameras a second time. A plan that the person does not see counts
    as none.
    """
    found = _find(uow, search)
    favourites = camera_favourites.list_ids(uow)
    own: list[CameraChoice] = []
    if not search.is_narrowed:
        often = _often(uow, favourites)
        by_id = {camera.id: camera for camera in cameras(uow, favourites | set(often))} if favourites or often else {}
        marked = [camera for camera in by_id.values() if camera.id in favourites]
        own = [*marked, *(by_id[camera_id] for camera_id in often if camera_id in by_id)]
    shown = [camera.id for camera in (*found.cameras, *own)]
    return replace(
        found,
        choices=plans.list_shown(uow),
        favourites=favourites,
        own=own,
        plans=plans.plans_of(uow, shown),
    )


def _find(uow: UnitOfWork, search: CameraSearch, *, retired: bool = False) -> FoundCameras:
    matching = _select_matching(search.text, retired=retired)
    plan = plans.find_shown(uow, search.plan_id) if search.plan_id else None
    if plan is not None:
        matching = matching.where(plans.is_on(plan.row.id))
    if search.favourites:
        matching = matching.where(camera_favourites.is_marked(uow))
    keys = (SITE, Camera.place_zh.expression, Camera.name_en.expression, Camera.id.expression)
    listing = Listing(limit=SHOWN if plan is None else plans.MOST_PINS, place=search.place)
    page = page_of(uow.session, matching, (Section(keys),), listing)
    found = [_choice(*row[:4]) for row in page.lines]
    if plan is not None:
        found.sort(key=lambda camera: plan.numbers[camera.id])
    return FoundCameras(found, next=page.next, plan=plan)


def _often(uow: UnitOfWork, without: Collection[str]) -> list[str]:
    """List the ids of the cameras that the acting person's applications name most often."""
    query = (
        select(Item.camera_id)
        .join(Application, Application.id == Item.application_id)
        .where(Application.drafter_id == uow.actor.id, Application.submitted_at.is_not(None))
        .group_by(Item.camera_id)
        .order_by(func.count().desc(), func.max(Application.submitted_at).desc(), Item.camera_id)
    )
    return [
        camera_id for camera_id in uow.session.scalars(query.limit(OFTEN + len(without))) if camera_id not in without
    ][:OFTEN]


def get_camera(uow: UnitOfWork, camera_id: str) -> Camera | None:
    """Return a camera by its id, in use or not; no uploaded file."""
    query = select(Camera).join(Recorder, Recorder.id == Camera.recorder_id)
    return uow.session.scalar(query.where(Camera.id == camera_id, Recorder.kind != UPLOADED))


def _select_matching(text: str, *, retired: bool = False) -> Select[Camera, Recorder, str | None, str | None]:
    """Select the cameras of which each word of the text is in a name, a place, the site, or a plan they are on."""
    columns = (Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en, SITE)
    words = text[:LONGEST_TEXT].split()[:MOST_WORDS]
    each = (Listing(word).mentioned(*columns, also=plans.is_on_plan_of(word)) for word in words)
    return _select_cameras(retired=retired).where(*each)


def _select_cameras(*, retired: bool = False) -> Select[Camera, Recorder, str | None, str | None]:
    query = (
        select(Camera, Recorder, CameraPicture.camera_id, Site.name)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .outerjoin(CameraPicture, CameraPicture.camera_id == Camera.id)
        .outerjoin(Site, Site.id == Camera.site_id)
        .where(Recorder.kind != UPLOADED)
    )
    return query if retired else query.where(Camera.active, Recorder.active)


def _choice(camera: Camera, recorder: Recorder, picture: str | None, site: str | None) -> CameraChoice:
    return choice_of(camera, site=site or recorder.site, zone=recorder.zone, reference_picture=picture is not None)


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
