"""Recall 收回: Security or supervision calls copies back at once, and their head signs it (R42, R57)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal

from sqlalchemy import select

from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Review
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import returns, suspensions, use_period
from services.domain.custody.suspensions import RECALLED
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.notifications import service as notification_service
from services.domain.process.permissions import CaseState
from services.domain.stages.catalogue import STAGES
from services.runtime.labels import Label
from services.runtime.translations import Message

STAGE = "recall"
SIGNED_WITHIN = timedelta(hours=24)  # else access is given back by itself


class RecallAsked(Asked):
    """``ground``: why the copies cannot stay where they are."""

    ground: Literal["leak", "misuse", "no-longer-needed", "other"]


class Recall(Kind):
    code: ClassVar = "recall"
    title: ClassVar = "视频录像收回单"
    label: ClassVar = Message("Recall")
    button: ClassVar = Message("Recall the copies")
    asked: ClassVar = RecallAsked
    openers: ClassVar = ("security-head", "security", "supervisor")

    def who_may(self) -> Message:
        return Message("Only Security and the supervision group can recall copies: report a problem instead.")

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        """Copies that are offered can be recalled before anybody has accepted them: the offer ends by it."""
        if hand_over is not None and suspensions.is_offered(hand_over):
            return None
        return base.loan_obstacle(hand_over)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: RecallAsked) -> Message | None:
        return self.unavailable(state.hand_over)

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: RecallAsked) -> bool:
        """One that nobody has signed in time stops nothing any more, and keeps nobody from recalling the copies."""
        hand_over = uow.session.get(HandOver, matter.hand_over_id)
        return hand_over is not None and any(_is_of(one, matter) for one in suspensions.list_open(uow, hand_over))

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over = base.lent(state)
        due_at = hand_over.due_at.isoformat() if hand_over.due_at else None
        before = {"custodian": hand_over.custodian_id, "dueAt": due_at}
        if suspensions.is_offered(hand_over):
            before["acceptBy"] = hand_over.take_up_until.isoformat()
        return before

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Stop access, or an acceptance, in the act of recalling; without a signature it opens again by itself."""
        hand_over = base.lent(state)
        suspensions.open_once(uow, hand_over, RECALLED, matter.id, until=uow.now + SIGNED_WITHIN)
        notification_service.mark_done(uow, "recall", application_id=matter.application_id)
        code = "offer-recall-asked" if suspensions.is_offered(hand_over) else "copy-recalled"
        notification_service.notify(
            uow, hand_over.custodian_id, code, application_id=matter.application_id, subject_id=hand_over.id
        )

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Give access back where the recall is not signed, with the time for which it has stopped it."""
        query = select(Suspension).where(Suspension.matter_id == matter.id, Suspension.cause == RECALLED)
        for suspension in uow.session.scalars(query).all():
            suspensions.lift(uow, suspension)  # unless it has ended by itself
            hand_over = uow.session.get_one(HandOver, suspension.hand_over_id)  # there may be another issue by now
            until = suspensions.ended_at(uow, suspension)
            use_period.give_back(uow, hand_over, suspension.since, because="recall-refused", until=until)

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        query = select(Decision).where(Decision.matter_id == matter.id, Decision.stage == STAGE)
        decision = uow.session.scalars(query.order_by(Decision.decided_at.desc()).limit(1)).one()
        hand_over = base.lent(state)
        act = returns.recall_offer if suspensions.is_offered(hand_over) else returns.recall
        act(uow, hand_over, decision, number=matter.number, matter_id=matter.id)
        return {"signedBy": decision.decided_by}

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        until = (Message("Due now"), before["dueAt"])
        if "acceptBy" in before:
            until = (Message("Not accepted yet; can be accepted until"), before["acceptBy"])
        return [
            base.person_line(uow, Message("Custodian"), before["custodian"]),
            base.moment_line(uow, *until),
            Line(Message("Ground"), Label(f"recall-{asked['ground']}")),
            base.text_line(Message("Reason"), asked["reason"]),
        ]


def keep_closed(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """Keep the copies closed from the signature on: nobody knows when the process will carry the recall out."""
    if review.matter_id is None or outcome != STAGES[STAGE].favourable:
        return
    hand_over = uow.session.get(HandOver, review.hand_over_id)
    if hand_over is not None and not base.loan_is_over(hand_over):
        suspensions.keep(uow, hand_over, RECALLED, review.matter_id)


def _is_of(suspension: Suspension, matter: Matter) -> bool:
    return (suspension.cause, suspension.matter_id) == (RECALLED, matter.id)
