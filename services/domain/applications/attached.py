"""Who may read and add the attachments of an application (R2, R21, R55, T8)."""

from collections.abc import Collection

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, visibility
from services.domain.access import queries as access_queries
from services.domain.applications import joint, service
from services.domain.attachments.subjects import Reading, Subject
from services.runtime.errors import Refused


def reading_of(
    uow: UnitOfWork, application: Application, *, reviews: Collection[Review], hand_overs: Collection[HandOver]
) -> Reading:
    """Return what the acting person may do with the attachments of a case that they may see.

    ``reviews`` and ``hand_overs`` are the case's, also those that are over.
    """
    edits = _edits(uow, application)
    handles = _handles(uow, application, reviews)
    me = uow.actor.id
    keeps = any(one.custodian_id == me and one.ended_at is None for one in hand_overs)
    has_part = handles or keeps or service.is_of_applicant(uow, application)
    return Reading(
        application_id=application.id,
        edits=edits,
        draft=application.submitted_at is None,
        identity_cards=handles,
        refusal=_refusal(application, has_part=has_part),
    )


def _read(uow: UnitOfWork, application_id: str) -> Reading:
    """Who may see the case reads its attachments; NotFound for everybody else."""
    application = visibility.get_visible(uow, application_id)
    reviews = uow.session.scalars(select(Review).where(Review.application_id == application_id)).all()
    hand_overs = uow.session.scalars(select(HandOver).where(HandOver.application_id == application_id)).all()
    return reading_of(uow, application, reviews=reviews, hand_overs=hand_overs)


def _lock(uow: UnitOfWork, application_id: str) -> None:
    uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)


def _refusal(application: Application, *, has_part: bool) -> Refused | None:
    if application.closed_at is not None or application.withdrawn_at is not None:
        return Refused("attachment-closed", "The case has ended: attachments cannot be added.")
    if has_part:
        return None
    return Refused(
        "attachment-no-part",
        "Only the applicant's side, the custodian, and who decides in the case now can add attachments: give the file "
        "to one of them.",
        status=403,
    )


def _changed(uow: UnitOfWork, application_id: str) -> None:
    """Departments that are being asked for their consent are asked about another form now (R17)."""
    joint.end_if_changed(uow, uow.session.get_one(Application, application_id))


def _edits(uow: UnitOfWork, application: Application) -> bool:
    """Return whether it is a draft, or a correction that is not over, of the acting person's side."""
    returned = (
        application.correction_until is not None
        and uow.now < application.correction_until
        and application.closed_at is None
    )
    return (application.submitted_at is None or returned) and service.is_of_applicant(uow, application)


def _handles(uow: UnitOfWork, application: Application, reviews: Collection[Review]) -> bool:
    """Return whether the acting person is of Security or heads Legal, or an open review asks them."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    barred = me in application.subject_ids or me in directory.administrators
    if barred or application.submitted_at is None:
        return False
    if directory.holds(me, "security-reviewer") or any(
        directory.holds_in(me, kind, "head", "deputy") for kind in ("security", "legal")
    ):
        return True
    asking = [review for review in reviews if review.closed_at is None and review.matter_id is None]
    if not asking:
        return False
    facts = access_queries.load_facts(uow, application.id)
    return any(policy.refusal_for(directory, facts, review, me) is None for review in asking)


SUBJECT = Subject(read=_read, lock=_lock, changed=_changed)
