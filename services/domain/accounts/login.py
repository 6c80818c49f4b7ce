"""Log people in step by step: password or provider, code, required changes.

A failure is counted in the transaction that finds it, so that concurrent attempts are all counted.
"""

from dataclasses import dataclass, replace

from sqlalchemy import select

from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import (
    identities,
    known_browsers,
    lockout,
    own_notices,
    passwords,
    second_factors,
    sessions,
)
from services.domain.accounts.client import Client
from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.second_factors import Enrolment
from services.domain.accounts.sessions import IssuedSession
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread

ACTOR = Actor("system", "login")


@dataclass(frozen=True)
class Enrolled:
    """The session after an enrolment, and the recovery codes to show once."""

    session: IssuedSession
    recovery_codes: list[str]


async def log_in(database: Database, login: str, password: str, client: Client) -> IssuedSession:
    """Log a person in, completely or up to the next step.

    Refused alike for a wrong name and a wrong password; 429 when locked. The hash is computed outside the transaction,
    which would block others.
    """
    password_hash = await database.run(ACTOR, _get_password_hash, login, client)
    password_ok = await run_in_thread(passwords.verify, password_hash, password)
    return _raise_refusal(await database.run(ACTOR, _finish_password_login, login, client, password_ok))


async def log_in_by_provider(database: Database, identity: ProviderIdentity, client: Client) -> IssuedSession:
    """Log in a person whom the provider has authenticated.

    That is no second factor: people with one give a code too. Refused for people without an active account, and with
    429 when the account is locked.
    """
    return _raise_refusal(await database.run(ACTOR, _finish_provider_login, identity, client))


async def submit_code(database: Database, token: str, client: Client, code: str) -> IssuedSession:
    """Check a code of the app, or a recovery code.

    Refused with ``code-wrong`` or ``code-used``; the fifth wrong one ends the login and delays the next.
    """
    return _raise_refusal(await database.run(ACTOR, _submit_code, token, client, code))


async def choose_password(database: Database, token: str, client: Client, password: str) -> IssuedSession:
    """Replace a password that an administrator knows.

    Refused for a weak one.
    """
    login, old_hash = await database.run(ACTOR, _login_and_hash, token, client.browser)
    new_hash = await hash_new_password(login, old_hash, password)

    def act(uow: UnitOfWork) -> IssuedSession:
        row = sessions.get_pending(uow, token, client.browser, "password")
        person = _lock_person(uow, row)
        set_password(uow, person, new_hash)
        return _advance(uow, row, person, client)

    return await database.run(ACTOR, act)


async def hash_new_password(login: str, old_hash: str, password: str) -> str:
    """Hash a new password.

    Refused for a weak one, and for the old one.
    """
    passwords.check(password, login)
    if await run_in_thread(passwords.verify, old_hash, password):
        raise Refused(
            "password-same",
            "This is your current password: choose another.",
            status=422,
            field="newPassword",
        )
    return await run_in_thread(passwords.hash_password, password)


def set_password(uow: UnitOfWork, person: Person, password_hash: str) -> None:
    """Store the password that the person has chosen."""
    person.password_hash, person.password_set_at, person.must_change_password = password_hash, uow.real_now, False
    audit_trail.record(uow, "password-changed", "person", person.id)


def get_enrolment(uow: UnitOfWork, token: str, browser: str) -> Enrolment:
    """Return the pending enrolment of the second factor, or begin one."""
    row = sessions.get_pending(uow, token, browser, "enrolment")
    _lock_person(uow, row)
    return second_factors.get_enrolment(uow, row.person_id) or second_factors.begin_enrolment(uow, row.person_id)


def confirm_enrolment(uow: UnitOfWork, token: str, client: Client, code: str) -> Enrolled:
    """Enrol the second factor by its first code, and advance the login."""
    row = sessions.get_pending(uow, token, client.browser, "enrolment")
    person = _lock_person(uow, row)
    first_login = not sessions.has_completed(uow, person.id)
    codes = enrol(uow, person.id, code, hold=not first_login)
    return Enrolled(_advance(uow, row, person, client), codes)


def enrol(uow: UnitOfWork, person_id: str, code: str, *, hold: bool = True) -> list[str]:
    """Enrol the second factor by its first code, notify its person, and return the recovery codes.

    ``hold``: after the first one that their posts require, nobody signs for a day, since the password alone, which
    signed nothing before, was enough to enrol it. An account's very first login is not held: nobody used it before.
    """
    first = second_factors.get_factor(uow, person_id) is None
    codes = second_factors.confirm_enrolment(uow, person_id, code)
    if first and hold and second_factors.is_required(uow, person_id):
        holds.add(uow, person_id, "second-factor-enrolled")
    own_notices.notify(uow, person_id, "own-account-changed")
    return codes


def _get_password_hash(uow: UnitOfWork, login: str, client: Client) -> str:
    """Return the hash to verify; a dummy one for an unknown login."""
    person = _find_person(uow, login)
    lockout.check(uow, person, login, client)
    return passwords.unmatchable_hash() if person is None else person.password_hash


def _finish_password_login(uow: UnitOfWork, login: str, client: Client, password_ok: bool) -> IssuedSession | Refused:
    person = _find_person(uow, login)
    if person is not None:
        lockout.check(uow, person, login, client)
    if person is None or not password_ok:
        return _record_failure(uow, person, login, client)
    step = _pending_step(uow, person, code_given=False)
    session = sessions.create(uow, person, client.browser, client.address, step)
    return session if step is not None else _complete(uow, person, session, client)


def record_provider_refusal(uow: UnitOfWork, client: Client, issuer: str, reason: str) -> None:
    """Count a failed login at the provider by address."""
    lockout.count_address_failure(uow, client.address)
    audit_trail.record(uow, "login-refused", "address", client.address, issuer=issuer, reason=reason)


def _finish_provider_login(uow: UnitOfWork, identity: ProviderIdentity, client: Client) -> IssuedSession | Refused:
    try:
        person = identities.find_person(uow, identity)
    except Refused as refusal:
        audit_trail.record(uow, "login-refused", "address", client.address, issuer=identity.issuer, reason=refusal.code)
        return refusal
    # wrong passwords, and codes after them, say nothing about who came by the provider
    lockout.check_codes(uow, person, replace(client, by_provider=True))
    step = _pending_step(uow, person, code_given=False)
    session = sessions.create(
        uow, person, client.browser, client.address, step, issuer=identity.issuer, subject=identity.subject
    )
    return session if step is not None else _complete(uow, person, session, client)


def _record_failure(uow: UnitOfWork, person: Person | None, login: str, client: Client) -> Refused:
    if lockout.count_wrong_password(uow, person, login, client):
        return lockout.login_delayed()
    return Refused(
        "login-failed",
        "The username or password is wrong: enter them again.",
        status=401,
        field="password",
    )


def _submit_code(uow: UnitOfWork, token: str, client: Client, code: str) -> IssuedSession | Refused:
    row = sessions.get_pending(uow, token, client.browser, "code")
    person = _lock_person(uow, row)
    client = replace(client, address=row.address or "unknown", by_provider=row.issuer is not None)
    lockout.check_codes(uow, person, client)
    try:
        if second_factors.use_recovery_code(uow, person.id, code):
            own_notices.notify(uow, person.id, "recovery-code-used")
        else:
            second_factors.verify_code(uow, person.id, code)
    except Refused as refusal:
        if refusal.code != "code-wrong":
            raise
        if lockout.count_wrong_code(uow, person, client, row.token_sha256):
            row.ended_at = uow.real_now  # this login alone: who knows the password must not end the person's sessions
            return lockout.codes_delayed()
        return refusal
    lockout.forget_wrong_codes(uow, person, client, row.token_sha256)
    return _advance(uow, row, person, client)


def _advance(uow: UnitOfWork, row: LoginSession, person: Person, client: Client) -> IssuedSession:
    """Renew the session after a step, with the next step or complete."""
    step = _pending_step(uow, person, code_given=True)
    session = sessions.renew(uow, row, step)
    return session if step is not None else _complete(uow, person, session, client)


def _pending_step(uow: UnitOfWork, person: Person, *, code_given: bool) -> str | None:
    if not code_given and second_factors.get_factor(uow, person.id):
        return "code"
    if person.must_change_password:
        return "password"
    if second_factors.get_factor(uow, person.id) is None and second_factors.is_required(uow, person.id):
        return "enrolment"
    return None


def _complete(uow: UnitOfWork, person: Person, session: IssuedSession, client: Client) -> IssuedSession:
    """Forget the wrong passwords, bind the provider's subject and make the browser a known one.

    Only a complete login does: a right password must not buy more attempts at the code, and a claimed login alone must
    not bind an account.
    """
    row = sessions.get(uow, session.token)
    lockout.end_delay(uow, person, replace(client, address=row.address or "unknown"))
    detail = {}
    if row.issuer is not None and row.subject is not None:
        identities.bind(uow, person, row.issuer, row.subject)
        detail = {"issuer": row.issuer}
    audit_trail.record(uow, "logged-in", "person", person.id, address=row.address or "unknown", **detail)
    return replace(session, known_browser=known_browsers.issue(uow, person))


def _lock_person(uow: UnitOfWork, row: LoginSession) -> Person:
    """Lock the person of a pending session and make them the actor.

    Refused where the session has ended meanwhile.
    """
    uow.actor = Actor("person", row.person_id)
    person = uow.session.get_one(Person, row.person_id, with_for_update=True, populate_existing=True)
    # Read again under the lock that ending all sessions holds too: an ended session is not renewed.
    uow.session.refresh(row, ["ended_at"])
    if row.ended_at is not None:
        raise sessions.no_session()
    return person


def _login_and_hash(uow: UnitOfWork, token: str, browser: str) -> tuple[str, str]:
    person = uow.session.get_one(Person, sessions.get_pending(uow, token, browser, "password").person_id)
    return person.login, person.password_hash


def _find_person(uow: UnitOfWork, login: str) -> Person | None:
    return uow.session.scalar(select(Person).where(Person.login == login, Person.active).with_for_update(of=Person))


def _raise_refusal(result: IssuedSession | Refused) -> IssuedSession:
    if isinstance(result, Refused):  # raised after the commit: a raise inside would roll the count back
        raise result
    return result
