"""The numbers of a report, counted in the register: of the cases that were submitted, decided and closed (R63)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from services.database.tables.applications import Application
from services.database.tables.copies import Download, Viewing
from services.database.tables.custody import HandOver
from services.database.tables.disclosures import Disclosure
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.supervision.periods import Period


def count(uow: UnitOfWork, period: Period) -> dict[str, Any]:
    """Count what has happened in the period: one statement for each number, whatever their size."""

    def within(column: InstrumentedAttribute[Any]) -> tuple[ColumnElement[bool], ...]:
        return column >= period.start, column < period.end

    def number(column: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).where(*within(column), *conditions)
        return uow.session.scalar(query) or 0

    def by(key: InstrumentedAttribute[Any], column: InstrumentedAttribute[Any]) -> Mapping[str, int]:
        query = select(key, func.count()).where(*within(column)).group_by(key)
        return {str(one): int(many) for one, many in uow.session.execute(query.order_by(key)) if one is not None}

    submitted = Application.submitted_at.is_not(None)
    return {
        "submitted": number(Application.listed_at, submitted),
        "approved": number(Document.made_at, Document.kind == "application-form"),
        "closed": number(Application.closed_at, submitted),
        "closedAs": dict(by(Application.closed_as, Application.closed_at)),
        "handedOver": number(HandOver.accepted_at),
        "returned": number(HandOver.returned_at),
        "lost": number(HandOver.lost_at),
        "viewings": number(Viewing.opened_at),
        "downloads": number(Download.asked_at),
        "urgent": number(Matter.opened_at, Matter.kind == "urgent"),
        "provided": number(Disclosure.allowed_at),
        "disputed": number(
            Decision.decided_at, Decision.stage == "return-inspection", Decision.outcome == "discrepancy"
        ),
        "bySubstitutes": number(Decision.decided_at, Decision.stands_in_for.is_not(None)),
        "violations": dict(by(Violation.kind, Violation.opened_at)),
    }
