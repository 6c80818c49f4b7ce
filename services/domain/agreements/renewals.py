"""Remind people in time that their confidentiality agreement ends: by its term, or by a new text (R59).

Each agreement notes that its person was reminded, so that one of several portals, or one that was down for days, tells
it once.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import aliased

from services.database.leases import Lease, Leased
from services.database.tables.agreements import Agreement
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.agreements import texts
from services.domain.agreements.service import RENEWAL_LEAD
from services.domain.agreements.texts import Replacement
from services.domain.notifications import service as notification_service
from services.runtime.periodic import Periodic

EVERY = timedelta(hours=1)
NEW_TEXT_LEAD = timedelta(days=3)
AT_ONCE = 50  # people told in one transaction
ACTOR = Actor("system", "agreements")


def agreement_reminders(database: Database) -> Periodic:
    """Return the task that reminds people of their agreements, in one process at a time."""
    lease = Lease.between_runs(database, "agreements", EVERY)
    return Leased(lease, EVERY, partial(database.run, ACTOR, remind))


def remind(uow: UnitOfWork) -> bool:
    """Remind those whose agreement ends soon and who have no later one; return whether some are left."""
    replacing = texts.list_replacing(uow)
    return any([_remind_of_new_text(uow, replacing), _remind_of_expiry(uow, replacing)])


def _remind_of_new_text(uow: UnitOfWork, replacing: Mapping[str, Replacement]) -> bool:
    soon = uow.now + NEW_TEXT_LEAD
    # who issued a text at no longer notice has told everybody just then
    ending = [v for v, text in replacing.items() if text.issued_at + NEW_TEXT_LEAD < text.counts_from <= soon]
    if not ending:
        return False
    other = aliased(Agreement)
    later = [uow.rules.agreement_version, *(version for version in replacing if version not in ending)]
    rows = uow.session.scalars(
        _select_running(uow)
        .where(
            Agreement.version.in_(ending),
            Agreement.replacement_reminded_at.is_(None),
            ~_has(uow, other, other.version.in_(later)),
        )
        .order_by(Agreement.id)
        .limit(AT_ONCE)
    ).all()
    for row in rows:
        row.replacement_reminded_at = uow.now
    _notify(uow, {row.person_id for row in rows}, "agreement-replaced-soon")
    return len(rows) == AT_ONCE


def _remind_of_expiry(uow: UnitOfWork, replacing: Mapping[str, Replacement]) -> bool:
    other = aliased(Agreement)
    current = uow.rules.agreement_version
    # one that a new text ends before its term has no expiry to be told of
    to_its_term, beyond_it = [Agreement.version == current], [other.version == current]
    for version, text in replacing.items():
        to_its_term.append(and_(Agreement.version == version, Agreement.expires_at <= text.counts_from))
        beyond_it.append(and_(other.version == version, Agreement.expires_at < text.counts_from))
    rows = uow.session.scalars(
        _select_running(uow)
        .where(
            Agreement.expires_at <= uow.now + RENEWAL_LEAD,
            Agreement.expiry_reminded_at.is_(None),
            or_(*to_its_term),
            ~_has(uow, other, or_(*beyond_it), other.expires_at > Agreement.expires_at),
        )
        .order_by(Agreement.expires_at, Agreement.id)
        .limit(AT_ONCE)
    ).all()
    for row in rows:
        row.expiry_reminded_at = uow.now
    _notify(uow, {row.person_id for row in rows}, "agreement-expires-soon")
    return len(rows) == AT_ONCE


def _select_running(uow: UnitOfWork) -> Select[Agreement]:
    """Select the agreements of active people which neither their term nor anybody has ended."""
    return (
        select(Agreement)
        .join(Person, Person.id == Agreement.person_id)
        .where(
            Person.active, Agreement.signed_at <= uow.now, Agreement.expires_at > uow.now, Agreement.ended_at.is_(None)
        )
    )


def _has(uow: UnitOfWork, other: type[Agreement], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build the condition that the person of an agreement has another one that runs."""
    running = other.signed_at <= uow.now, other.expires_at > uow.now, other.ended_at.is_(None)
    return (
        select(other.id)
        .where(other.person_id == Agreement.person_id, *running, *conditions)
        .correlate(Agreement)
        .exists()
    )


def _notify(uow: UnitOfWork, people: set[str], code: str) -> None:
    for person_id in sorted(people):
        notification_service.notify(uow, person_id, code, application_id=None)
