"""Who may see a case: its participants, Security and the supervisors (R2, R62).

Administrators see only what they draft themselves. The subjects of a case see nothing of it: they must not learn
beforehand that it exists, or what reviewers say of them (T8).
"""

from sqlalchemy import ColumnElement, Select, String, cast, or_, select

from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy, queries
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotFound
from services.runtime.translations import Message

UNRESTRICTED_POSTS = ("security-reviewer", "supervisor")


def get_visible(uow: UnitOfWork, application_id: str) -> Application:
    """Return the application if the acting person may see it; NotFound otherwise."""
    application = uow.session.scalar(select_visible(uow).where(Application.id == application_id))
    if application is None and _is_asked(uow, application_id):
        application = uow.session.get(Application, application_id)
    if application is None:
        raise NotFound(Message("application"), application_id)
    return application


def list_visible(uow: UnitOfWork, *, limit: int, offset: int, mine: bool = False) -> list[Application]:
    """List the applications that the acting person may see, newest first; ``mine``: own drafts."""
    query = select_visible(uow).order_by(Application.created_at.desc(), Application.id).limit(limit).offset(offset)
    if mine:
        query = query.where(Application.drafter_id == uow.actor.id)
    return list(uow.session.scalars(query))


def select_visible(uow: UnitOfWork) -> Select[Application]:
    """Build the query of all applications that the acting person may see."""
    return select(Application).where(is_visible(uow))


def require_readable(uow: UnitOfWork, review: Review) -> None:
    """NotFound unless the acting person holds a post for the review or may see its case."""
    application = uow.session.get_one(Application, review.application_id)
    me = uow.actor.id
    directory = queries.load_directory(uow)
    administrator = directory.holds(me, "administrator")
    excluded = administrator or me in application.subject_ids
    if not excluded:
        groups = policy.pools(directory, queries.load_facts(uow, application.id), STAGES[review.stage])
        if any(me in group for group in groups):
            return
    if administrator or not _may_see(uow, application):
        raise NotFound(Message("review"), review.id)


def _may_see(uow: UnitOfWork, application: Application) -> bool:
    try:
        get_visible(uow, application.id)
    except NotFound:
        return False
    return True


def _is_asked(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether an open review asks the acting person, maybe as a substitute (T1, T8)."""
    query = select(Review).where(Review.application_id == application_id, Review.closed_at.is_(None))
    reviews = uow.session.scalars(query).all()
    if not reviews:
        return False
    directory, facts = queries.load_directory(uow), queries.load_facts(uow, application_id)
    return any(policy.refusal_for(directory, facts, review, uow.actor.id) is None for review in reviews)


def is_visible(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that the acting person may see it."""
    me = uow.actor.id
    directory = queries.load_directory(uow)
    posts = directory.posts_of(me)
    drafted = Application.drafter_id == me
    if directory.holds(me, "administrator"):
        return drafted
    parts: list[ColumnElement[bool]] = []
    submitted = Application.submitted_at.is_not(None)
    heads = {post.department_id for post in posts if post.kind in ("head", "deputy")}
    kinds = {post.kind for post in posts}
    if directory.holds_in(me, "security", "head", "deputy") or kinds & set(UNRESTRICTED_POSTS):
        parts.append(submitted)
    if heads:
        parts.append(submitted & Application.department_id.in_(heads))
        # heads of joint departments, while they are asked and once they have consented (R17)
        asked = (
            select(Consent.application_id)
            .join(Consultation, Consultation.id == Consent.consultation_id)
            .where(
                Consent.department_id.in_(heads),
                Consultation.ended_because.is_(None) | (Consultation.ended_because == "consented"),
            )
        )
        parts.append(Application.id.in_(asked))
    if "storage-operator" in kinds:
        filed = select(Document.application_id).where(Document.kind == "application-form")
        parts.append(Application.id.in_(filed))
    for kind, stage in (("manager", "management"), ("return-inspector", "return-inspection")):
        if kind in kinds:
            parts.append(Application.id.in_(select(Review.application_id).where(Review.stage == stage)))
    parts += [
        Application.id.in_(select(HandOver.application_id).where(HandOver.custodian_id == me)),
        Application.id.in_(select(Decision.application_id).where(Decision.decided_by == me)),
        submitted & Application.id.in_(select(Consent.application_id).where(Consent.person_id == me)),
        Application.id.in_(
            select(Review.application_id)
            .join(Confirmation, Confirmation.review_id == Review.id)
            .where(Confirmation.person_id == me)
        ),
    ]
    concerned = cast(Application.subject_ids, String).contains(f'"{me}"', autoescape=True)
    return or_(drafted, ~concerned & or_(*parts))
