"""What cases ask for, for a line of a list: cameras and times, what may be overwritten, what waits for disposal."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import load_only

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.masters import Master
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications.schemas import CaseAbout
from services.domain.retrieval import preservations


class Asked(NamedTuple):
    """What an item asks for: from ``start`` to ``end``, typed in ``zone``, of this camera."""

    start: datetime
    end: datetime
    zone: str
    camera: Camera


# what ``read`` needs of a case, for a list that reads no more of it
OF_CASE = (Application.id, Application.title, Application.purpose_category, Application.closed_at)


@dataclass(frozen=True)
class Footage:
    """What a case asks for, and when the first item that is not in the vault yet may be overwritten.

    The moment is None where there is no such item, and for a closed case. ``awaits_disposal``: the vault keeps a master
    of it that nobody needs.
    """

    application: Application
    asked: Sequence[Asked]
    overwrite_at: datetime | None
    awaits_disposal: bool

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.asked)

    @cached_property
    def about(self) -> CaseAbout:
        """What the case is about; made where it is shown, since some lists want the moment alone."""
        return about_of(self.application, self.asked)


def read(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, Footage]:
    """Read what the cases ask for, by id; one statement, however many there are."""
    if not applications:
        return {}
    query = (
        select(
            *(Item.application_id, Item.asked_start, Item.asked_end, Item.zone),
            *(Camera, is_safe().label("safe"), _awaits_disposal().label("kept")),
        )
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            Item.application_id.in_([application.id for application in applications]), Item.dropped_in_round.is_(None)
        )
        .order_by(Item.position)
    )
    asked: dict[str, list[Asked]] = defaultdict(list)
    moments: dict[str, list[datetime]] = defaultdict(list)
    waiting: set[str] = set()
    for application_id, start, end, zone, camera, safe, kept in uow.session.execute(query).all():
        asked[application_id].append(Asked(start, end, zone, camera))
        if kept:
            waiting.add(application_id)
        if not safe and (moment := preservations.overwrite_moment(camera, start)) is not None:
            moments[application_id].append(moment)
    return {
        application.id: Footage(
            application,
            asked[application.id],
            None if application.closed_at else min(moments[application.id], default=None),
            application.id in waiting,
        )
        for application in applications
    }


def list_abouts(uow: UnitOfWork, application_ids: Collection[str]) -> dict[str, CaseAbout]:
    """Read what cases are about, by id, of those that the actor may see; two statements, however many there are."""
    if not application_ids:
        return {}
    seen = uow.session.scalars(
        select(Application)
        .where(Application.id.in_(application_ids), visibility.is_visible(uow, single=True))
        .options(load_only(*OF_CASE))
    ).all()
    return {application_id: found.about for application_id, found in read(uow, seen).items()}


def about_of(application: Application, asked: Sequence[Asked]) -> CaseAbout:
    """Return what a case is about: its title, and where and when what it asks for is, by position."""
    if not asked:
        return CaseAbout(title=application.title, purpose_category=application.purpose_category)
    camera = asked[0].camera
    return CaseAbout(
        title=application.title,
        purpose_category=application.purpose_category,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        cameras=len({item.camera.id for item in asked}),
        start=min(item.start for item in asked),
        end=max(item.end for item in asked),
        zone=asked[0].zone,
    )


def overwrite_order() -> ColumnElement[float]:
    """Compute the moment of ``read`` as a number to sort by, in a query on ``Application``; NULL for None."""
    first = (
        select(func.min(preservations.overwrite_order()))
        .select_from(Item)
        .join(Camera, Camera.id == Item.camera_id)
        .where(Item.application_id == Application.id, Item.dropped_in_round.is_(None), Camera.overwritten, ~is_safe())
        .correlate(Application)
        .scalar_subquery()
    )
    return case((Application.closed_at.is_(None), first))


def is_safe() -> ColumnElement[bool]:
    """Select whether the vault holds an item, as its master or in the quarantine; of a query on ``Item``.

    What the quarantine has is not safe while its recorder is asked again for what lacks.
    """
    preserved = select(Preservation.id).where(Preservation.item_id == Item.id, Preservation.released_at.is_(None))
    tried = select(FailedPreservation.item_id).where(
        FailedPreservation.item_id == Item.id, FailedPreservation.next_try_at.is_not(None)
    )
    return select(Master.id).where(Master.item_id == Item.id).exists() | (preserved.exists() & ~tried.exists())


def _awaits_disposal() -> ColumnElement[bool]:
    """Select whether an item's master is only kept until its lock has ended; of a query on ``Item``."""
    return (
        select(Master.id)
        .where(Master.item_id == Item.id, Master.unneeded_at.is_not(None), Master.discarded_at.is_(None))
        .exists()
    )
