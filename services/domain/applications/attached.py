"""Who may read and add the attachments of an application (R2, R21, R55, T8)."""

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
from services.runtime.translations import Message


def _may_read(uow: UnitOfWork, application_id: str) -> Reading:
    """Who may see the case reads its attachments; NotFound for everybody else."""
    application = visibility.get_visible(uow, application_id)
    edits = _edits(uow, application)
    return Reading(
        application_id=application.id,
        edits=edits,
        draft=application.submitted_at is None,
        identity_cards=edits or _handles(uow, application),
    )


def _may_add(uow: UnitOfWork, application_id: str) -> Refused | None:
    """Return why the acting person can add nothing now; locks the application in a unit that writes."""
    visibility.get_visible(uow, application_id)
    application = uow.session.get_one(
        Application, application_id, with_for_update=None if uow.reading else True, populate_existing=True
    )
    if application.closed_at is not None or application.withdrawn_at is not None:
        return Refused("attachment-closed", "The case has ended: nothing can be added to it any more.")
    if service.is_of_applicant(uow, application) or _has_part(uow, application) or _handles(uow, application):
        return None
    return Refused(
        "attachment-no-part",
        Message(
            "Only the applicant's side, the custodian, and who decides in the case now can add attachments: give the "
            "file to one of them."
        ),
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


def _has_part(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the acting person is a custodian of a loan that runs or is offered."""
    query = select(HandOver.id).where(
        HandOver.application_id == application.id,
        HandOver.custodian_id == uow.actor.id,
        HandOver.ended_at.is_(None),
    )
    return uow.session.scalar(query.limit(1)) is not None


def _handles(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the acting person is of Security or heads Legal, or an open review asks them."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    if me in application.subject_ids or me in directory.administrators:
        return False
    if application.submitted_at is None:
        return False
    if directory.holds(me, "security-reviewer") or any(
        directory.holds_in(me, kind, "head", "deputy") for kind in ("security", "legal")
    ):
        return True
    query = select(Review).where(Review.application_id == application.id, Review.closed_at.is_(None))
    reviews = uow.session.scalars(query).all()
    if not reviews:
        return False
    facts = access_queries.load_facts(uow, application.id)
    return any(policy.refusal_for(directory, facts, review, me) is None for review in reviews)


SUBJECT = Subject(may_read=_may_read, may_add=_may_add, changed=_changed)
