"""Tell Security of letters that do not come, and of people who were filmed who have no answer yet (R3, R58)."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "outside-deadlines")
EVERY = timedelta(minutes=10)
AT_ONCE = 100


def remind(uow: UnitOfWork) -> bool:
    """Tell of what is overdue, once each; return whether there may be more.

    The head of Security is told, and the drafter.
    """
    letters = uow.session.scalars(
        select(Application)
        .where(
            Application.letter_due_at <= uow.now,
            Application.original_letter.is_(None),
            Application.letter_first.is_not(None),
            Application.letter_told_at.is_(None),
            Application.closed_at.is_(None),
        )
        .order_by(Application.letter_due_at, Application.id)
        .limit(AT_ONCE)
    ).all()
    for application in letters:
        application.letter_told_at = uow.now
        _notify(uow, application, "letter-overdue", {*_heads(uow, application), application.drafter_id})
    answers = uow.session.scalars(
        select(Application)
        .where(
            Application.answer_due_at <= uow.now,
            Application.answered_at.is_(None),
            Application.answer_told_at.is_(None),
            Application.closed_at.is_(None),
        )
        .order_by(Application.answer_due_at, Application.id)
        .limit(AT_ONCE)
    ).all()
    for application in answers:
        application.answer_told_at = uow.now
        _notify(uow, application, "answer-overdue", {*_heads(uow, application), application.drafter_id})
    return AT_ONCE in (len(letters), len(answers))


def outside_deadlines(database: Database) -> Periodic:
    """Return the task that reminds; one process at a time."""

    async def run() -> bool:
        return await database.run(ACTOR, remind)

    return Leased(Lease.between_runs(database, "outside-deadlines", EVERY), EVERY, run)


def _notify(uow: UnitOfWork, application: Application, code: str, people: Iterable[str]) -> None:
    audit_trail.record(uow, code, "application", application.id, application_id=application.id)
    for person_id in sorted(people):
        notification_service.notify(uow, person_id, code, application_id=application.id)


def _heads(uow: UnitOfWork, application: Application) -> set[str]:
    """Return the heads of Security, without whom the case concerns (T8)."""
    return {
        person_id
        for person_id in access_queries.load_directory(uow).holders_in("security", "head")
        if person_id not in application.subject_ids
    }
