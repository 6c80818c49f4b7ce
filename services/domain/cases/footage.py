"""What cases ask for, for a line of a list: cameras and times, what may be overwritten, what waits for disposal."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera
from services.database.tables.masters import Master
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications.schemas import CaseAbout
from services.domain.retrieval import preservations


@dataclass(frozen=True)
class Footage:
    """What a case asks for: how many items, and when the first that is not in the vault yet may be overwritten.

    The moment is None where there is no such item, and for a closed case. ``awaits_disposal``: the vault keeps a master
    of it that nobody needs.
    """

    about: CaseAbout
    items: int
    overwrite_at: datetime | None
    awaits_disposal: bool


def read(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, Footage]:
    """Read what the cases ask for, by id; one statement, however many there are."""
    if not applications:
        return {}
    query = (
        select(Item, Camera, is_safe().label("safe"), _awaits_disposal().label("kept"))
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            Item.application_id.in_([application.id for application in applications]), Item.dropped_in_round.is_(None)
        )
        .order_by(Item.position)
    )
    asked: dict[str, list[tuple[Item, Camera]]] = defaultdict(list)
    moments: dict[str, list[datetime]] = defaultdict(list)
    waiting: set[str] = set()
    for item, camera, safe, kept in uow.session.execute(query):
        asked[item.application_id].append((item, camera))
        if kept:
            waiting.add(item.application_id)
        moment = preservations.overwrite_moment(camera, item.asked_start)
        if moment is not None and not safe:
            moments[item.application_id].append(moment)
    return {
        application.id: Footage(
            about_of(application, asked[application.id]),
            len(asked[application.id]),
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
        select(Application).where(Application.id.in_(application_ids), visibility.is_visible(uow, single=True))
    ).all()
    return {application_id: found.about for application_id, found in read(uow, seen).items()}


def about_of(application: Application, asked: Sequence[tuple[Item, Camera]]) -> CaseAbout:
    """Return what a case is about: its title, and where and when the items with their cameras are, by position."""
    about = CaseAbout(title=application.title, purpose_category=application.purpose_category)
    if not asked:
        return about
    first, camera = asked[0]
    return about.model_copy(
        update={
            "camera_zh": camera.name_zh,
            "camera_en": camera.name_en,
            "place_zh": camera.place_zh,
            "place_en": camera.place_en,
            "cameras": len({camera.id for _, camera in asked}),
            "start": min(item.asked_start for item, _ in asked),
            "end": max(item.asked_end for item, _ in asked),
            "zone": first.zone,
        }
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
