"""Legal hold 法律保留: nothing of a case is discarded, from the act of asking on; Legal confirms it (R67, F14, F34).

Preservation never waits: the hold is placed with its matter, and a refusal lifts it. Whoever asks decides nothing.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.reviews import REJECTED
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as policy
from services.domain.access import queries as access_queries
from services.domain.holds import queries, service
from services.domain.holds.schemas import Cause
from services.domain.matters import documents, permissions
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.runtime.errors import NotFound
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Identifier, Moment

STAGE = "legal"
ACT = "keep or lift the hold"


class HoldAsked(Asked):
    """``owner_id``: whoever asks, unless another one is named. ``review_at``: after the longest time, unless given."""

    cause: Cause
    owner_id: Identifier | None = None
    review_at: Moment | None = None


class HoldKind(Kind):
    code: ClassVar = policy.HOLD
    title: ClassVar = "视频录像法律保留审批表"
    label: ClassVar = Message("Legal hold")
    button: ClassVar = Message("Place a legal hold")
    asked: ClassVar = HoldAsked
    openers: ClassVar = ("security-head", "security", "legal")
    filed: ClassVar = False  # the notice has the matter's number: the decision is filed as a part of it
    of_loan: ClassVar = False
    has_form: ClassVar = False  # it is asked for on the page of the holds
    waits_for_stages: ClassVar = False

    def who_may(self) -> Message:
        return Message("Only Legal and Security place legal holds: ask one of their people.")

    def require_seen(self, uow: UnitOfWork, application_id: str, asked: HoldAsked) -> None:
        """Who leads Legal holds cases that they do not see; NotFound for who reads no holds, and of a draft."""
        application = uow.session.get(Application, application_id)
        if application is None or application.submitted_at is None or not reads(uow, application):
            raise NotFound(Message("application"), application_id)

    def is_offered(self, application: Application) -> bool:
        return False

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        return None

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: HoldAsked) -> bool:
        """Several may hold a case, for several causes; the same twice is one that was sent twice."""
        before = matter.facts["asked"]
        return bool((before["cause"], before["reason"]) == (asked.cause, asked.reason))

    def is_moot(self, state: CaseState) -> bool:
        """A case is held before its loan, and after its end."""
        return False

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: HoldAsked) -> Message | None:
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        """Return what holds the case already."""
        return {"holdings": [one.cause for one in queries.list_holdings(uow, state.application.id)]}

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: HoldAsked) -> dict[str, Any]:
        owner_id = asked.owner_id or str(uow.actor.id)
        review_at = service.require_terms(uow, state.application, owner_id=owner_id, review_at=asked.review_at)
        return {**self.before(uow, state), "owner": owner_id, "reviewAt": review_at.isoformat()}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Place the hold in the act of asking."""
        asked, before = self.read(matter), matter.facts["before"]
        service.place(
            uow,
            state.application,
            cause=asked.cause,
            reason=asked.reason,
            placed_by=str(matter.opened_by),
            owner_id=before["owner"],
            review_at=base.moment(before["reviewAt"]),
            matter_id=matter.id,
            number=matter.number,
        )

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Lift the hold that Legal has refused, for the reason of that decision; NotPermitted without one.

        Where a stage of the installation's own has refused what Legal has confirmed, the hold stays: nobody but Legal
        ends it so.
        """
        decisions = permissions.decisions_of(uow, matter)
        permissions.require_signed(matter, decisions, ACT)
        decision = decisions.get(STAGE)
        if decision is None:
            raise permissions.refusal(matter, ACT, "Legal has not decided about it")
        if decision.outcome in REJECTED:
            service.lift(uow, get_hold(uow, matter), decision, decision.reason or "")

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        hold = get_hold(uow, matter)
        service.confirm(uow, hold)
        return {"hold": hold.id}

    def file_itself(self, uow: UnitOfWork, matter: Matter) -> None:
        decisions = permissions.decisions_of(uow, matter)
        outcome = {"hold": get_hold(uow, matter).id}
        documents.write(uow, matter, self, decisions.values(), outcome, part=documents.LAST)

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "hold" not in outcome:
            return []
        return [Line(Message("Legal hold"), Message("confirmed: it stays until it is lifted"))]

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        return [
            base.text_line(Message("Notice of a legal hold"), facts["number"]),
            Line(Message("Because of"), Label(f"hold-{asked['cause']}")),
            base.person_line(uow, Message("Owner"), before["owner"]),
            base.moment_line(uow, Message("Review by"), before["reviewAt"]),
            base.text_line(Message("Reason"), asked["reason"]),
        ]


def reads(uow: UnitOfWork, application: Application) -> bool:
    """Return whether the acting person reads the holds of the case, which concerns them in nothing (T8)."""
    me = uow.actor.id
    return policy.may_read(access_queries.load_directory(uow), me) and me not in application.subject_ids


def get_hold(uow: UnitOfWork, matter: Matter) -> Hold:
    """Return the hold that was placed with the matter."""
    return uow.session.scalars(select(Hold).where(Hold.matter_id == matter.id).with_for_update()).one()
