"""Custody transfer 保管移交: another person holds the copies, on the same terms (R45 to R47)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Item
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.bodies import Signing
from services.domain.applications import forms
from services.domain.applications.directory import FoundPeople
from services.domain.custody import (
    copies,
    custodians,
    grants,
    hand_overs,
    log,
    numbered_media,
    on_site,
    sitting_documents,
    suspensions,
)
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.notifications import service as notification_service
from services.domain.process import permissions
from services.domain.process.permissions import CaseState
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.schemas import Account, Identifier, Paragraph

STAGE = "custody-receipt"


class TransferAsked(Asked):
    """``to_person_id``: who is to be the custodian. ``conditions``: in what state copies and media are handed on."""

    to_person_id: Identifier
    conditions: Paragraph = ""


class TransferBody(Signing):
    """The form of a custody transfer, signed by whoever offers the copies."""

    to_person_id: Identifier
    conditions: Paragraph = ""
    reason: Account


class CustodyTransfer(Kind):
    code: ClassVar = "custody-transfer"
    title: ClassVar = "视频录像保管交接单"
    label: ClassVar = Message("Custody transfer")
    button: ClassVar = Message("Transfer custody")
    asked: ClassVar = TransferAsked
    openers: ClassVar = ("custodian", "head", "security-head")
    withdrawable: ClassVar = True
    finds_people: ClassVar = True
    form_body: ClassVar = TransferBody

    def who_may(self) -> Message:
        return Message("Only the custodian, the head of the department or the head of Security can transfer custody.")

    def find_people(self, uow: UnitOfWork, state: CaseState, search: str) -> FoundPeople:
        """Find who may become the custodian."""
        return custodians.find_people(uow, _change(state, uow.actor.id), search)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: TransferAsked) -> Message | None:
        return self._obstacle(uow, state, asked, uow.actor.id)

    def obstacle_of(self, uow: UnitOfWork, state: CaseState, matter: Matter) -> Message | None:
        return self._obstacle(uow, state, self.read(matter), matter.opened_by)

    def _obstacle(
        self, uow: UnitOfWork, state: CaseState, asked: TransferAsked, asked_by: str | None
    ) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over)
        if obstacle is not None:
            return obstacle
        if suspensions.is_frozen(uow, base.lent(state)):
            # whoever reported the problem answers Security's questions, and nobody takes what is not as it should be
            return Message("The copies are frozen while a problem report is being checked: wait for its answer.")
        sitting = on_site.find_unclosed(uow, base.lent(state).id)
        # nobody signs for what another has accompanied; of a companion who does not answer it is closed unsigned
        own = asked_by == base.lent(state).custodian_id
        if sitting is not None and (own or on_site.is_live(uow, sitting)):
            return Message("A viewing on site is not ended: sign its end first.")
        if asked.to_person_id == base.lent(state).custodian_id:
            return custodians.ALREADY
        if asked.to_person_id == asked_by:
            # nobody decides what they have asked for, and the receipt is a decision
            return Message("You ask for the transfer, so another person has to accept the copies: choose another one.")
        return custodians.obstacle(uow, _change(state, asked_by), asked.to_person_id)

    def statement(self, uow: UnitOfWork, state: CaseState, asked: TransferAsked) -> dict[str, Any]:
        """Return what is signed: who hands which copies to whom, in which state."""
        hand_over = base.lent(state)
        return {
            "kind": "custody-offer",
            "application": state.application.id,
            "handOver": hand_over.id,
            "person": uow.actor.id,
            "toPerson": asked.to_person_id,
            "copies": {copy.id: copy.sealed["sha256Cipher"] for copy in copies.list_lent(uow, hand_over.id)},
            "conditions": asked.conditions,
            "reason": asked.reason,
        }

    def counterpart(self, asked: TransferAsked) -> str:
        return asked.to_person_id

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over = base.lent(state)
        lent_copies = copies.list_lent(uow, hand_over.id)
        return {
            "custodian": hand_over.custodian_id,
            "dueAt": hand_over.due_at.isoformat() if hand_over.due_at else None,
            "copies": {copy.id: copy.sealed["sha256Cipher"] for copy in lent_copies},
            "downloads": [
                {"id": download.id, "medium": download.medium, "askedAt": download.asked_at.isoformat()}
                for download in copies.list_downloads(uow, hand_over.id)
            ],
            # somebody else signs in the place of a custodian who has left or does not answer
            "forced": uow.actor.id != hand_over.custodian_id,
        }

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        hand_over, asked = base.lent(state), self.read(matter)
        former, agreement = hand_over.custodian_id, access_queries.require_agreement(uow, asked.to_person_id)
        sitting_documents.write_unsigned(uow, hand_over, sitting_documents.TRANSFERRED)
        actions = grants.actions_of(uow, hand_over)
        grants.end(uow, hand_over, self.code)
        hand_over.custodian_id, hand_over.agreement_id = asked.to_person_id, agreement.id
        lent_copies = copies.list_lent(uow, hand_over.id)
        grants.create(uow, hand_over, lent_copies, actions)
        hashes = {copy.id: copy.sealed["sha256Cipher"] for copy in lent_copies}
        written_to = {download["medium"] for download in matter.facts["before"]["downloads"]}
        numbered_media.hand_on(uow, written_to, former, asked.to_person_id, for_what=matter.number)
        log.append(
            uow,
            hand_over,
            "received",
            person_id=asked.to_person_id,
            copies=hashes,
            fromPerson=former,
            matter=matter.number,
            agreementVersion=agreement.version,
        )
        hand_overs.follow_custodian(uow, hand_over)
        for person_id in sorted({former, *_heads(uow, state)} - {asked.to_person_id}):
            notification_service.notify(
                uow,
                person_id,
                "custody-transferred",
                application_id=hand_over.application_id,
                subject_id=matter.id,
            )
        return {"from": former, "to": asked.to_person_id, "copies": hashes, "agreement": agreement.version}

    def content(self, uow: UnitOfWork, matter: Matter) -> dict[str, Any]:
        """Return what the sheet has besides: each copy with its hash before and after, downloads, both people."""
        before, asked = matter.facts["before"], self.read(matter)
        return {
            "handedOn": {
                "copies": [
                    {
                        "camera": f"{copy.item.camera.place_zh} {copy.item.camera.name_zh}",
                        "label": label.number if label is not None else None,
                        "before": before["copies"].get(copy.id),
                        "after": copy.sealed["sha256Cipher"],
                    }
                    for copy, label in _labelled(uow, matter)
                ],
                "downloads": before["downloads"],
                "from": forms.person_to_json(uow, before["custodian"]),
                "to": forms.person_to_json(uow, asked.to_person_id),
            }
        }

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        lines = [
            base.person_line(uow, Message("Custodian now"), before["custodian"]),
            base.person_line(uow, Message("New custodian"), asked["toPersonId"]),
            base.moment_line(uow, Message("Return by"), before["dueAt"]),
            base.text_line(Message("Copies"), str(len(before["copies"]))),
            base.text_line(Message("Downloads handed on"), str(len(before["downloads"]))),
            base.text_line(Message("Reason"), asked["reason"]),
        ]
        if asked.get("conditions"):
            lines.append(base.text_line(Message("State of copies and media"), asked["conditions"]))
        if before["forced"]:
            lines.append(Line(Message("Signed by"), Message("another person in the custodian's place")))
        return lines


def _labelled(uow: UnitOfWork, matter: Matter) -> list[tuple[Copy, Document | None]]:
    """Return the copies of the loan with their labels, as they are now."""
    query = (
        select(Copy, Document)
        .join(Item, Item.id == Copy.item_id)
        .outerjoin(Document, (Document.subject_id == Copy.id) & (Document.kind == "label"))
        .where(Copy.hand_over_id == matter.hand_over_id, Copy.discarded_at.is_(None))
        .options(joinedload(Copy.item).joinedload(Item.camera))
        .order_by(Item.position, Copy.id)
    )
    return [(copy, label) for copy, label in uow.session.execute(query)]


def require_ready(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """Raise Refused where the copies cannot be transferred any more: somebody may have moved department meanwhile."""
    if review.matter_id is None or outcome != STAGES[review.stage].favourable:
        return
    matter = uow.session.get_one(Matter, review.matter_id)
    state = permissions.read(uow, matter.application_id)
    obstacle = CustodyTransfer().obstacle_of(uow, state, matter)
    if obstacle is not None:
        raise Refused(
            "not-now",
            "You cannot accept these copies now: {why} If that stays so, decline them, so that another person can be "
            "asked.",
            why=obstacle,
        )
    access_queries.require_agreement(uow, uow.actor.id)


def _change(state: CaseState, asked_by: str | None) -> custodians.Change:
    return custodians.Change(state.application, state.hand_over, asked_by)


def _heads(uow: UnitOfWork, state: CaseState) -> list[str]:
    """Return who hears of a transfer besides the two: the department's heads and those of Security (R47)."""
    directory = access_queries.load_directory(uow)
    heads = (
        *directory.holders(state.application.department_id, "head"),
        *directory.holders_in("security", "head"),
    )
    return [person_id for person_id in heads if person_id not in state.application.subject_ids]
