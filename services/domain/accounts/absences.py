"""Add, confirm and end absences; meanwhile others sign in the person's place (R16).

The person, the department's head or deputy, and administrators may add and end. Others sign at once by the word of the
person, or of an administrator, who decides nothing and so cannot profit. By anybody else's word they sign after a
notice, in which the person can end it: a deputy must not put the head out of office and sign at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select

from services.database.base import new_id
from services.database.tables.people import Absence, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import is_administrator
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST = 50  # of one person that are not over: each is looked at whenever somebody asks who signs
NOTICE = timedelta(hours=12)  # a night: who is at work reads the notice, or the mail


@dataclass(frozen=True)
class AbsenceView:
    """An absence with names; others sign from ``effective_from``, None: it ends before they may.

    ``state``: notice (the person may object), to-come, in-force or over.
    """

    id: str
    person_id: str
    since: datetime
    until: datetime
    state: Literal["notice", "to-come", "in-force", "over"]
    effective_from: datetime | None
    added_by: str | None
    confirmed_by: str | None


def list_absences(uow: UnitOfWork, person_id: str) -> list[AbsenceView]:
    """List a person's current and future absences, by start.

    Raises NotFound for people whose absences the actor may not manage.
    """
    _check_may_manage(uow, person_id)
    query = select(Absence).where(
        Absence.person_id == person_id, Absence.until > uow.now, Absence.until > Absence.since
    )
    return _views(uow, list(uow.session.scalars(query.order_by(Absence.since))))


def view(uow: UnitOfWork, row: Absence) -> AbsenceView:
    """Return one absence as it is now."""
    return _views(uow, [row])[0]


def add(uow: UnitOfWork, person_id: str, *, since: datetime, until: datetime) -> Absence:
    """Add an absence from ``since`` up to ``until``; somebody else's is notified to the person at once."""
    _check_may_manage(uow, person_id)
    if until <= since:
        raise Refused(
            "until-before-since",
            "The end of the absence must be after its start.",
            status=422,
            field="until",
        )
    if until <= uow.now:
        raise Refused("over", "This period has already ended.", status=422, field="until")
    # two at once count one after the other
    uow.session.get_one(Person, person_id, with_for_update=True)
    open_ = select(func.count()).where(
        Absence.person_id == person_id, Absence.until > uow.now, Absence.until > Absence.since
    )
    if (uow.session.scalar(open_) or 0) >= MOST:
        raise Refused("absences-enough", "{most} absences are entered already: end some of them first.", most=MOST)
    row = Absence(id=new_id(), person_id=person_id, since=since, until=until, added_by=uow.actor.id)
    if person_id != uow.actor.id:
        if is_administrator(uow):
            row.confirmed_by, row.confirmed_at = uow.actor.id, uow.now
        else:
            row.notice_until = uow.now + NOTICE
    uow.session.add(row)
    audit_trail.record(
        uow,
        "absence-added",
        "person",
        person_id,
        absence=row.id,
        old=None,
        new={"since": since.isoformat(), "until": until.isoformat()},
        notice_until=row.notice_until.isoformat() if row.notice_until else None,
    )
    _notify(uow, row, "absence-entered")
    return row


def confirm(uow: UnitOfWork, absence_id: str) -> Absence:
    """Confirm an absence, so that others sign without waiting for the notice's end.

    Refused for everybody but the person and administrators: others may sign in the person's place.
    """
    row = _lock(uow, absence_id)
    if uow.actor.id != row.person_id and not is_administrator(uow):
        raise Refused(
            "not-yours-to-confirm",
            "Only the absent person or an administrator can confirm it, not a person who may sign as the substitute.",
            status=403,
        )
    if row.notice_until is None or row.notice_until <= uow.now or row.confirmed_at is not None:
        raise Refused("confirmed", "This absence is already in effect: there is nothing to confirm.")
    row.confirmed_by, row.confirmed_at = uow.actor.id, uow.now
    audit_trail.record(uow, "absence-confirmed", "person", row.person_id, absence=row.id)
    _notify(uow, row, "absence-confirmed")
    return row


def end(uow: UnitOfWork, absence_id: str) -> Absence:
    """End an absence now; a future one at its start."""
    row = _lock(uow, absence_id)
    old = row.until
    row.until = max(uow.now, row.since)
    audit_trail.record(
        uow,
        "absence-ended",
        "person",
        row.person_id,
        absence=row.id,
        old=old.isoformat(),
        new=row.until.isoformat(),
    )
    return row


def renew_notices(uow: UnitOfWork) -> list[str]:
    """Begin the notices of a restored backup anew, where nobody has confirmed; return the ids of these absences.

    The person may have ended the absence since the backup. So everybody with one that is not over is told again.
    """
    standing = uow.session.scalars(
        select(Absence).where(Absence.until > uow.now, Absence.until > Absence.since).order_by(Absence.id)
    ).all()
    renewed = [row for row in standing if row.added_by not in (None, row.person_id) and row.confirmed_at is None]
    for row in renewed:
        row.notice_until = uow.now + NOTICE
    for person_id in sorted({row.person_id for row in standing}):
        notification_service.notify(uow, person_id, "absence-restored", application_id=None)
    return [row.id for row in renewed]


def _lock(uow: UnitOfWork, absence_id: str) -> Absence:
    """Lock and return the absence. Raises NotFound; Refused where it is over."""
    row = uow.session.get(Absence, absence_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(Message("absence"), absence_id)
    _check_may_manage(uow, row.person_id)
    if row.until <= uow.now or row.until <= row.since:
        raise Refused("over", "This absence has already ended.")
    return row


def _notify(uow: UnitOfWork, row: Absence, code: str) -> None:
    if row.person_id != uow.actor.id:
        notification_service.notify(uow, row.person_id, code, application_id=None, subject_id=row.id)


def _views(uow: UnitOfWork, rows: list[Absence]) -> list[AbsenceView]:
    names = access_queries.get_names(uow, [name for row in rows for name in (row.added_by, row.confirmed_by)])
    return [
        AbsenceView(
            id=row.id,
            person_id=row.person_id,
            since=row.since,
            until=row.until,
            state=_state(row, uow.now),
            effective_from=row.effective_from,
            added_by=names.get(row.added_by or ""),
            confirmed_by=names.get(row.confirmed_by or ""),
        )
        for row in rows
    ]


def _state(row: Absence, now: datetime) -> Literal["notice", "to-come", "in-force", "over"]:
    if row.until <= now or row.until <= row.since:
        return "over"
    if row.notice_until is not None and row.notice_until > now and row.confirmed_at is None:
        return "notice"
    return "to-come" if row.since > now else "in-force"


def _check_may_manage(uow: UnitOfWork, person_id: str) -> None:
    person = uow.session.get(Person, person_id)
    actor_id = uow.actor.id
    if person is not None and (
        person_id == actor_id
        or access_queries.load_directory(uow).holds(actor_id, "administrator")
        or actor_id in access_queries.load_directory(uow).holders(person.department_id, "head", "deputy")
    ):
        return
    raise NotFound(Message("person"), person_id)
