"""Appeal 申诉: a violation that was upheld is put to management, once by each who is accused in it (R65, R66).

Where management grants it, the violation is cleared as an unfounded one is. What an authority has been handed stays
with it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.custody import violations
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.matters.violations import appeals
from services.domain.process.permissions import CaseState
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.schemas import Identifier

STAGE = "violation-appeal"


class AppealAsked(Asked):
    """``violation_id``: the matter of the violation. ``reason``: why its decision is wrong."""

    violation_id: Identifier


class Appeal(Kind):
    code: ClassVar = "appeal"
    title: ClassVar = "违规申诉审批表"
    label: ClassVar = Message("Appeal")
    button: ClassVar = Message("Appeal")
    asked: ClassVar = AppealAsked
    openers: ClassVar = ()
    has_form: ClassVar = False  # it is on the page of the violation
    filed: ClassVar = False  # the sheet of the violation is written anew, and says it

    def who_may(self) -> Message:
        return Message("Only the accused and the head of their department can appeal: ask one of them to do it.")

    def may_open(self, uow: UnitOfWork, application: Application, hand_over: HandOver | None) -> bool:
        """Nobody is offered it with the loan: the page of the violation has the form."""
        return False

    def require_seen(self, uow: UnitOfWork, application_id: str, asked: AppealAsked) -> None:
        """Who is accused sees the violation, and not always its case."""
        matter = uow.session.get(Matter, asked.violation_id)
        if matter is None or matter.application_id != application_id or not policy.sees(uow, matter):
            raise NotFound(Message("matter"), asked.violation_id)

    def require_may_open(self, uow: UnitOfWork, state: CaseState, asked: AppealAsked) -> None:
        appeals.require_allowed(uow, self._violation(uow, state, asked))

    def is_same(self, uow: UnitOfWork, matter: Matter, asked: AppealAsked) -> bool:
        return bool(matter.facts["asked"]["violationId"] == asked.violation_id)

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: AppealAsked) -> Message | None:
        if self._violation(uow, state, asked).closed_as == violations.CLEARED:
            return Message("This violation is cleared already: there is nothing to appeal.")
        return None

    def is_moot(self, state: CaseState) -> bool:
        """It goes on after the loan, and after the case is closed."""
        return False

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        return {}

    def before_of(self, uow: UnitOfWork, state: CaseState, asked: AppealAsked) -> dict[str, Any]:
        violation = self._violation(uow, state, asked)
        matter = uow.session.get_one(Matter, violation.matter_id)
        sanctions = uow.session.scalars(select(Sanction).where(Sanction.matter_id == matter.id).order_by(Sanction.id))
        decided = select(Decision).where(Decision.matter_id == matter.id).order_by(Decision.decided_at, Decision.id)
        return {
            "violation": matter.number,
            "violationKind": violation.kind,
            "severity": violation.severity,
            "handOver": violation.hand_over_id,
            "factsSha256": matter.facts_sha256,
            "accused": violations.list_accused(uow, matter.id),
            "sanctionedAt": violation.sanctioned_at.isoformat() if violation.sanctioned_at else None,
            "sanctions": [
                {
                    **{"person": row.person_id, "kind": row.kind, "amount": row.amount},
                    **({"currency": row.currency} if row.currency else {}),
                    "droppedBecause": row.dropped_because,
                }
                for row in sanctions
            ],
            "decisions": [
                {"stage": row.stage, "outcome": row.outcome, "statement": row.statement_sha256}
                for row in uow.session.scalars(decided)
            ],
        }

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        return (STAGE,)

    def begin(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        violation = self._violation(uow, state, self.read(matter))
        appeals.begin(uow, violation, matter)

    def undo(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> None:
        """The decision stands, and its sheet says that it was appealed."""
        appeals.uphold(uow, self._violation(uow, state, self.read(matter)), matter)

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        return appeals.grant(uow, self._violation(uow, state, self.read(matter)), matter)

    def results(self, uow: UnitOfWork, outcome: Mapping[str, Any]) -> list[Line]:
        if "cleared" not in outcome:
            return []
        lines = [Line(Message("What follows"), Label("appeal-cleared"))]
        if outcome.get("referred"):
            lines.append(Line(Message("Referral to an authority"), Label("appeal-referral-stays")))
        return lines

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        before = facts["before"]
        names = access_queries.get_names(uow, [row["person"] for row in before["sanctions"]])
        lines = [
            base.text_line(Message("Violation"), before["violation"]),
            Line(Message("What happened"), Label(before["violationKind"])),
        ]
        if before["severity"]:
            lines.append(Line(Message("Severity"), Label(f"severity-{before['severity']}")))
        for row in before["sanctions"]:
            if row["droppedBecause"] is None:
                name = names.get(row["person"], row["person"])
                lines.append(Line(Message("Sanctions: {name}", name=name), Label(f"sanction-{row['kind']}")))
        return [*lines, base.text_line(Message("Reason of the appeal"), facts["asked"]["reason"])]

    def _violation(self, uow: UnitOfWork, state: CaseState, asked: AppealAsked) -> Violation:
        query = select(Violation).where(
            Violation.matter_id == asked.violation_id, Violation.application_id == state.application.id
        )
        violation = uow.session.scalar(query)
        if violation is None:
            raise Refused("no-violation", "This case has no such violation: open the violation, and appeal there.")
        return violation
