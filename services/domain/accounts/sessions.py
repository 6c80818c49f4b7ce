"""Sessions of signed-in people, on real time whatever the clock says: short, bound to their browser, ended by hand.

A session is born half signed in where a step is left (``pending_step``): it can take that step and nothing else. Every
step gives it another token, so a token that somebody else planted or saw before is worth nothing after.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, select, update

from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

IDLE_TIMEOUT = timedelta(minutes=30)
LIFETIME = timedelta(hours=10)
STEP_LIFETIME = timedelta(minutes=10)
LAST_SEEN_INTERVAL = timedelta(minutes=1)
MAX_BROWSER_LENGTH = 300
STEPS = ("code", "password", "enrolment")


@dataclass(frozen=True)
class IssuedSession:
    """``token`` goes into the cookie and is kept nowhere; ``pending_step`` is the step that is left, or None."""

    token: str
    person_id: str
    pending_step: str | None = None


def create(
    uow: UnitOfWork,
    person: Person,
    browser: str,
    address: str,
    pending_step: str | None,
    *,
    issuer: str | None = None,
    subject: str | None = None,
) -> IssuedSession:
    """A new session with a fresh token; whole, or half where a step is left."""
    token, now = secrets.token_urlsafe(32), uow.real_now
    uow.session.add(
        LoginSession(
            token_sha256=_sha256(token),
            person_id=person.id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + (STEP_LIFETIME if pending_step else LIFETIME),
            pending_step=pending_step,
            browser_sha256=_browser_sha256(browser),
            browser=browser[:MAX_BROWSER_LENGTH],
            address=address,
            issuer=issuer,
            subject=subject,
        )
    )
    return IssuedSession(token, person.id, pending_step)


def get_person(uow: UnitOfWork, token: str, browser: str) -> Person:
    """The person of a session in the browser that it was opened in; Refused with 401 when it is over or half."""
    row, person = _get_live(uow, token, browser)
    if row.pending_step is not None:
        raise Refused(
            "login-unfinished",
            "You are only half signed in: take the last step.",
            status=401,
        )
    _record_use(uow, row)
    return person


def get_pending(uow: UnitOfWork, token: str, browser: str, *steps: str) -> LoginSession:
    """The half session that waits for one of these steps; Refused with 401 otherwise."""
    row, _ = _get_live(uow, token, browser)
    if row.pending_step not in steps:
        raise no_session()
    _record_use(uow, row)
    return row


def get(uow: UnitOfWork, token: str) -> LoginSession:
    """The row of the session that acts."""
    return uow.session.get_one(LoginSession, _sha256(token))


def renew(uow: UnitOfWork, row: LoginSession, pending_step: str | None) -> IssuedSession:
    """The same session under another token; the old one is over."""
    row.ended_at = uow.real_now
    person = uow.session.get_one(Person, row.person_id)
    renewed = create(
        uow, person, row.browser or "", row.address or "", pending_step, issuer=row.issuer, subject=row.subject
    )
    if row.pending_step is None:
        fresh = get(uow, renewed.token)
        fresh.created_at, fresh.expires_at = row.created_at, row.expires_at
    return renewed


def log_out(uow: UnitOfWork, token: str) -> str | None:
    """End a session, whole or half; the issuer that had vouched for it. Nothing when it is over already."""
    row = uow.session.get(LoginSession, _sha256(token))
    if row is None or row.ended_at is not None:
        return None
    row.ended_at = uow.real_now
    audit_trail.record(uow, "logged-out", "person", row.person_id)
    return row.issuer


def list_own(uow: UnitOfWork) -> list[LoginSession]:
    """The acting person's open sessions, the one used last first."""
    return list(uow.session.scalars(_select_open(uow, uow.actor.id).order_by(LoginSession.last_seen_at.desc())))


def get_previous(uow: UnitOfWork, token: str) -> LoginSession | None:
    """The whole session that the acting person opened before this one: the last sign-in."""
    row = get(uow, token)
    earlier = select(LoginSession).where(
        LoginSession.person_id == row.person_id,
        LoginSession.pending_step.is_(None),
        LoginSession.created_at < row.created_at,
    )
    return uow.session.scalar(earlier.order_by(LoginSession.created_at.desc()).limit(1))


def end(uow: UnitOfWork, session_id: str) -> None:
    """The acting person ends one of their own sessions; NotFound for those of others."""
    row = uow.session.scalar(_select_open(uow, uow.actor.id).where(LoginSession.id == session_id))
    if row is None:
        raise NotFound(Message("session"), session_id)
    row.ended_at = uow.real_now
    audit_trail.record(uow, "session-ended", "person", row.person_id, session=session_id)


def end_all(uow: UnitOfWork, person_id: str, *, but: str | None = None) -> int:
    """End the person's sessions, but the one of this token; how many there were."""
    rows = update(LoginSession).where(LoginSession.person_id == person_id, LoginSession.ended_at.is_(None))
    if but is not None:
        rows = rows.where(LoginSession.token_sha256 != _sha256(but))
    return uow.session.execute(rows.values(ended_at=uow.real_now)).rowcount  # type: ignore[attr-defined,no-any-return]  # of an UPDATE


def no_session() -> Refused:
    return Refused("logged-out", "You are not signed in: sign in.", status=401)


def _get_live(uow: UnitOfWork, token: str, browser: str) -> tuple[LoginSession, Person]:
    query = select(LoginSession, Person).join(Person, Person.id == LoginSession.person_id)
    found = uow.session.execute(query.where(LoginSession.token_sha256 == _sha256(token))).one_or_none()
    if found is None:
        raise no_session()
    row, person = found
    now = uow.real_now
    if row.ended_at is not None or now >= row.expires_at or now - row.last_seen_at >= IDLE_TIMEOUT:
        raise no_session()
    if row.browser_sha256 is not None and row.browser_sha256 != _browser_sha256(browser):
        raise no_session()
    if not person.active:
        raise no_session()
    return row, person


def _record_use(uow: UnitOfWork, row: LoginSession) -> None:
    if uow.real_now - row.last_seen_at >= LAST_SEEN_INTERVAL:
        row.last_seen_at = uow.real_now


def _select_open(uow: UnitOfWork, person_id: str) -> Select[LoginSession]:
    return select(LoginSession).where(
        LoginSession.person_id == person_id,
        LoginSession.ended_at.is_(None),
        LoginSession.pending_step.is_(None),
        LoginSession.expires_at > uow.real_now,
        LoginSession.last_seen_at > uow.real_now - IDLE_TIMEOUT,
    )


def _browser_sha256(browser: str) -> str:
    """A browser by its name without version numbers, so that an update ends no session.

    Addresses change on the way between office and phone and say nothing of the browser: they are shown, not compared.
    """
    return _sha256(re.sub(r"[0-9.]+", "", browser))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
