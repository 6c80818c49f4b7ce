"""Create, check and end login sessions.

They run on real time, are short and bound to their browser. A session whose login is unfinished has a ``pending_step``,
and permits that step alone. Every step replaces the token, so one that was planted or seen before is worthless.
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
    """A new session; ``token`` goes into the cookie and is not stored.

    ``pending_step`` is the next step of the login, or None. ``known_browser`` is a token that the browser stores from a
    complete login on (`known_browsers`).
    """

    token: str
    person_id: str
    pending_step: str | None = None
    known_browser: str | None = None


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
    """Create a session with a fresh token."""
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
    """Return the person of a complete session in its browser.

    Refused with 401 when it has ended or its login is unfinished.
    """
    row, person = _get_live(uow, token, browser)
    if row.pending_step is not None:
        raise Refused(
            "login-unfinished",
            "The sign-in is not complete: finish the last step.",
            status=401,
        )
    _record_use(uow, row)
    return person


def require_not_ended(uow: UnitOfWork, token: str) -> None:
    """Refuse with 401 where the session was ended, or its person is no longer active.

    Its time alone does not count: it is asked at the end of a request that began in time and lasted long.
    """
    row = uow.session.get(LoginSession, _sha256(token))
    if row is None or row.ended_at is not None or not uow.session.get_one(Person, row.person_id).active:
        raise no_session()


def get_pending(uow: UnitOfWork, token: str, browser: str, *steps: str) -> LoginSession:
    """Return the session that waits for one of these steps.

    Refused with 401 otherwise.
    """
    row, _ = _get_live(uow, token, browser)
    if row.pending_step not in steps:
        raise no_session()
    _record_use(uow, row)
    return row


def get(uow: UnitOfWork, token: str) -> LoginSession:
    """Return the session of this token."""
    return uow.session.get_one(LoginSession, _sha256(token))


def renew(uow: UnitOfWork, row: LoginSession, pending_step: str | None) -> IssuedSession:
    """Replace a session by one with another token.

    Refused where it has ended: whoever ended it would not have ended the new one.
    """
    if row.ended_at is not None:
        raise no_session()
    row.ended_at = uow.real_now
    person = uow.session.get_one(Person, row.person_id)
    renewed = create(
        uow, person, row.browser or "", row.address or "", pending_step, issuer=row.issuer, subject=row.subject
    )
    if row.pending_step is None:
        new_row = get(uow, renewed.token)
        new_row.created_at, new_row.expires_at = row.created_at, row.expires_at
    return renewed


def log_out(uow: UnitOfWork, token: str) -> str | None:
    """End a session and return its provider's issuer, if any."""
    row = uow.session.get(LoginSession, _sha256(token))
    if row is None or row.ended_at is not None:
        return None
    row.ended_at = uow.real_now
    audit_trail.record(uow, "logged-out", "person", row.person_id)
    return row.issuer


def list_own(uow: UnitOfWork) -> list[LoginSession]:
    """List the acting person's open sessions, last used first."""
    return list(uow.session.scalars(_select_open(uow, uow.actor.id).order_by(LoginSession.last_seen_at.desc())))


def get_previous(uow: UnitOfWork, token: str) -> LoginSession | None:
    """Return the acting person's previous complete session."""
    row = get(uow, token)
    query = select(LoginSession).where(
        LoginSession.person_id == row.person_id,
        LoginSession.pending_step.is_(None),
        LoginSession.created_at < row.created_at,
    )
    return uow.session.scalar(query.order_by(LoginSession.created_at.desc()).limit(1))


def has_completed(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person has ever completed a login."""
    query = select(LoginSession.id).where(LoginSession.person_id == person_id, LoginSession.pending_step.is_(None))
    return uow.session.scalar(query.limit(1)) is not None


def end(uow: UnitOfWork, session_id: str) -> None:
    """End one of the acting person's sessions. Raises NotFound."""
    row = uow.session.scalar(_select_open(uow, uow.actor.id).where(LoginSession.id == session_id))
    if row is None:
        raise NotFound(Message("session"), session_id)
    row.ended_at = uow.real_now
    audit_trail.record(uow, "session-ended", "person", row.person_id, session=session_id)


def end_all(uow: UnitOfWork, person_id: str, *, keep: str | None = None) -> int:
    """End the person's sessions and return how many there were.

    ``keep`` is the token of a session that stays.
    """
    statement = update(LoginSession).where(LoginSession.person_id == person_id, LoginSession.ended_at.is_(None))
    if keep is not None:
        statement = statement.where(LoginSession.token_sha256 != _sha256(keep))
    return uow.session.execute(statement.values(ended_at=uow.real_now)).rowcount  # type: ignore[attr-defined,no-any-return]  # an UPDATE's result has it


def end_everybodys(uow: UnitOfWork) -> int:
    """End the sessions of everybody and return how many there were."""
    statement = update(LoginSession).where(LoginSession.ended_at.is_(None)).values(ended_at=uow.real_now)
    return uow.session.execute(statement).rowcount  # type: ignore[attr-defined,no-any-return]  # an UPDATE's result has it


def no_session() -> Refused:
    return Refused("logged-out", "You are not signed in: please sign in.", status=401)


def _get_live(uow: UnitOfWork, token: str, browser: str) -> tuple[LoginSession, Person]:
    query = select(LoginSession, Person).join(Person, Person.id == LoginSession.person_id)
    result = uow.session.execute(query.where(LoginSession.token_sha256 == _sha256(token))).one_or_none()
    if result is None:
        raise no_session()
    row, person = result
    now = uow.real_now
    if row.ended_at is not None or now >= row.expires_at or now - row.last_seen_at >= IDLE_TIMEOUT:
        raise no_session()
    if row.browser_sha256 is not None and row.browser_sha256 != _browser_sha256(browser):
        raise no_session()
    if not person.active:
        raise no_session()
    return row, person


def _record_use(uow: UnitOfWork, row: LoginSession) -> None:
    token, seen = row.token_sha256, uow.real_now
    if seen - row.last_seen_at >= LAST_SEEN_INTERVAL:
        used = update(LoginSession).where(LoginSession.token_sha256 == token, LoginSession.last_seen_at < seen)

        def record(writing: UnitOfWork) -> None:
            writing.session.execute(used.values(last_seen_at=seen))

        uow.write(record)


def _select_open(uow: UnitOfWork, person_id: str) -> Select[LoginSession]:
    return select(LoginSession).where(
        LoginSession.person_id == person_id,
        LoginSession.ended_at.is_(None),
        LoginSession.pending_step.is_(None),
        LoginSession.expires_at > uow.real_now,
        LoginSession.last_seen_at > uow.real_now - IDLE_TIMEOUT,
    )


def _browser_sha256(browser: str) -> str:
    """Hash a browser's name without versions, so updates end no session.

    Addresses change between office and phone: they are shown, not compared.
    """
    return _sha256(re.sub(r"[0-9.]+", "", browser))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
