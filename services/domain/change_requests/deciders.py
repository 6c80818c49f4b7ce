"""Who has to do with decisions or footage, so that nobody changes their account alone (R2, R16)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, String, cast, or_, select

from services.database.tables.applications import Application
from services.database.tables.copies import Grant
from services.database.tables.custody import HandOver
from services.database.tables.emergency_views import EmergencyGrant
from services.database.tables.matters import Matter
from services.database.tables.people import Post
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.change_requests import open_requests

DECIDED_WITHIN = timedelta(days=30)  # ago a post ended whose person still counts as one who decides


def decides(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person has to do with decisions or footage, so that an act on them needs a second person.

    They hold, will hold or held in the last 30 days a post other than membership, one was asked for them, they hold
    a copy or are to get one, they may view footage or are named for it in a case that is open, a violation that is open
    accuses them, or they drafted a case that is open, which they can withdraw. Otherwise an account would be prepared
    before its post, or between two of them.
    """
    post = select(Post.id).where(
        Post.person_id == person_id,
        Post.kind != "member",
        Post.until.is_(None) | (Post.until > uow.now - DECIDED_WITHIN),
    )
    # to watch a copy on loan takes no signature, so its custodian's account is worth as much
    copy = select(HandOver.id).where(
        HandOver.custodian_id == person_id,
        *(moment.is_(None) for moment in (HandOver.declined_at, HandOver.lost_at, HandOver.ended_at)),
    )
    named = select(Application.id).where(
        or_(
            Application.custodian_id == person_id,
            Application.named_custodian_id == person_id,
            Application.drafter_id == person_id,
        ),
        Application.submitted_at.is_not(None),
        Application.closed_at.is_(None),
    )
    asked = (post, copy, named, *_viewing(uow, person_id), *_heard(person_id))
    return any(uow.session.scalar(query.limit(1)) is not None for query in asked) or any(
        request.person_id == person_id for request in open_requests.list_open_posts(uow)
    )


def _viewing(uow: UnitOfWork, person_id: str) -> tuple[Select[str], ...]:
    """Select what lets somebody watch footage without a signature: as a named viewer, or in an urgent retrieval."""
    recipient = select(Application.id).where(
        Application.submitted_at.is_not(None),
        Application.closed_at.is_(None),
        cast(Application.recipient_ids, String).contains(person_id, autoescape=True),
    )
    grants: tuple[Any, ...] = (Grant, EmergencyGrant)
    open_ones = (
        select(table.id).where(table.person_id == person_id, table.ended_at.is_(None), table.until > uow.now)
        for table in grants
    )
    return recipient, *open_ones


def _heard(person_id: str) -> tuple[Select[str], ...]:
    """Select the open matters that ask the person by name: who takes copies over, and who is accused."""
    counterpart = select(Matter.id).where(Matter.counterpart_id == person_id, Matter.closed_at.is_(None))
    accused = (
        select(Hearing.matter_id)
        .join(Matter, Matter.id == Hearing.matter_id)
        .where(Hearing.person_id == person_id, Matter.closed_at.is_(None))
    )
    return counterpart, accused


def is_set_up(uow: UnitOfWork) -> bool:
    """Return whether anybody but the acting administrator has ever had a post other than membership.

    Until then an installation is being set up and there is no second person to ask. Posts that ended count: nobody
    returns to that state by ending those of the others.
    """
    query = select(Post.id).where(Post.kind != "member", Post.person_id != uow.actor.id)
    return uow.session.scalar(query.limit(1)) is not None
