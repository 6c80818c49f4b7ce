"""Lifting a legal hold 解除法律保留: Legal decides it, then the head of Security signs (R67, F14).

The hold stays until both decisions stand, however much time passes; whoever asks decides nothing.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as policy
from services.domain.access import queries as access_queries
from services.domain.access import violations
from services.domain.holds import queries, service
from services.domain.matters import permissions
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.matters.kinds.hold import STAGE as LEGAL
from services.domain.matters.kinds.hold import reads
from services.domain.process.permissions import CaseState
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Identifier

SIGNING = "security-signature"
ACT = "lift the hold"


class LiftHoldAsked(Asked):
    """``hold_id``: which hold. ``reason``: why it is no longer needed."""

    hold_id: Identifier


class LiftHold(Kind):
    code: ClassVar = policy.LIFT
    title: ClassVar = "视频录像解除法律保留审批表"
    label: ClassVar = Message("Lifting a legal hold")
    button: ClassVar = Message("Ask to lift")
    asked: ClassVar = LiftHoldAsked
    openers: ClassVar = ("security-head", "legal")
    of_loan: ClassVar = False
    has_form: ClassVar = False  # it is asked for on the page of the holds

    def who_may(self) -> Message:
        return Message("Only the heads and deputies of Legal and Security, and the owner of a hold, ask to lift it.")

    def require_seen(self, uow: UnitOfWork, application_id: str, asked: LiftHoldAsked) -> None:
        hold, application = uow.session.get(Hold, asked.hold_id), uow.session.get(Application, application_id)
        if hold is None or application is None or hold.application_id != application.id or not reads(uow, application):
            raise NotFound(Message("hold"), asked.hold_id)

    def require_may_open(self, uow: UnitOfWork, state: CaseState, asked: LiftHoldAsked) -> None:
        """Raise Refused for who neither owns the hold nor leads Legal or Security, and for a party to the case."""
        application, hold = state.application, self._hold(uow, asked)
        if uow.actor.id != hold.owner_id:
            service.require_leader(uow)
        query = select(HandOver.custodian_id).where(HandOver.application_id == application.id)
        named = (application.drafter_id, application.custodian_id, application.named_custodian_id)
        if uow.actor.id in {*named, *uow.session.scalars(query)}:
            raise Refused("hold-party", "You have a part in this case: other people have to lift the hold.", status=403)
        service.require_not_accused(uow, application)
        if hold.lift_asked_at is not None and hold.lifted_at is None:
            raise Refused("lift-asked", "It is already requested to lift this hold: wait until that is decided.")
        obstacle = self.obstacle(uow, state, asked)
        if obstacle is not None:
            raise Refused("hold-over" if hold.lifted_at is not None else "hold-unconfirmed", obstacle)

    def is_offered(self, application: Application) -> bool:
        return False

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        return None

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: LiftHoldAsked) -> bool:
        return bool(matter.facts["asked"]["holdId"] == asked.hold_id)

    def is_moot(self, state: CaseState) -> bool:
        """A case is held after its loan, and after its end."""
        return False

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: LiftHoldAsked) -> Message | None:
        """Return why it cannot be lifted: it is, Legal has to confirm it first, or a decision of it counts no more."""
        hold = self._hold(uow, asked)
        if hold.lifted_at is not None:
            return service.OVER
        if queries.list_unconfirmed(uow, [hold]):
            return Message("Legal has not decided about this hold yet: until then Legal alone ends it, by refusing it.")
        if self._deciders(uow, hold) & violations.list_accused(uow, hold.application_id):
            return Message("Who has decided this was accused in a violation of the case since then: ask for it again.")
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        return {}

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: LiftHoldAsked) -> dict[str, Any]:
        hold = self._hold(uow, asked)
        return {
            "hold": hold.id,
            "cause": hold.cause,
            "reason": hold.reason,
            "placedBy": hold.placed_by,
            "placedAt": hold.placed_at.isoformat(),
            "owner": hold.owner_id,
        }

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (LEGAL, SIGNING)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Note at the hold that it is asked for; the hold stays."""
        asked = self.read(matter)
        hold = self._hold(uow, asked)
        hold.lift_asked_by, hold.lift_asked_at, hold.lifted_because = matter.opened_by, matter.opened_at, asked.reason
        hold.lift_matter_id = matter.id

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """The hold stays, and it can be asked for again."""
        hold = self._hold(uow, self.read(matter))
        if hold.lifted_at is None and hold.lift_matter_id == matter.id:
            hold.lift_asked_by = hold.lift_asked_at = hold.lifted_because = hold.lift_matter_id = None

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Lift the hold; NotPermitted unless two people have decided it, and neither has asked for it."""
        decisions = permissions.decisions_of(uow, matter)
        deciders = {decisions[stage].decided_by for stage in self.floor(uow, state)}
        if len(deciders) < len(self.floor(uow, state)) or matter.opened_by in deciders:
            raise permissions.refusal(matter, ACT, "it was not decided by two people besides who has asked for it")
        hold = self._hold(uow, self.read(matter))
        if hold.lift_matter_id != matter.id:
            raise permissions.refusal(matter, ACT, "the hold names another matter that asks to lift it")
        service.lift(uow, hold, decisions[SIGNING], self.read(matter).reason)
        return {"hold": hold.id}

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "hold" not in outcome:
            return []
        return [Line(Message("Legal hold"), Message("lifted"))]

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        names = access_queries.get_names(uow, [before["placedBy"]])
        return [
            Line(Message("Because of"), Label(f"hold-{before['cause']}")),
            base.text_line(Message("Reason of the hold"), before["reason"]),
            base.text_line(Message("Placed by"), names.get(before["placedBy"], before["placedBy"])),
            base.moment_line(uow, Message("Held since"), before["placedAt"]),
            base.person_line(uow, Message("Owner"), before["owner"]),
            base.text_line(Message("Reason"), asked["reason"]),
        ]

    def _hold(self, uow: UnitOfWork, asked: LiftHoldAsked) -> Hold:
        return uow.session.get_one(Hold, asked.hold_id, with_for_update=True, populate_existing=True)

    def _deciders(self, uow: UnitOfWork, hold: Hold) -> set[str]:
        query = select(Decision.decided_by).where(Decision.matter_id == hold.lift_matter_id)
        return set(uow.session.scalars(query)) if hold.lift_matter_id is not None else set()
