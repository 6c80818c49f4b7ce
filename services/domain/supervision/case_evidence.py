"""What an inspection looks at in one case: its rows, read once by a fixed number of statements (R63)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, select

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.returns import ArchiveEntry, Inspection, Return
from services.database.tables.reviews import Confirmation, Decision, Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork

RECORD, LABEL, FORM = "retrieval-record", "label", "application-form"


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
    confirmed: frozenset[str]  # reviews that a second person has confirmed, by id
    forms: Sequence[Document]
    records: Mapping[str, Mapping[str, Any]]
    labelled: frozenset[str]  # the copies with a label, by id
    masters: Sequence[Master]
    copies: Sequence[Copy]
    hand_overs: Sequence[HandOver]
    agreements: Mapping[str, Agreement]
    custody: Sequence[CustodyEntry]
    grants: Sequence[Grant]
    viewings: Sequence[Viewing]
    downloads: Sequence[Download]
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

    with_archive = select(Application, ArchiveEntry).outerjoin(
        ArchiveEntry, ArchiveEntry.application_id == Application.id
    )
    application, archive = rows.execute(with_archive.where(Application.id == application_id)).one()
    items = rows.execute(_items(application_id)).all()
    copies = sorted((row[2] for row in items if row[2] is not None), key=lambda one: (one.made_at, one.id))
    made = [one.id for one in copies]
    loans = rows.execute(_loans(application_id)).all()
    hand_overs: list[HandOver] = [row[0] for row in loans]
    lent = [one.id for one in hand_overs]
    reviews = rows.execute(_reviews(application_id)).all()
    documents = list(
        rows.scalars(
            select(Document).where(Document.application_id == application_id, Document.kind.in_((RECORD, LABEL, FORM)))
        )
    )

    def of_copy(table: Any) -> list[Any]:
        return list(rows.scalars(select(table).where(table.copy_id.in_(made)).order_by(table.id)))

    custody = select(CustodyEntry).where(CustodyEntry.hand_over_id.in_(lent)).order_by(CustodyEntry.id)
    return CaseEvidence(
        application=application,
        items=[row[0] for row in items],
        revisions=of_case(Revision, Revision.round),
        reviews=[row[0] for row in reviews],
        decisions=sorted((row[1] for row in reviews if row[1]), key=lambda one: (one.decided_at, one.id)),
        confirmed=frozenset(row[0].id for row in reviews if row[2]),
        forms=[one for one in documents if one.kind == FORM],
        records={str(one.item_id): json.loads(one.content) for one in documents if one.kind == RECORD},
        labelled=frozenset(str(one.subject_id) for one in documents if one.kind == LABEL),
        masters=sorted((row[1] for row in items if row[1] is not None), key=lambda one: one.id),
        copies=copies,
        hand_overs=hand_overs,
        agreements={row[1].id: row[1] for row in loans if row[1] is not None},
        custody=list(rows.scalars(custody)),
        grants=of_copy(Grant),
        viewings=of_copy(Viewing),
        downloads=of_copy(Download),
        returns=[row[2] for row in loans if row[2] is not None],
        inspections=[row[3] for row in loans if row[3] is not None],
        archive=archive,
        violations=of_case(Violation, Violation.opened_at),
    )


def _items(application_id: str) -> Select[*tuple[Any, ...]]:
    """Select the items of a case, each with its master and its copy, of which it has one at most."""
    return (
        select(Item, Master, Copy)
        .outerjoin(Master, and_(Master.item_id == Item.id, Master.application_id == application_id))
        .outerjoin(Copy, and_(Copy.item_id == Item.id, Copy.application_id == application_id))
        .where(Item.application_id == application_id)
        .order_by(Item.position)
    )


def _loans(application_id: str) -> Select[*tuple[Any, ...]]:
    """Select the hand-overs of a case, each with the custodian's agreement, its return and the inspection of that."""
    return (
        select(HandOver, Agreement, Return, Inspection)
        .outerjoin(Agreement, Agreement.id == HandOver.agreement_id)
        .outerjoin(Return, Return.hand_over_id == HandOver.id)
        .outerjoin(Inspection, Inspection.hand_over_id == HandOver.id)
        .where(HandOver.application_id == application_id)
        .order_by(HandOver.issue)
    )


def _reviews(application_id: str) -> Select[*tuple[Any, ...]]:
    """Select the reviews of the application itself, each with its decision, and whether a second person confirmed."""
    confirmed = select(Confirmation.id).where(Confirmation.review_id == Review.id).correlate(Review).exists()
    return (
        select(Review, Decision, confirmed)
        .outerjoin(Decision, Decision.review_id == Review.id)
        .where(Review.application_id == application_id, Review.matter_id.is_(None))
        .order_by(Review.opened_at, Review.id)
    )
