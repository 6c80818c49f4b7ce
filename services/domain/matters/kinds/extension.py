"""Extension 延期: the copies are due later, inside the longest use period (R49, R50)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import use_period
from services.domain.matters.kinds import base
from services.domain.matters.kinds.base import Asked, Kind, Line
from services.domain.process.permissions import CaseState
from services.domain.rules import agreed_limits
from services.runtime.translations import Message
from services.web.schemas import Moment


class ExtensionAsked(Asked):
    """``due_at``: when the copies are to be due instead."""

    due_at: Moment


DAYS = (3, 7, 14, 30)  # by which it is offered
USUAL_DAYS = 7


@dataclass(frozen=True)
class NewDate:
    """A date that the form offers: so many days later, or the latest that the rules allow."""

    due_at: datetime
    days: int | None
    usual: bool


class Extension(Kind):
    code: ClassVar = "extension"
    title: ClassVar = "视频录像使用延期单"
    label: ClassVar = Message("Extension")
    button: ClassVar = Message("Extend")
    asked: ClassVar = ExtensionAsked
    openers: ClassVar = ("custodian", "head")
    withdrawable: ClassVar = True

    def who_may(self) -> Message:
        return Message("Only the custodian or the head of the department can ask for an extension.")

    def obstacle(self, uow: UnitOfWork, state: CaseState, asked: ExtensionAsked) -> Message | None:
        obstacle = base.loan_obstacle(state.hand_over)
        if obstacle is not None:
            return obstacle
        hand_over = base.lent(state)
        open_violation = select(Violation.id).where(
            Violation.hand_over_id == hand_over.id, Violation.closed_at.is_(None)
        )
        if uow.session.scalar(open_violation.limit(1)) is not None:
            return Message("A violation of this loan is open: it has to be decided before the period can be extended.")
        latest = agreed_limits.latest_due(uow, hand_over)
        if hand_over.due_at is not None and asked.due_at <= hand_over.due_at:
            return Message("The copies are due later than that already: choose a later date.")
        if asked.due_at <= uow.now:
            return Message("The new due date has already passed: choose a later one.")
        if asked.due_at > latest:
            return Message(
                "The longest use period ends on {latest}: choose an earlier date, or submit a new application.",
                latest=base.moment_line(uow, self.label, latest.isoformat()).message,
            )
        return None

    def before(self, uow: UnitOfWork, state: CaseState) -> dict[str, Any]:
        hand_over = base.lent(state)
        return {
            "custodian": hand_over.custodian_id,
            "dueAt": hand_over.due_at.isoformat() if hand_over.due_at else None,
            "latest": agreed_limits.latest_due(uow, hand_over).isoformat(),
        }

    def form_values(
        self, uow: UnitOfWork, application: Application, hand_over: HandOver, before: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return {"dates": _dates(hand_over.due_at, agreed_limits.latest_due(uow, hand_over))}

    def floor(self, uow: UnitOfWork, state: CaseState) -> tuple[str, ...]:
        if base.concerns(uow, state.application, "security"):
            return ("management",)  # Security does not decide in its own case (T8)
        return ("extension", "management") if base.is_important(state) else ("extension",)

    def apply(self, uow: UnitOfWork, matter: Matter, state: CaseState) -> dict[str, Any]:
        hand_over, asked = base.lent(state), self.read(matter)
        due_at: datetime = asked.due_at.replace(microsecond=0)
        use_period.change_due_date(uow, hand_over, due_at, because=self.code)
        return {"dueAt": due_at.isoformat()}

    def lines(self, uow: UnitOfWork, facts: Mapping[str, Any]) -> list[Line]:
        asked, before = facts["asked"], facts["before"]
        return [
            base.person_line(uow, Message("Custodian"), before["custodian"]),
            base.moment_line(uow, Message("Due now"), before["dueAt"]),
            base.moment_line(uow, Message("To be due"), asked["dueAt"]),
            base.moment_line(uow, Message("Longest use period ends"), before["latest"]),
            base.text_line(Message("Reason"), asked["reason"]),
        ]


def _dates(due_at: datetime | None, latest: datetime) -> list[NewDate]:
    """Return the dates that are offered, the latest possible one last."""
    if due_at is None or latest <= due_at:
        return []
    later = [(due_at + timedelta(days=days), days) for days in DAYS]
    possible = [(moment, days) for moment, days in later if moment < latest]
    usual = max((days for _, days in possible if days <= USUAL_DAYS), default=None)
    return [
        *(NewDate(moment, days, days == usual) for moment, days in possible),
        NewDate(latest, None, usual is None),
    ]
