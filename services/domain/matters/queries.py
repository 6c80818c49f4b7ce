"""Matters as people see them: a list, one with all of it, and what a person may ask for in a case."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased

from services.database.keyset import Page, Section, page_of
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds, storage, violations, visibility
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import derivative_queries, emergency, emergency_views
from services.domain.matters import documents, withdrawals
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import Line
from services.domain.matters.kinds.disposal import Disposal
from services.domain.matters.kinds.redaction import Redaction
from services.domain.matters.kinds.urgent import UrgentRetrieval
from services.domain.matters.schemas import AskedReview, MatterDecision, MatterLine, MatterView, Offer
from services.domain.matters.violations import queries as violation_queries
from services.domain.process import permissions
from services.domain.reviews import moot_matters
from services.domain.reviews.schemas import MatterFact
from services.runtime.errors import NotFound
from services.runtime.labels import Label
from services.runtime.translations import Message, Text

OPENER, COUNTERPART = aliased(Person), aliased(Person)
OPEN = "open"
APART = (*violations.KINDS, Disposal.code, *holds.KINDS)  # not seen by everybody who sees the case


def state_of(matter: Matter) -> str:
    return matter.closed_as or OPEN


def read(
    uow: UnitOfWork, listing: Listing = EVERYTHING, *, state: str = "", kind: str = "", mine: bool = False
) -> Page[MatterLine]:
    """Read a page of the matters that the actor may see, the newest first; searched in numbers and titles.

    A title is searched where its line shows it: else it could be found out letter by letter.
    """
    me = uow.actor.id
    titled = or_(Matter.kind.not_in(APART), visibility.is_of_visible(uow, Matter.application_id))
    in_title = and_(titled, listing.mentioned(Application.title))
    query = _select(uow).where(_is_seen(uow), listing.mentioned(Matter.number, Application.number, also=in_title))
    if mine:
        query = query.where(or_(Matter.opened_by == me, Matter.counterpart_id == me))
    if state:
        query = query.where(Matter.closed_at.is_(None) if state == OPEN else Matter.closed_at.is_not(None))
    if kind:
        query = query.where(Matter.kind == kind)
    by_id = Matter.id.expression
    section = Section(
        (Matter.number.expression, by_id) if listing.sort == "number" else (Matter.opened_at.expression, by_id)
    )
    page = page_of(uow.session, query, (section,), listing)
    return page.showing(_lines(uow, page.lines))


def list_of_case(uow: UnitOfWork, application_id: str) -> list[MatterLine]:
    """List the matters of a case that the caller has let the actor see, the newest first."""
    seen = [Matter.kind.not_in(APART), and_(Matter.kind.in_(violations.KINDS), violations.is_seen(uow))]
    if holds.may_read(access_queries.load_directory(uow), uow.actor.id):
        seen.append(Matter.kind.in_(holds.KINDS))
    query = (
        _select(uow)
        .where(Matter.application_id == application_id, or_(*seen))
        .order_by(Matter.opened_at.desc(), Matter.id)
    )
    return _lines(uow, uow.session.execute(query).all())


def is_visible(uow: UnitOfWork, matter: Matter) -> bool:
    """Return whether the acting person may see the matter, or is asked about it."""
    seen = uow.session.scalar(select(Matter.id).where(Matter.id == matter.id, _is_seen(uow))) is not None
    return seen or violations.is_asked(uow, matter.id)


def get(uow: UnitOfWork, matter_id: str) -> MatterView:
    """Return one matter; NotFound for whoever may not see its case and has no part in it."""
    return get_row(uow, matter_id)[1]


def get_row(uow: UnitOfWork, matter_id: str) -> tuple[Matter, MatterView]:
    """Return one matter as ``get`` does, with its row.

    Case and matter come with it: while they are kept, nothing that is asked about them loads them again.
    """
    loan = aliased(HandOver)
    with_case = _select(uow).add_columns(Application, loan.custodian_id)
    query = with_case.outerjoin(loan, loan.id == Matter.hand_over_id)
    row = uow.session.execute(query.where(Matter.id == matter_id, _is_seen(uow))).one_or_none()
    if row is None:
        row = uow.session.execute(query.where(Matter.id == matter_id, Matter.kind.in_(APART))).one_or_none()
        if row is None or not violations.is_asked(uow, matter_id):
            raise NotFound(Message("matter"), matter_id)
    matter: Matter = row[0]
    audit_trail.record(uow, "matter-read", "matter", matter.id, application_id=matter.application_id)
    asked, decided = _open_reviews(uow, [matter.id]), _load_decisions(uow, matter)
    [line] = _lines(uow, [row], asked if matter.closed_at is None else {})
    because = _because(uow, matter)
    return matter, MatterView(
        **line.model_dump(),
        lines=lines_of(uow, matter),
        results=_facts(KINDS[matter.kind].results(uow, matter.outcome or {})),
        facts_sha256=matter.facts_sha256,
        decisions=_decisions(uow, decided),
        reviews=_reviews(uow, matter, asked.get(matter.id, [])),
        because_zh=because.zh if because else None,
        because_en=because.en if because else None,
        document=_document(uow, matter),
        hand_over_id=matter.hand_over_id,
        holder=row.custodian_id == uow.actor.id,  # whose page of the loan is the custodian's alone
        may_withdraw=withdrawals.may_withdraw(uow, matter, decided),
        violation=violation_queries.describe(uow, matter, decided) if matter.kind == violations.KIND else None,
        emergency_copies=emergency_views.list_mine(uow, matter.id) if matter.kind == UrgentRetrieval.code else [],
        redacted_copy=derivative_queries.of_matter(uow, matter.id) if matter.kind == Redaction.code else None,
    )


def _document(uow: UnitOfWork, matter: Matter) -> str | None:
    """Return the number of its last document, if one is written and the actor may read it."""
    if matter.kind not in violations.KINDS:
        subjects = [matter.id, f"{matter.id}/{documents.LAST}"]
        own = select(Document.number).where(Document.subject_id.in_(subjects), Document.kind == matter.kind)
        return uow.session.scalar(own.order_by(Document.made_at.desc(), Document.number.desc()).limit(1))
    appealed = violations.get_appealed(uow, matter) if matter.kind == violations.APPEAL else matter
    if not violations.sees_opener(uow, appealed):
        return None
    appeals = violations.select_appeals(select(Matter.id).where(Matter.id == appealed.id))
    sheets = select(Document.number).where(
        Document.kind == violations.KIND, or_(Document.subject_id == appealed.id, Document.subject_id.in_(appeals))
    )
    return uow.session.scalar(sheets.order_by(Document.made_at.desc(), Document.number.desc()).limit(1))


def lines_of(uow: UnitOfWork, matter: Matter) -> list[MatterFact]:
    """Return what is asked beside what is."""
    return _facts(KINDS[matter.kind].lines(uow, matter.facts))


def _facts(lines: Sequence[Line]) -> list[MatterFact]:
    return [MatterFact(name_zh=line.name_zh, name_en=line.name_en, zh=line.zh, en=line.en) for line in lines]


def list_offers(uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> list[Offer]:
    """List what the actor may ask for in the case now; values and people are checked when it is asked."""
    return [
        Offer(kind=kind.code, button_zh=kind.button.zh, button_en=kind.button.en)
        for kind in KINDS.values()
        if kind.unavailable(kind.loan_of(uow, application, hand_over)) is None
        and kind.is_offered(application)
        and (kind.of_loan or _is_under_approval(uow, application))
        and kind.may_open(uow, application, hand_over)
    ]


def _is_under_approval(uow: UnitOfWork, application: Application) -> bool:
    """Whether the application is submitted and not decided, and nobody has called it urgently."""
    if application.submitted_at is None or emergency.is_decided(permissions.read(uow, application.id)):
        return False
    called = select(Matter.id).where(Matter.application_id == application.id, Matter.kind == UrgentRetrieval.code)
    return uow.session.scalar(called.limit(1)) is None


def _select(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    visible = visibility.is_of_visible(uow, Matter.application_id).label("visible")
    return (
        select(Matter, Application.number, Application.title, OPENER.name, COUNTERPART.name, visible)
        .join(Application, Application.id == Matter.application_id)
        .outerjoin(OPENER, OPENER.id == Matter.opened_by)
        .outerjoin(COUNTERPART, COUNTERPART.id == Matter.counterpart_id)
    )


def _is_seen(uow: UnitOfWork) -> Any:
    """Violations, disposals and holds are seen by rules of their own, not by everybody who sees the case (R65, R67)."""
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    concerned = select(Application.id).where(visibility.concerns(me))
    of_case = or_(
        visibility.is_of_visible(uow, Matter.application_id),
        Matter.opened_by == me,
        Matter.counterpart_id == me,
    )
    seen = [
        and_(Matter.kind.not_in(APART), of_case),
        and_(Matter.kind.in_(violations.KINDS), violations.is_seen(uow)),
    ]
    if holds.may_read(directory, me):
        seen.append(and_(Matter.kind.in_(holds.KINDS), Matter.application_id.not_in(concerned)))
    if storage.may_read_disposals(directory, me):
        seen.append(and_(Matter.kind == Disposal.code, Matter.application_id.not_in(concerned)))
    return or_(*seen)


def _lines(
    uow: UnitOfWork, rows: Sequence[Any], asked: Mapping[str, Sequence[Review]] | None = None
) -> list[MatterLine]:
    """Return the lines of rows of ``_select``; ``asked``: the open reviews of their matters, where they are loaded."""
    if not rows:
        return []
    if asked is None:
        asked = _open_reviews(uow, [row[0].id for row in rows if row[0].closed_at is None])
    seen = violations.list_openers_seen(uow, [row[0] for row in rows])
    return [
        MatterLine(
            id=matter.id,
            number=matter.number,
            kind=matter.kind,
            state=state_of(matter),
            application_id=matter.application_id,
            application_number=number,
            # a batch is about many cases, of which the first only carries it
            title=title if visible or matter.kind not in APART else None,
            case_visible=bool(visible),
            opened_by=opener if matter.id in seen else None,
            opened_at=matter.opened_at,
            counterpart=counterpart,
            stages=[review.stage for review in asked.get(matter.id, ())],
            due_at=min((review.due_at for review in asked.get(matter.id, ())), default=None),
            closed_at=matter.closed_at,
        )
        for matter, number, title, opener, counterpart, visible, *_ in rows
    ]


def _open_reviews(uow: UnitOfWork, matter_ids: Sequence[str]) -> Mapping[str, list[Review]]:
    if not matter_ids:
        return {}
    found: dict[str, list[Review]] = {}
    query = select(Review).where(Review.matter_id.in_(matter_ids), Review.closed_at.is_(None))
    for review in uow.session.scalars(query.order_by(Review.opened_at, Review.id)):
        found.setdefault(str(review.matter_id), []).append(review)
    return found


def _reviews(uow: UnitOfWork, matter: Matter, reviews: Sequence[Review]) -> list[AskedReview]:
    """Return what is asked now and of whom; the accused do not read who will decide a violation."""
    if not reviews:
        return []
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, matter.application_id)
    told = violations.sees_opener(uow, matter)
    deciders = {review.id: access_policy.candidates(directory, facts, review) if told else [] for review in reviews}
    names = access_queries.get_names(uow, {person_id for ids in deciders.values() for person_id in ids})
    return [
        AskedReview(
            id=review.id,
            stage=review.stage,
            due_at=review.due_at,
            may_decide=access_policy.refusal_for(directory, facts, review, uow.actor.id) is None,
            who_can=[names[person_id] for person_id in deciders[review.id]],
        )
        for review in reviews
    ]


def _load_decisions(uow: UnitOfWork, matter: Matter) -> Sequence[Decision]:
    query = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
    return uow.session.scalars(query).all()


def _decisions(uow: UnitOfWork, rows: Sequence[Decision]) -> list[MatterDecision]:
    names = access_queries.get_names(uow, [row.decided_by for row in rows])
    return [
        MatterDecision(
            stage=row.stage,
            outcome=row.outcome,
            by=names[row.decided_by],
            decided_at=row.decided_at,
            reason=row.reason,
            opinion=row.opinion,
        )
        for row in rows
    ]


def _because(uow: UnitOfWork, matter: Matter) -> Text | None:
    outcome = matter.outcome or {}
    if outcome.get("because") == moot_matters.ASKED_BACK:
        by = str(outcome["by"])
        return Message("{name} has withdrawn it.", name=access_queries.get_names(uow, [by])[by])
    if matter.closed_as == "refused" and "stage" in outcome:
        return Label(outcome["stage"])
    if matter.closed_as == "moot":
        return Message("What it was about has ended, or it can no longer be done.")
    return None
