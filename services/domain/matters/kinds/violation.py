"""Violation 违规: what somebody has found is recorded here; its handling has a process of its own (R48, R65 to R67).

Overdue copies, losses and disputed returns are recorded by the jobs that find them, and come the same way.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import refusals
from services.domain.access import violations as policy
from services.domain.applications import directory
from services.domain.applications.directory import FoundPeople
from services.domain.custody import violations
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.matters.violations import lines, tasks
from services.domain.notifications import service as notification_service
from services.domain.process.permissions import CaseState
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.schemas import Identifier


class ViolationAsked(Asked):
    """``violation_kind``: what was found. ``accused_id``: of whom; the custodian unless somebody else is named.

    A refusal-pattern is of the person to whom access was refused, and needs no loan.
    """

    violation_kind: Literal["leak", "breach", "finding", "refusal-pattern"]
    accused_id: Identifier | None = None


class ViolationKind(Kind):
    code: ClassVar = violations.MATTER
    title: ClassVar = "违规登记及处理表"
    label: ClassVar = Message("Violation")
    button: ClassVar = Message("Record a violation")
    asked: ClassVar = ViolationAsked
    openers: ClassVar = ("security-head", "security", "legal", "supervisor")
    routed: ClassVar = False
    finds_people: ClassVar = True
    hides_opener: ClassVar = True

    def who_may(self) -> Message:
        return Message("Only Security, Legal and the supervision group record violations: report a problem instead.")

    def find_people(self, uow: UnitOfWork, state: CaseState, search: str) -> FoundPeople:
        """Find who may be accused beside the custodian."""
        hand_over = self.loan_of(uow, state.application, state.hand_over)
        custodian = [hand_over.custodian_id] if hand_over is not None else []
        unfit = {*custodian, str(uow.actor.id), *state.application.subject_ids}
        return directory.find_people(uow, search, unfit)

    def unavailable(self, hand_over: HandOver | None) -> Message | None:
        """A violation may be found after the copies are back, and before anybody has accepted them, too."""
        return base.NOT_LENT if hand_over is None else None

    def loan_of(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> HandOver | None:
        """Return the newest loan that began, of replaced copies while nobody has the new ones (R44); else the offer."""
        began = hand_over is not None and hand_over.accepted_at is not None
        if began or application.issue == 1:  # there is no loan before the first issue
            return hand_over
        begun = select(HandOver).where(HandOver.application_id == application.id, HandOver.accepted_at.is_not(None))
        return uow.session.scalar(begun.order_by(HandOver.issue.desc()).limit(1)) or hand_over

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: ViolationAsked) -> Message | None:
        if asked.violation_kind == violations.REFUSAL_PATTERN:
            return None
        hand_over = self.loan_of(uow, state.application, state.hand_over)
        if hand_over is not None and hand_over.accepted_at is None and asked.violation_kind != violations.FINDING:
            return Message("Nobody has accepted these copies: record what you have found as a finding.")
        return self.unavailable(hand_over)

    def is_moot(self, state: CaseState) -> bool:
        """It goes on after the return, and after the case is closed."""
        return False

    def goes_on(self, matter: Matter) -> bool:
        """Where an appeal has cleared it before its process had closed it, the model goes on as was decided."""
        outcome = matter.outcome or {}
        return "appeal" in outcome and "decision" not in outcome

    def open_itself(self, uow: UnitOfWork, state: CaseState, asked: Any) -> Matter:
        if asked.violation_kind == violations.REFUSAL_PATTERN:
            return self._open_pattern(uow, state, asked)
        hand_over, kind = self._lent(uow, state), str(asked.violation_kind)
        accused = [self._require_person(uow, state, asked.accused_id)] if asked.accused_id else None
        if uow.actor.id in (accused or [hand_over.custodian_id]):
            raise Refused(
                "accused-self", "You cannot record a violation of your own: another person has to.", status=403
            )
        if violations.find(uow, hand_over, kind, accused) is not None:
            raise Refused(
                "asked-already", "This violation of the loan is recorded already and not yet decided: open it instead."
            )
        facts = {"custodian": hand_over.custodian_id, "found": asked.reason}
        violation = violations.open_once(uow, hand_over, kind, facts, accused=accused)
        return uow.session.get_one(Matter, violation.matter_id)

    def _open_pattern(self, uow: UnitOfWork, state: CaseState, asked: ViolationAsked) -> Matter:
        """Record that access was refused to a person again and again, as the register has it (R52)."""
        if asked.accused_id is None:
            raise Refused("unknown", "Choose a person from the list.", status=422, field="accusedId")
        accused = self._require_person(uow, state, asked.accused_id)
        if uow.actor.id == accused:
            raise Refused(
                "accused-self", "You cannot record a violation of your own: another person has to.", status=403
            )
        if not refusals.has_pattern(uow, accused):
            raise Refused(
                "no-refusal-pattern",
                "The register has no such number of refused accesses of this person within the last 90 days.",
                status=422,
                field="accusedId",
            )
        undecided = select(Violation).where(Violation.kind == violations.REFUSAL_PATTERN, Violation.closed_at.is_(None))
        if any(accused in violation.accused for violation in uow.session.scalars(undecided)):
            raise Refused("asked-already", "This violation is recorded already and not yet decided: open it instead.")
        of_person = refusals.list_of_person(uow, accused)
        facts = {
            "found": asked.reason,
            "refused": len(of_person),
            "since": min(refusal.at for refusal in of_person).isoformat(),
        }
        violation = violations.open_of_case(
            uow, state.application.id, violations.REFUSAL_PATTERN, facts, accused=[accused]
        )
        notification_service.mark_done(uow, "refused-access", subject_id=accused)
        return uow.session.get_one(Matter, violation.matter_id)

    def check_stage_itself(self, uow: UnitOfWork, matter: Matter, stage: str, act: str) -> bool:
        tasks.require_stage(uow, matter, stage, act)
        return True

    def close_itself(self, uow: UnitOfWork, matter: Matter, closed_as: str) -> bool:
        tasks.close(uow, matter.id, closed_as)
        return True

    def _lent(self, uow: UnitOfWork, state: CaseState) -> HandOver:
        """Return the loan, which ``obstacle`` has found to have begun."""
        hand_over = self.loan_of(uow, state.application, state.hand_over)
        if hand_over is None:
            raise ValueError("the case has no loan")
        return hand_over

    def _require_person(self, uow: UnitOfWork, state: CaseState, person_id: str) -> str:
        person = uow.session.get(Person, person_id)
        if person is None:
            raise Refused("unknown", "Choose a person from the list.", status=422, field="accusedId")
        if person.id in state.application.subject_ids:
            # the accused are served with the facts, and these must not learn that there is a case (T8)
            raise Refused(
                "accused-concerned",
                "The case concerns this person, who must not learn of it: inform the supervision group.",
                status=422,
                field="accusedId",
            )
        return person.id

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        return {"custodian": self._lent(uow, state).custodian_id}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return ()

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        raise ValueError("a violation is carried out by its own process")

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        return lines.list_lines(uow, facts)

    def may_attach(self, uow: UnitOfWork, matter: Matter) -> bool:
        """Whoever is heard in it replies with attachments."""
        if super().may_attach(uow, matter) or uow.session.get(Hearing, (matter.id, uow.actor.id)) is not None:
            return True
        return policy.may_answer_for(uow, matter, violations.list_accused(uow, matter.id))

    def attachment_refusal(self, uow: UnitOfWork, matter: Matter) -> Refused | None:
        violation = uow.session.scalars(select(Violation).where(Violation.matter_id == matter.id)).one()
        if violation.heard_at is None:
            return None
        return Refused("attachment-heard", "The hearing is over: what is decided on can no longer be changed.")
