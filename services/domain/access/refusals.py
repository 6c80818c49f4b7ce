"""Who was refused often: what counts as a pattern, and for how long it can be followed up (R52)."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from services.database.tables.access_refusals import AccessRefusal
from services.database.unit_of_work import UnitOfWork

FOLLOWED_UP = timedelta(days=90)  # after the last time that they were told of it


def list_of_person(uow: UnitOfWork, person_id: str) -> Sequence[AccessRefusal]:
    """List what was refused to a person of late, the newest first."""
    query = (
        select(AccessRefusal)
        .where(AccessRefusal.person_id == person_id, AccessRefusal.at > uow.now - FOLLOWED_UP)
        .order_by(AccessRefusal.at.desc(), AccessRefusal.id)
        .limit(200)
    )
    return uow.session.scalars(query).all()


def has_pattern(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether so much was refused to the person of late that it can be followed up as a violation."""
    return any(refusal.told for refusal in list_of_person(uow, person_id))
