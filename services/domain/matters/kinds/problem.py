"""Problem report 问题报告: copies that are not what was approved are frozen at once, and Security answers (R43, R44).

It has a model of its own, ``problem-report``. A wrong camera is nobody's breach: only an answer of Security that says
so opens a violation.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.suspensions import Suspension
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import copies, reissue, returns, suspensions, use_period, violations
from services.domain.custody.suspensions import PROBLEM
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.notifications import service as notification_service
from services.domain.process.messages import PROBLEM_REPORTED
from services.domain.process.permissions import CaseState
from services.domain.stages.catalogue import STAGES
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Message
from services.web.schemas import Identifier, Paragraph

STAGE = "problem"
Problem = Literal["wrong-camera", "wrong-span", "unplayable", "gap", "damaged", "leaked", "other"]
PROBLEMS: tuple[str, ...] = get_args(Problem)
# What Security answers, by what follows from it.
CONTINUES, ENDS, BREACH = ("unfounded", "explained"), ("replace", "recall"), ("breach",)
REPLACE = ENDS[0]
TAKEN_OVER = "takenOver"  # of the outcome: a violation that was recorded meanwhile has taken the freeze over
# A time of the recorder, as the player shows it.
POSITION = r"^([0-9]{4}-[0-9]{2}-[0-9]{2} )?[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$"


class ProblemAsked(Asked):
    """``problem``: what is wrong. ``copy_id``: with which copy, where it is not with all of them.

    ``position``: where in it, as the player shows the recorder's time. ``expected``: what the application asked for.
    """

    problem: Problem
    copy_id: Identifier | None = None
    position: Annotated[str, Field(pattern=POSITION)] | None = None
    expected: Paragraph = ""


class ProblemReport(Kind):
    code: ClassVar = "problem"
    title: ClassVar = "视频录像问题报告及处理单"
    label: ClassVar = Message("Problem report")
    button: ClassVar = Message("Report a problem")
    asked: ClassVar = ProblemAsked
    openers: ClassVar = ("custodian", "security-head", "security", "supervisor")
    message: ClassVar = PROBLEM_REPORTED
    routed: ClassVar = False
    refusable: ClassVar = False

    def form_values(
        self, uow: UnitOfWork, application: Application, hand_over: HandOver, before: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {"problems": PROBLEMS}

    def who_may(self) -> Message:
        return Message(
            "Only the custodian, Security and the supervision group can report a problem: ask one of them to do it."
        )

    def may_open(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> bool:
        """Whether the actor may report; the head of the department does where the custodian has left."""
        roles = base.roles_of(uow, application, hand_over)
        if roles & set(self.openers):
            return True
        if hand_over is None or "head" not in roles:
            return False
        return suspensions.has_left(uow, hand_over.custodian_id)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: ProblemAsked) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over)
        if obstacle is not None:
            return obstacle
        known = {copy.id for copy in copies.list_lent(uow, base.lent(state).id)}
        if asked.copy_id is not None and asked.copy_id not in known:
            return Message("This copy does not belong to the loan: choose one of its copies.")
        return None

    def carried(self, matter: Matter) -> dict[str, Any]:
        return {"handOverId": matter.hand_over_id}

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over = base.lent(state)
        query = (
            select(Copy)
            .where(Copy.hand_over_id == hand_over.id, Copy.discarded_at.is_(None))
            .join(Copy.item)
            .options(joinedload(Copy.item).joinedload(Item.camera))
            .order_by(Item.position)
        )
        return {
            "custodian": hand_over.custodian_id,
            "dueAt": hand_over.due_at.isoformat() if hand_over.due_at else None,
            "copies": [
                {
                    "id": copy.id,
                    "item": copy.item_id,
                    "position": copy.item.position,
                    "cameraZh": copy.item.camera.name_zh,
                    "cameraEn": copy.item.camera.name_en,
                    "sha256": copy.sealed["sha256Cipher"],
                }
                for copy in uow.session.scalars(query)
            ],
        }

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Freeze the copies in the act of reporting: nobody handles the problem alone (R44)."""
        hand_over = base.lent(state)
        suspensions.open_once(uow, hand_over, PROBLEM, matter.id)
        if matter.opened_by != hand_over.custodian_id:
            notification_service.notify(
                uow, hand_over.custodian_id, "copy-frozen", application_id=matter.application_id, subject_id=matter.id
            )

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """Lift the freeze of a report whose loan has ended; there are no days to give back."""
        for suspension in list_freezes(uow, matter):
            suspensions.lift(uow, suspension)

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        """Do what follows from the one answer of Security, which the caller has found to be signed."""
        hand_over = base.lent(state)
        query = select(Decision).where(Decision.matter_id == matter.id, Decision.stage == STAGE)
        decision = uow.session.scalars(query).one()
        freezes = list_freezes(uow, matter)
        outcome: dict[str, Any] = {
            "answer": decision.outcome,
            "frozenSince": min((row.since for row in freezes), default=matter.opened_at).isoformat(),
            "frozenUntil": max((suspensions.ended_at(uow, row) for row in freezes), default=uow.now).isoformat(),
        }
        if decision.outcome in CONTINUES:
            if not use_period.lift_freeze(uow, hand_over, matter.id):
                outcome[TAKEN_OVER] = True
            # whoever reported hears of the answer anyway
            if matter.opened_by != hand_over.custodian_id and not suspensions.list_open(uow, hand_over):
                notification_service.notify(
                    uow,
                    hand_over.custodian_id,
                    "copy-unfrozen",
                    application_id=matter.application_id,
                    subject_id=hand_over.id,
                )
            return {**outcome, "dueAt": hand_over.due_at.isoformat() if hand_over.due_at else None}
        if decision.outcome in BREACH:
            return {**outcome, "violation": self._breach(uow, matter, hand_over, decision)}
        again = decision.outcome == REPLACE and reissue.find_obstacle(uow, state, hand_over) is None
        if again:
            items = reissue.begin(uow, state, hand_over, decision, number=matter.number, matter_id=matter.id)
            outcome |= {"issue": state.application.issue, "items": items}
        else:
            returns.recall(uow, hand_over, decision, number=matter.number, matter_id=matter.id)
        self.undo(uow, matter, state)
        for person_id in sorted({hand_over.custodian_id, state.application.drafter_id}):
            notification_service.notify(
                uow,
                person_id,
                "problem-replace" if again else "problem-recall",
                application_id=matter.application_id,
                subject_id=matter.id,
            )
        return outcome

    def _breach(self, uow: UnitOfWork, matter: Matter, hand_over: HandOver, decision: Decision) -> str:
        """Open the violation that the answer has found; it takes the freeze over, so that the copies can be returned.

        Another report of the same loan may find another breach, which is a violation of its own.
        """
        kind = "leak" if self.read(matter).problem == "leaked" else "breach"
        facts = {"custodian": hand_over.custodian_id, "problem": matter.number, "found": decision.reason}
        return violations.open_once(uow, hand_over, kind, facts, problem_id=matter.id).id

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        lines = [
            base.person_line(uow, Message("Custodian"), before["custodian"]),
            base.moment_line(uow, Message("Due now"), before["dueAt"]),
            Line(Message("Problem"), Label(f"problem-{asked['problem']}")),
        ]
        for copy in before["copies"]:
            if asked["copyId"] in (None, copy["id"]):
                name = Bilingual(f"{copy['position']}　{copy['cameraZh']}", f"{copy['position']} {copy['cameraEn']}")
                lines.append(Line(Message("Copy"), name))
        if asked["position"]:
            lines.append(base.text_line(Message("Position, recorder time"), asked["position"]))
        if asked["expected"]:
            lines.append(base.text_line(Message("What was expected"), asked["expected"]))
        return [*lines, base.text_line(Message("What is wrong"), asked["reason"])]

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "answer" not in outcome:
            return []
        answer = STAGES.outcomes[outcome["answer"]]
        lines = [
            Line(Message("Answer of Security"), Bilingual(answer.zh, answer.en)),
            Line(Message("What follows"), Label(f"problem-follows-{_follows(outcome)}")),
            base.moment_line(uow, Message("Frozen from"), outcome["frozenSince"]),
            base.moment_line(uow, Message("Frozen until"), outcome["frozenUntil"]),
        ]
        if outcome.get("dueAt"):
            lines.append(base.moment_line(uow, Message("Due from now on"), outcome["dueAt"]))
        return lines


def list_freezes(uow: UnitOfWork, matter: Matter) -> list[Suspension]:
    """List the suspensions of a report, lifted ones too."""
    query = select(Suspension).where(Suspension.matter_id == matter.id, Suspension.cause == PROBLEM)
    return list(uow.session.scalars(query.order_by(Suspension.since)))


def _follows(outcome: Mapping[str, Any]) -> str:
    """Return what followed the answer: copies that cannot be replaced under this application are recalled."""
    if TAKEN_OVER in outcome:
        return "taken-over"
    return "recall" if outcome["answer"] == REPLACE and "issue" not in outcome else str(outcome["answer"])
