"""Collect everything signed in one case, for the evidence package (R25, R52)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.agreements import Agreement
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.evidence_packages import EvidencePackage
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.tables.reviews import Confirmation, Decision, Proposal, Review
from services.database.tables.sittings import Sitting
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class SignedAct:
    """One signed act.

    ``signature`` is without the statement; its ``sha256`` is of the canonical ``statement``. ``kind``: decision,
    proposal, confirmation, consent, confidentiality-agreement, return, sitting, urgent-call, custody-offer,
    package-approval, work-order-done, work-order-verified; ``stage`` of the first three. A proposal is a release
    whose second person disagreed, or has not answered: one that was confirmed is a decision.
    """

    kind: str
    stage: str | None
    statement: dict[str, Any]
    signature: dict[str, Any]
    at: datetime
    person: str


def of_application(uow: UnitOfWork, application_id: str) -> list[SignedAct]:
    """List the signed acts of a case in their order.

    Consents, returns and agreements that were signed before statements were stored are left out.
    """
    acts = (
        *_reviews(uow, application_id),
        *_others(uow, application_id),
        *_calls(uow, application_id),
        *_work_orders(uow, application_id),
    )
    return sorted(acts, key=lambda act: act.at)


def _reviews(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    decided = set()
    for decision in uow.session.scalars(select(Decision).where(Decision.application_id == application_id)):
        decided.add(decision.statement_sha256)
        yield from _act(
            uow, "decision", decision.signature, decision.decided_at, decision.decided_by, stage=decision.stage
        )
    confirmations = select(Confirmation, Review.stage).join(Review, Review.id == Confirmation.review_id)
    for confirmation, stage in uow.session.execute(confirmations.where(Review.application_id == application_id)):
        yield from _act(
            uow, "confirmation", confirmation.signature, confirmation.confirmed_at, confirmation.person_id, stage=stage
        )
    proposals = select(Proposal, Review.stage).join(Review, Review.id == Proposal.review_id)
    for proposal, stage in uow.session.execute(proposals.where(Review.application_id == application_id)):
        if proposal.statement_sha256 in decided:
            continue
        yield from _act(uow, "proposal", proposal.signature, proposal.proposed_at, proposal.person_id, stage=stage)
        yield from _act(
            uow, "confirmation", proposal.refusal_signature, proposal.refused_at, proposal.refused_by, stage=stage
        )


def _others(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    for consent in uow.session.scalars(select(Consent).where(Consent.application_id == application_id)):
        yield from _act(uow, "consent", consent.signature, consent.answered_at, consent.person_id)
    hand_overs = select(HandOver).where(HandOver.application_id == application_id)
    for hand_over in uow.session.scalars(hand_overs).all():
        agreement = uow.session.get(Agreement, hand_over.agreement_id) if hand_over.agreement_id else None
        if agreement is not None:
            yield from _act(
                uow, "confidentiality-agreement", agreement.signature, agreement.signed_at, agreement.person_id
            )
        for return_ in uow.session.scalars(select(Return).where(Return.hand_over_id == hand_over.id)).all():
            yield from _act(uow, "return", return_.signature, return_.returned_at, return_.returned_by)
        for sitting in uow.session.scalars(select(Sitting).where(Sitting.hand_over_id == hand_over.id)).all():
            yield from _act(uow, "sitting", sitting.signature, sitting.closed_at, sitting.closed_by)
    packages = select(EvidencePackage).where(
        EvidencePackage.application_id == application_id, EvidencePackage.decided_at.is_not(None)
    )
    for package in uow.session.scalars(packages.order_by(EvidencePackage.decided_at, EvidencePackage.id)).all():
        yield from _act(uow, "package-approval", package.signature, package.decided_at, package.decided_by)


def _calls(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    """Yield what was signed in asking: offers of copies to a new custodian; an urgent call, which lies in its form."""
    asked = select(Matter).where(Matter.application_id == application_id)
    for matter in uow.session.scalars(asked.order_by(Matter.opened_at, Matter.id)).all():
        yield from _act(uow, "custody-offer", matter.signature, matter.opened_at, matter.opened_by)
    forms = select(Document).where(Document.application_id == application_id, Document.kind == "urgent")
    for form in uow.session.scalars(forms.order_by(Document.made_at, Document.number)).all():
        for call in json.loads(form.content).get("calls", ()):
            at = datetime.fromisoformat(call["at"])
            yield from _act(uow, "urgent-call", call["signature"], at, call["by"]["id"])


def _work_orders(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    """Yield what was signed in the work orders about the case: as each was done, and as it was verified."""
    attempts = select(WorkOrderAttempt).join(WorkOrder, WorkOrder.id == WorkOrderAttempt.work_order_id)
    attempts = attempts.where(WorkOrder.application_id == application_id)
    ordered = attempts.order_by(WorkOrder.opened_at, WorkOrder.id, WorkOrderAttempt.attempt)
    for one in uow.session.scalars(ordered).all():
        yield from _act(uow, "work-order-done", one.done_signature, one.done_at, one.done_by)
        yield from _act(uow, "work-order-verified", one.verified_signature, one.verified_at, one.verified_by)


def _act(
    uow: UnitOfWork,
    kind: str,
    stored: dict[str, Any] | None,
    at: datetime | None,
    person_id: str | None,
    *,
    stage: str | None = None,
) -> Iterator[SignedAct]:
    """Yield the act, unless its statement was not stored."""
    if not stored or "statement" not in stored or at is None or person_id is None:
        return
    signature = {name: value for name, value in stored.items() if name != "statement"}
    person = uow.session.get_one(Person, person_id).name
    yield SignedAct(kind, stage, stored["statement"], signature, at, person)
