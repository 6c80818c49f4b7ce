"""The directory as everyone signed in sees it: departments, colleagues, cameras. No logins, no recorder's address."""

from sqlalchemy import select

from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications.schemas import CameraChoice, Colleague


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
            id=person.id,
            name=person.name,
            department_id=person.department_id,
            agreement=person.id in agreed,
            may_be_custodian=person.id not in administrators,
        )
        for person in uow.session.scalars(query)
    ]


def cameras(uow: UnitOfWork) -> list[CameraChoice]:
    """Return the cameras in use, by site and name; no uploaded files."""
    query = (
        select(Camera, Recorder, CameraPicture.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .outerjoin(CameraPicture, CameraPicture.camera_id == Camera.id)
        .where(Recorder.kind != UPLOADED, Camera.active, Recorder.active)
        .order_by(Recorder.site, Camera.name_en, Camera.id)
    )
    return [
        CameraChoice(
            id=camera.id,
            name_zh=camera.name_zh,
            name_en=camera.name_en,
            place_zh=camera.place_zh,
            place_en=camera.place_en,
            camera_class=camera.camera_class,
            site=recorder.site,
            zone=recorder.zone,
            retention_days=camera.retention_days,
            reference_picture=picture is not None,
        )
        for camera, recorder, picture in uow.session.execute(query)
    ]
