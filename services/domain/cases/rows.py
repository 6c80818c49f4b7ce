"""The rows of one case, each kind of them read once, when it is first asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application, Item, Revision
from services.database.tables.attachments import Attachment
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.consents import Consent, Consultation
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver, of_present_issue, present_custodian
from services.database.tables.documents import Document
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Department, Person
from services.database.tables.preservations import Preservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.returns import ArchiveEntry
from services.database.tables.reviews import ApplicantQuestion, Confirmation, Decision, Finding, Proposal, Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.custody import suspensions
from services.domain.holds import queries as holds
from services.domain.reviews import questions
from services.domain.reviews.schemas import AskedQuestion
from services.runtime.errors import NotFound
from services.runtime.translations import Message

DRAFTER, CUSTODIAN, PREVIOUS = aliased(Person), aliased(Person), aliased(Application)


@dataclass(frozen=True)
class Head:
    """What a case has one of. ``in_transit``: a message of it is on its way to the process; ``held``: by anything.

    ``attached``, ``questioned`` and ``has_matters`` spare the statements for what most cases do not have.
    """

    department: Department
    drafter: str
    custodian: str | None
    previous_number: str | None
    hand_over: HandOver | None
    archive: ArchiveEntry | None
    check: IntegrityCheck | None
    in_transit: bool
    questioned: bool
    has_matters: bool
    held: bool
    attached: bool


@dataclass(frozen=True)
class ItemRow:
    """An item in scope; ``preserved``: the quarantine holds it."""

    item: Item
    camera: Camera
    recorder: Recorder
    master: Master | None
    copy: Copy | None
    preserved: bool


@dataclass(frozen=True)
class ReviewRow:
    """A review; ``proposed``: it is decided and waits for its second person."""

    review: Review
    decision: Decision | None
    confirmations: Sequence[Confirmation]
    proposed: bool


class CaseRows:
    """One case, for those who were let in; ``of_case`` lets in."""

    def __init__(self, uow: UnitOfWork, application: Application, head: Head | None = None) -> None:
        self.uow = uow
        self.application = application
        self._head = head

    @cached_property
    def head(self) -> Head:
        return self._head or _head_of(self.uow.session.execute(_head(self.application.id)).one())

    @cached_property
    def items(self) -> list[ItemRow]:
        """Those in scope, by position."""
        held = select(Preservation.id).where(Preservation.item_id == Item.id, Preservation.released_at.is_(None))
        query = (
            select(Item, Camera, Recorder, Master, Copy, held.exists())
            .join(Camera, Camera.id == Item.camera_id)
            .join(Recorder, Recorder.id == Camera.recorder_id)
            .outerjoin(Master, Master.item_id == Item.id)
            .outerjoin(Copy, Copy.item_id == Item.id)
            .where(Item.application_id == self.application.id, Item.dropped_in_round.is_(None))
            .order_by(Item.position)
        )
        return [ItemRow(*row) for row in self.uow.session.execute(query)]

    @cached_property
    def reviews(self) -> list[ReviewRow]:
        """Of the application, as they were opened; a matter has its own."""
        proposed = select(Proposal.id).where(Proposal.review_id == Review.id, Proposal.refused_by.is_(None))
        query = (
            select(Review, Decision, Confirmation, proposed.exists())
            .outerjoin(Decision, Decision.review_id == Review.id)
            .outerjoin(Confirmation, Confirmation.review_id == Review.id)
            .where(Review.application_id == self.application.id, Review.matter_id.is_(None))
            .order_by(Review.opened_at, Confirmation.confirmed_at)
        )
        by_id: dict[str, ReviewRow] = {}
        confirmations: dict[str, list[Confirmation]] = {}
        for review, decision, confirmation, waits in self.uow.session.execute(query):
            confirmed = confirmations.setdefault(review.id, [])
            if confirmation is not None:
                confirmed.append(confirmation)
            by_id[review.id] = ReviewRow(review, decision, confirmed, waits)
        return list(by_id.values())

    @cached_property
    def questions(self) -> list[AskedQuestion]:
        """What reviewers asked the applicant; without a review nobody did."""
        return questions.list_of_application(self.uow, self.application) if self.head.questioned else []

    @cached_property
    def documents(self) -> list[Document]:
        query = select(Document).where(Document.application_id == self.application.id)
        return list(self.uow.session.scalars(query.order_by(Document.made_at, Document.number)))

    @cached_property
    def revisions(self) -> list[Revision]:
        """Return the submitted forms, the first round first."""
        query = select(Revision).where(Revision.application_id == self.application.id).order_by(Revision.round)
        return list(self.uow.session.scalars(query))

    @cached_property
    def findings(self) -> list[Finding]:
        """Of all rounds."""
        return list(self.uow.session.scalars(select(Finding).where(Finding.application_id == self.application.id)))

    @cached_property
    def consents(self) -> list[tuple[Consultation, Consent, Department]]:
        """Return the answers of every consultation, the one under way first, then the newest; of one by department."""
        query = (
            select(Consultation, Consent, Department)
            .join(Consent, Consent.consultation_id == Consultation.id)
            .join(Department, Department.id == Consent.department_id)
            .where(Consultation.application_id == self.application.id)
            .order_by(Consultation.ended_at.is_(None).desc(), Consultation.asked_at.desc(), Consent.department_id)
        )
        return [(row[0], row[1], row[2]) for row in self.uow.session.execute(query)]

    @property
    def newest_consents(self) -> list[tuple[Consultation, Consent, Department]]:
        return [row for row in self.consents if row[0].id == self.consents[0][0].id]

    @cached_property
    def steps(self) -> list[ProcessStep]:
        """Of every process instance that worked for the case, oldest first."""
        query = select(ProcessStep).where(ProcessStep.application_id == self.application.id)
        return list(self.uow.session.scalars(query.order_by(ProcessStep.began_at, ProcessStep.element_instance_key)))

    @property
    def own_steps(self) -> list[ProcessStep]:
        """Of the case's own process instance and of the reviews that it called."""
        instances = {self.application.process_instance_key, *(row.review.process_instance_key for row in self.reviews)}
        return [step for step in self.steps if step.process_instance_key in instances]

    @cached_property
    def custody(self) -> list[CustodyEntry]:
        """Return the custody log, in order."""
        if self.head.hand_over is None:
            return []
        query = select(CustodyEntry).where(CustodyEntry.hand_over_id == self.head.hand_over.id)
        return list(self.uow.session.scalars(query.order_by(CustodyEntry.seq)))

    @property
    def violations(self) -> list[Violation]:
        """Return the violations of the case, the oldest first."""
        found = {violation.id: violation for violation, _ in self._troubles if violation is not None}
        return sorted(found.values(), key=lambda row: (row.opened_at, row.id))

    @property
    def suspensions(self) -> list[Suspension]:
        """Return what keeps the copies of the loan closed now, the oldest first."""
        found = {suspension.id: suspension for _, suspension in self._troubles if suspension is not None}
        return sorted(found.values(), key=lambda row: (row.since, row.id))

    @cached_property
    def _troubles(self) -> list[tuple[Violation | None, Suspension | None]]:
        """Both in one statement, each with each: they are few."""
        if self.head.hand_over is None:
            found = select(Violation).where(Violation.application_id == self.application.id)
            return [(violation, None) for violation in self.uow.session.scalars(found)]
        stops = (Suspension.hand_over_id == HandOver.id) | (Suspension.person_id == HandOver.custodian_id)
        query = (
            select(Violation, Suspension)
            .select_from(HandOver)
            .outerjoin(Violation, Violation.application_id == HandOver.application_id)
            .outerjoin(Suspension, stops & suspensions.is_open(self.uow.now))
            .where(HandOver.id == self.head.hand_over.id)
        )
        return [(violation, suspension) for violation, suspension in self.uow.session.execute(query)]


def of_case(uow: UnitOfWork, application_id: str) -> CaseRows:
    """Return the case, if the actor may see it; NotFound, as for one that does not exist, otherwise."""
    query = _head(application_id).add_columns(visibility.is_visible(uow, single=True).label("seen"))
    row = uow.session.execute(query).one_or_none()
    if row is not None:
        rows = CaseRows(uow, row.Application, _head_of(row))
        if row.seen or _is_asked(rows):
            return rows
    raise NotFound(Message("application"), application_id)


def _is_asked(rows: CaseRows) -> bool:
    """Return whether an open review asks the actor, who may stand in from another department (T1, T8)."""
    uow = rows.uow
    open_ones = [row.review for row in rows.reviews if row.review.closed_at is None]
    return bool(open_ones) and any(
        access_policy.refusal_for(
            access_queries.load_directory(uow),
            access_queries.load_facts(uow, rows.application.id),
            review,
            uow.actor.id,
        )
        is None
        for review in open_ones
    )


def _head(application_id: str) -> Select[*tuple[Any, ...]]:
    newest_check = (
        select(IntegrityCheck.id)
        .where(IntegrityCheck.application_id == Application.id)
        .order_by(IntegrityCheck.began_at.desc(), IntegrityCheck.id)
        .limit(1)
        .correlate(Application)
        .scalar_subquery()
    )
    unsettled = select(OutboxMessage.id).where(
        OutboxMessage.application_id == Application.id, OutboxMessage.settled_at.is_(None)
    )
    attached = select(Attachment.id).where(Attachment.application_id == Application.id)
    return (
        select(
            Application,
            Department,
            DRAFTER.name.label("drafter"),
            CUSTODIAN.name.label("custodian"),
            PREVIOUS.number.label("previous_number"),
            HandOver,
            ArchiveEntry,
            IntegrityCheck,
            unsettled.exists().label("in_transit"),
            select(ApplicantQuestion.id)
            .where(ApplicantQuestion.application_id == Application.id)
            .exists()
            .label("questioned"),
            select(Matter.id).where(Matter.application_id == Application.id).exists().label("has_matters"),
            holds.holding(Application.id.expression).label("held"),
            attached.exists().label("attached"),
        )
        .join(Department, Department.id == Application.department_id)
        .join(DRAFTER, DRAFTER.id == Application.drafter_id)
        .outerjoin(PREVIOUS, PREVIOUS.id == Application.previous_id)
        .outerjoin(HandOver, of_present_issue())
        .outerjoin(CUSTODIAN, CUSTODIAN.id == present_custodian())
        .outerjoin(ArchiveEntry, ArchiveEntry.application_id == Application.id)
        .outerjoin(IntegrityCheck, IntegrityCheck.id == newest_check)
        .where(Application.id == application_id)
    )


def _head_of(row: Row[*tuple[Any, ...]]) -> Head:
    return Head(
        department=row.Department,
        drafter=row.drafter,
        custodian=row.custodian,
        previous_number=row.previous_number,
        hand_over=row.HandOver,
        archive=row.ArchiveEntry,
        check=row.IntegrityCheck,
        in_transit=row.in_transit,
        questioned=row.questioned,
        has_matters=row.has_matters,
        held=row.held,
        attached=row.attached,
    )
