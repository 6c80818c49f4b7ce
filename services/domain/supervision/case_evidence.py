"""What an inspection looks at in one case: its rows, read once by a fixed number of statements (R63)."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.returns import ArchiveEntry, Inspection, Return
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork

RECORD, LABEL, FORM = "retrieval-record", "label", "application-form"
RECEIVED = "received"  # into custody, by the custody log


@dataclass(frozen=True)
class Sending:
    """One time that the file of a download was sent, the first or a later one."""

    copy_id: str
    person_id: str
    at: datetime
    seq: int  # in the audit trail


@dataclass(frozen=True)
class CaseEvidence:
    """The rows of one case. ``decisions`` and ``reviews`` are those of the application itself, the oldest first.

    ``records`` are the retrieval records as data, by item.
    """

    application: Application
    items: Sequence[Item]
    revisions: Sequence[Revision]
    reviews: Sequence[Review]
    decisions: Sequence[Decision]
    confirmed: Mapping[str, frozenset[str]]  # who has confirmed a review as its second person, by its id
    forms: Sequence[Document]
    records: Mapping[str, Mapping[str, Any]]
    labelled: frozenset[str]  # the copies with a label, by id
    masters: Sequence[Master]
    copies: Sequence[Copy]
    hand_overs: Sequence[HandOver]
    agreements: Sequence[Agreement]  # of all who have received the copies
    custody: Sequence[CustodyEntry]
    grants: Sequence[Grant]
    viewings: Sequence[Viewing]
    downloads: Sequence[Download]
    sent: Sequence[Sending]
    returns: Sequence[Return]
    inspections: Sequence[Inspection]
    archive: ArchiveEntry | None
    violations: Sequence[Violation]

    @property
    def lent(self) -> list[HandOver]:
        """The loans that somebody has signed for."""
        return [one for one in self.hand_overs if one.accepted_at is not None]

    @property
    def in_scope(self) -> list[Item]:
        return [item for item in self.items if item.dropped_in_round is None]

    def of_stage(self, *stages: str) -> list[Decision]:
        """Return the decisions of these stages in the last round, the oldest first."""
        last = self.application.round
        return [one for one in self.decisions if one.stage in stages and one.round == last]


def load(uow: UnitOfWork, application_id: str) -> CaseEvidence:
    """Load the rows of a case; the same number of statements for each."""
    rows = uow.session

    def of_case(table: Any, *order: Any) -> list[Any]:
        return list(rows.scalars(select(table).where(table.application_id == application_id).order_by(*order)))

    documents = list(
        rows.scalars(
            select(Document).where(Document.application_id == application_id, Document.kind.in_((RECORD, LABEL, FORM)))
        )
    )
    hand_overs = of_case(HandOver, HandOver.issue)
    loans = [one.id for one in hand_overs]
    copies = of_case(Copy, Copy.made_at, Copy.id)
    made = [one.id for one in copies]

    def of_loan(table: Any) -> list[Any]:
        return list(rows.scalars(select(table).where(table.hand_over_id.in_(loans)).order_by(table.id)))

    def of_copy(table: Any) -> list[Any]:
        return list(rows.scalars(select(table).where(table.copy_id.in_(made)).order_by(table.id)))

    about_application = Decision.application_id == application_id, Decision.matter_id.is_(None)
    reviews = select(Review).where(Review.application_id == application_id, Review.matter_id.is_(None))
    decisions = select(Decision).where(*about_application).order_by(Decision.decided_at, Decision.id)
    confirmed: dict[str, set[str]] = defaultdict(set)
    confirmations = select(Confirmation.review_id, Confirmation.person_id).join(
        Review, Review.id == Confirmation.review_id
    )
    for review_id, person_id in rows.execute(confirmations.where(Review.application_id == application_id)):
        confirmed[review_id].add(person_id)
    custody = of_loan(CustodyEntry)
    received = {one.custodian_id for one in hand_overs} | {one.person_id for one in custody if one.event == RECEIVED}
    agreements = select(Agreement).where(Agreement.person_id.in_(received)).order_by(Agreement.signed_at)
    sent = select(AuditEvent.subject_id, AuditEvent.actor_id, AuditEvent.at, AuditEvent.seq).where(
        AuditEvent.application_id == application_id, AuditEvent.action == "download-sent"
    )
    return CaseEvidence(
        application=rows.get_one(Application, application_id),
        items=of_case(Item, Item.position),
        revisions=of_case(Revision, Revision.round),
        reviews=list(rows.scalars(reviews.order_by(Review.opened_at, Review.id))),
        decisions=list(rows.scalars(decisions)),
        confirmed={review_id: frozenset(people) for review_id, people in confirmed.items()},
        forms=[one for one in documents if one.kind == FORM],
        records={str(one.item_id): json.loads(one.content) for one in documents if one.kind == RECORD},
        labelled=frozenset(str(one.subject_id) for one in documents if one.kind == LABEL),
        masters=of_case(Master, Master.id),
        copies=copies,
        hand_overs=hand_overs,
        agreements=list(rows.scalars(agreements)),
        custody=custody,
        grants=of_copy(Grant),
        viewings=of_copy(Viewing),
        downloads=of_copy(Download),
        sent=[Sending(*row) for row in rows.execute(sent.order_by(AuditEvent.seq))],
        returns=of_loan(Return),
        inspections=of_loan(Inspection),
        archive=next(iter(of_case(ArchiveEntry)), None),
        violations=of_case(Violation, Violation.opened_at),
    )
