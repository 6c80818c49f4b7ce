"""Everything that people have signed in one case, whole: for the evidence package (R25, R52)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.agreements import Agreement
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.tables.reviews import Confirmation, Decision, Proposal, Review
from services.database.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class SignedAct:
    """``signature`` is as it was given, without the statement; its ``sha256`` is of the canonical ``statement``.

    ``kind``: decision, proposal, confirmation, consent, confidentiality-agreement, return; ``stage`` of the first
    three. A proposal is a release whose second person disagreed: one that was confirmed is a decision.
    """

    kind: str
    stage: str | None
    statement: dict[str, Any]
    signature: dict[str, Any]
    at: datetime
    person: str


def of_application(uow: UnitOfWork, application_id: str) -> list[SignedAct]:
    """The signed acts of the case in the order in which they were done.

    What was signed before statements were kept whole is left out: consents, returns and agreements of older books.
    """
    acts = (*_reviews(uow, application_id), *_others(uow, application_id))
    return sorted(acts, key=lambda act: act.at)


def _reviews(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    names = Names(uow)
    for one in uow.session.scalars(select(Decision).where(Decision.application_id == application_id)):
        yield from names.act("decision", one.signature, one.decided_at, one.decided_by, stage=one.stage)
    confirmations = select(Confirmation, Review.stage).join(Review, Review.id == Confirmation.review_id)
    for two, stage in uow.session.execute(confirmations.where(Review.application_id == application_id)):
        yield from names.act("confirmation", two.signature, two.confirmed_at, two.person_id, stage=stage)
    refused = select(Proposal, Review.stage).join(Review, Review.id == Proposal.review_id)
    refused = refused.where(Review.application_id == application_id, Proposal.refused_by.is_not(None))
    for row, stage in uow.session.execute(refused):
        yield from names.act("proposal", row.signature, row.proposed_at, row.person_id, stage=stage)
        yield from names.act("confirmation", row.refusal_signature, row.refused_at, row.refused_by, stage=stage)


def _others(uow: UnitOfWork, application_id: str) -> Iterator[SignedAct]:
    names = Names(uow)
    for consent in uow.session.scalars(select(Consent).where(Consent.application_id == application_id)):
        yield from names.act("consent", consent.signature, consent.answered_at, consent.person_id)
    hand_overs = select(HandOver).where(HandOver.application_id == application_id)
    for hand_over in uow.session.scalars(hand_overs).all():
        signed = uow.session.get(Agreement, hand_over.agreement_id) if hand_over.agreement_id else None
        if signed is not None:
            yield from names.act("confidentiality-agreement", signed.signature, signed.signed_at, signed.person_id)
        for back in uow.session.scalars(select(Return).where(Return.hand_over_id == hand_over.id)).all():
            yield from names.act("return", back.signature, back.returned_at, back.returned_by)


@dataclass(frozen=True)
class Names:
    """Makes acts with the names of those who signed."""

    uow: UnitOfWork

    def act(
        self,
        kind: str,
        kept: dict[str, Any] | None,
        at: datetime | None,
        person_id: str | None,
        *,
        stage: str | None = None,
    ) -> Iterator[SignedAct]:
        """One act, or none where no statement was kept."""
        if not kept or "statement" not in kept or at is None or person_id is None:
            return
        signature = {name: value for name, value in kept.items() if name != "statement"}
        person = self.uow.session.get_one(Person, person_id).name
        yield SignedAct(kind, stage, kept["statement"], signature, at, person)
