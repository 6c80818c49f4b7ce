"""The cameras that a person has marked with a star, to find them first. Nobody else sees which they are."""

from sqlalchemy import ColumnElement, func, select

from services.database.tables.cameras import Camera, FavouriteCamera, Recorder
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import reference_pictures
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST = 100  # of one person


def mark(uow: UnitOfWork, camera_id: str, *, marked: bool) -> None:
    """Mark a camera in use for the acting person, or take the mark off; a second time changes nothing."""
    row = uow.session.get(FavouriteCamera, (uow.actor.id, camera_id))
    if not marked:
        if row is not None:
            uow.session.delete(row)
        return
    camera = uow.session.get(Camera, camera_id)
    if camera is None or not reference_pictures.is_shown(camera, uow.session.get_one(Recorder, camera.recorder_id)):
        raise NotFound(Message("camera"), camera_id)
    if row is not None:
        return
    # of two that are marked at once, the second sees the first
    uow.session.get_one(Person, uow.actor.id, with_for_update={"key_share": True})
    count = select(func.count()).where(FavouriteCamera.person_id == uow.actor.id)
    if (uow.session.scalar(count) or 0) >= MOST:
        raise Refused("favourites-full", "You have {most} favourites: take the star off one first.", most=MOST)
    uow.session.add(FavouriteCamera(person_id=uow.actor.id, camera_id=camera_id, since=uow.now))


def list_ids(uow: UnitOfWork) -> frozenset[str]:
    """Return the ids of the cameras that the acting person has marked."""
    query = select(FavouriteCamera.camera_id).where(FavouriteCamera.person_id == uow.actor.id)
    return frozenset(uow.session.scalars(query))


def is_marked(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that the acting person has marked a camera."""
    return Camera.id.in_(select(FavouriteCamera.camera_id).where(FavouriteCamera.person_id == uow.actor.id))
