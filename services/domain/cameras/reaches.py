"""How far back each camera can be seen, day by day: a recorder that keeps less than it did is told in time (F33)."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from services.database.tables.cameras import Camera
from services.database.tables.reaches import Reach
from services.database.unit_of_work import UnitOfWork

KEPT = timedelta(days=60)
# What the reach of now is held against: a week ago, or the last measurement of the two days before.
AGO, AT_MOST = timedelta(days=7), timedelta(days=9)


def measured(uow: UnitOfWork, camera: Camera, oldest: datetime) -> None:
    """Write down a camera's oldest picture as it was found now."""
    camera.oldest_frame_at, camera.oldest_measured_at = oldest, uow.now
    day = uow.now.date().isoformat()
    row = uow.session.get(Reach, (camera.id, day))
    if row is None:
        uow.session.add(Reach(camera_id=camera.id, day=day, measured_at=uow.now, oldest_frame_at=oldest))
        past = (uow.now - KEPT).date().isoformat()
        uow.session.execute(delete(Reach).where(Reach.camera_id == camera.id, Reach.day < past))
    else:
        row.measured_at, row.oldest_frame_at = uow.now, oldest


def forget(uow: UnitOfWork, camera_id: str) -> None:
    """The camera shows other footage from now on: how far back the former one reached tells nothing of it."""
    uow.session.execute(delete(Reach).where(Reach.camera_id == camera_id))


def change(uow: UnitOfWork, camera: Camera) -> timedelta | None:
    """How much further back the camera can be seen than a week ago; negative: less. None where that is not known."""
    if camera.oldest_frame_at is None or camera.oldest_measured_at is None:
        return None
    first, last = ((camera.oldest_measured_at - ago).date().isoformat() for ago in (AT_MOST, AGO))
    before = uow.session.scalar(
        select(Reach)
        .where(Reach.camera_id == camera.id, Reach.day.between(first, last))
        .order_by(Reach.day.desc())
        .limit(1)
    )
    return None if before is None else (camera.oldest_measured_at - camera.oldest_frame_at) - before.length
