"""The directory as everyone signed in sees it: departments, colleagues, cameras. No logins, no recorder's address."""

from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.cameras import Camera, CameraPicture, Recorder
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.cameras.retention import UPLOADED


@dataclass(frozen=True)
class Colleague:
    """``may_be_custodian``: no administrator (R2); ``agreement``: a valid confidentiality agreement (R46, R59)."""

    id: str
    name: str
    department_id: str
    agreement: bool
    may_be_custodian: bool


@dataclass(frozen=True)
class CameraLine:
    """A camera that can be asked for; ``zone`` is the time zone of its recorder."""

    id: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    camera_class: str
    site: str
    zone: str
    retention_days: int
    reference_picture: bool = False  # whether there is a still to recognise it by
    uploaded: bool = False  # a file that a person uploaded: ``site`` is who recorded it


def departments(uow: UnitOfWork) -> list[Department]:
    return list(uow.session.scalars(select(Department).order_by(Department.name_en, Department.id)))


def colleagues(uow: UnitOfWork, *, department_id: str | None = None) -> list[Colleague]:
    """Return the active people, by name; of one department where it is given."""
    query = select(Person).where(Person.active).order_by(Person.name, Person.id)
    if department_id is not None:
        query = query.where(Person.department_id == department_id)
    administrators = access_queries.load_directory(uow).administrators
    agreed = access_queries.list_agreed(uow, query.with_only_columns(Person.id).order_by(None))
    return [
        Colleague(
            person.id,
            person.name,
            person.department_id,
            person.id in agreed,
            person.id not in administrators,
        )
        for person in uow.session.scalars(query)
    ]


def cameras(uow: UnitOfWork) -> list[CameraLine]:
    """Return the cameras in use, by site and name; no uploaded files."""
    query = (
        select(Camera, Recorder, CameraPicture.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .outerjoin(CameraPicture, CameraPicture.camera_id == Camera.id)
        .where(Recorder.kind != UPLOADED, Camera.active, Recorder.active)
        .order_by(Recorder.site, Camera.name_en, Camera.id)
    )
    return [
        CameraLine(
            camera.id,
            camera.name_zh,
            camera.name_en,
            camera.place_zh,
            camera.place_en,
            camera.camera_class,
            recorder.site,
            recorder.zone,
            camera.retention_days,
            picture is not None,
        )
        for camera, recorder, picture in uow.session.execute(query)
    ]
