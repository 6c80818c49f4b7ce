"""Signing in, step by step: the password or a provider's word, a one-time code where one is enrolled, and what has to
be put right first.

What is wrong is counted in the transaction that finds it, so that many tries at once are counted too.
"""

from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import identities, lockout, passwords, second_factors, sessions
from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.second_factors import Enrolment
from services.domain.accounts.sessions import IssuedSession
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread

ACTOR = Actor("system", "login")


@dataclass(frozen=True)
class Client:
    """Where somebody signs in: the browser's name as it tells it, and the address it comes from."""

    browser: str
    address: str


@dataclass(frozen=True)
class Enrolled:
    """The session after an enrolment, and the recovery codes, told this once."""

    signed_in: IssuedSession
    recovery_codes: list[str]


async def log_in(database: Database, login: str, password: str, place: Client) -> IssuedSession:
    """Sign a person in, wholly or up to the next step (``SignedIn.pending_step``).

    Refused alike for a wrong name and a wrong password; 429 when locked. The hash is computed outside the
    transaction: nobody waits for it.
    """
    password_hash = await database.run(ACTOR, _get_password_hash, login, place)
    right = await run_in_thread(passwords.verify, password_hash, password)
    return _raise_refusal(await database.run(ACTOR, _finish_password_login, login, place, right))


async def log_in_by_provider(database: Database, vouched: ProviderIdentity, place: Client) -> IssuedSession:
    """As ``log_in``, on the word of a provider. Its word is no second factor: whoever has one of ours gives it.

    Refused for whoever is not in the books, or no longer active, and with 429 when the account is locked.
    """
    return _raise_refusal(await database.run(ACTOR, _finish_provider_login, vouched, place))


async def submit_code(database: Database, token: str, browser: str, code: str) -> IssuedSession:
    """The second step: the six digits of the app, or a recovery code. The session goes on under another token.

    Refused with ``code-wrong`` or ``code-used``; the fifth wrong one locks the account.
    """
    return _raise_refusal(await database.run(ACTOR, _submit_code, token, browser, code))


async def choose_password(database: Database, token: str, browser: str, password: str) -> IssuedSession:
    """The step that replaces a password which somebody else knows. Refused for one that will not do."""
    login, before = await database.run(ACTOR, _login_and_hash, token, browser)
    hashed = await hash_new_password(login, before, password)

    def act(uow: UnitOfWork) -> IssuedSession:
        row = sessions.get_pending(uow, token, browser, "password")
        person = _lock_person(uow, row)
        set_password(uow, person, hashed)
        return _advance(uow, row, person)

    return await database.run(ACTOR, act)


async def hash_new_password(login: str, before: str, password: str) -> str:
    """The hash of a new password that is not the one before; Refused for one that will not do."""
    passwords.check(password, login)
    if await run_in_thread(passwords.verify, before, password):
        raise Refused(
            "password-same",
            "This is the password you had: choose another.",
            status=422,
            field="newPassword",
        )
    return await run_in_thread(passwords.hash_password, password)


def set_password(uow: UnitOfWork, person: Person, hashed: str) -> None:
    """The person has chosen a password."""
    person.password_hash, person.password_set_at, person.must_change_password = hashed, uow.real_now, False
    audit_trail.record(uow, "password-changed", "person", person.id)


def get_enrolment(uow: UnitOfWork, token: str, browser: str) -> Enrolment:
    """The step that sets up the second factor: what is to be scanned, begun where it is not yet."""
    row = sessions.get_pending(uow, token, browser, "enrolment")
    _lock_person(uow, row)
    return second_factors.get_enrolment(uow, row.person_id) or second_factors.begin_enrolment(uow, row.person_id)


def confirm_enrolment(uow: UnitOfWork, token: str, browser: str, code: str) -> Enrolled:
    """The first code of the app ends the step."""
    row = sessions.get_pending(uow, token, browser, "enrolment")
    person = _lock_person(uow, row)
    codes = second_factors.confirm_enrolment(uow, person.id, code)
    return Enrolled(_advance(uow, row, person), codes)


def _get_password_hash(uow: UnitOfWork, login: str, place: Client) -> str:
    """The hash to compare with: a made-up one for an unknown name, which takes as long."""
    person = _find_person(uow, login)
    lockout.check(uow, person, login, place.address)
    return passwords.unmatchable_hash() if person is None else person.password_hash


def _finish_password_login(uow: UnitOfWork, login: str, place: Client, right: bool) -> IssuedSession | Refused:
    person = _find_person(uow, login)
    if person is not None:
        lockout.check(uow, person, login, place.address)
    if person is None or not right:
        return _record_failure(uow, person, login, place)
    step = _pending_step(uow, person, code_given=False)
    signed_in = sessions.create(uow, person, place.browser, place.address, step)
    if step is None:
        _complete(uow, person, sessions.get(uow, signed_in.token))
    return signed_in


def record_provider_refusal(uow: UnitOfWork, place: Client, issuer: str, reason: str) -> None:
    """The provider took back its word, or what it said did not stand the checks: counted by address."""
    lockout.count_address_failure(uow, place.address)
    audit_trail.record(uow, "login-refused", "address", place.address, issuer=issuer, reason=reason)


def _finish_provider_login(uow: UnitOfWork, vouched: ProviderIdentity, place: Client) -> IssuedSession | Refused:
    try:
        person = identities.find_person(uow, vouched)
    except Refused as refusal:
        audit_trail.record(uow, "login-refused", "address", place.address, issuer=vouched.issuer, reason=refusal.code)
        return refusal
    lockout.check(uow, person, person.login, place.address)
    step = _pending_step(uow, person, code_given=False)
    signed_in = sessions.create(
        uow, person, place.browser, place.address, step, issuer=vouched.issuer, subject=vouched.subject
    )
    if step is None:
        _complete(uow, person, sessions.get(uow, signed_in.token))
    return signed_in


def _record_failure(uow: UnitOfWork, person: Person | None, login: str, place: Client) -> Refused:
    lockout.count_address_failure(uow, place.address)
    if person is not None:
        is_locked = lockout.count_failure(uow, person, "login-refused", address=place.address)
    else:
        is_locked = lockout.count_unknown_login(uow, login, place.address)
    if is_locked:
        return lockout.account_locked()
    return Refused(
        "login-failed",
        "The name or the password is wrong: enter them again.",
        status=401,
        field="password",
    )


def _submit_code(uow: UnitOfWork, token: str, browser: str, code: str) -> IssuedSession | Refused:
    row = sessions.get_pending(uow, token, browser, "code")
    person = _lock_person(uow, row)
    address = row.address or "unknown"
    lockout.check(uow, person, person.login, address)
    try:
        if not second_factors.use_recovery_code(uow, person.id, code):
            second_factors.verify_code(uow, person.id, code)
    except Refused as refusal:
        if refusal.code != "code-wrong":
            raise
        lockout.count_address_failure(uow, address)
        if lockout.count_failure(uow, person, "code-refused", address=address):
            sessions.end_all(uow, person.id)
            return lockout.account_locked()
        return refusal
    return _advance(uow, row, person)


def _advance(uow: UnitOfWork, row: LoginSession, person: Person) -> IssuedSession:
    """The session after a step: whole, or waiting for the next one; under another token in any case."""
    step = _pending_step(uow, person, code_given=True)
    signed_in = sessions.renew(uow, row, step)
    if step is None:
        _complete(uow, person, sessions.get(uow, signed_in.token))
    return signed_in


def _pending_step(uow: UnitOfWork, person: Person, *, code_given: bool) -> str | None:
    if not code_given and second_factors.get_factor(uow, person.id):
        return "code"
    if person.must_change_password:
        return "password"
    if second_factors.get_factor(uow, person.id) is None and second_factors.is_required(uow, person.id):
        return "enrolment"
    return None


def _complete(uow: UnitOfWork, person: Person, row: LoginSession) -> None:
    """Only now the count begins anew: a right password alone must not buy further tries at the code.

    Only now a provider's subject is bound, too: a name alone must not keep out whom it belongs to.
    """
    lockout.reset(uow, person)
    by = {}
    if row.issuer is not None and row.subject is not None:
        identities.bind(uow, person, row.issuer, row.subject)
        by = {"issuer": row.issuer}
    audit_trail.record(uow, "logged-in", "person", person.id, address=row.address or "unknown", **by)


def _lock_person(uow: UnitOfWork, row: LoginSession) -> Person:
    """The person of a half session, locked, who acts from here on; Refused where the session has ended meanwhile."""
    uow.actor = Actor("person", row.person_id)
    person = uow.session.get_one(Person, row.person_id, with_for_update=True, populate_existing=True)
    # Asked again under the lock, which whoever ends all sessions of a person holds: an ended one is not renewed.
    uow.session.refresh(row, ["ended_at"])
    if row.ended_at is not None:
        raise sessions.no_session()
    return person


def _login_and_hash(uow: UnitOfWork, token: str, browser: str) -> tuple[str, str]:
    person = uow.session.get_one(Person, sessions.get_pending(uow, token, browser, "password").person_id)
    return person.login, person.password_hash


def _find_person(uow: UnitOfWork, login: str) -> Person | None:
    return uow.session.scalar(select(Person).where(Person.login == login, Person.active).with_for_update(of=Person))


def _raise_refusal(answer: IssuedSession | Refused) -> IssuedSession:
    if isinstance(answer, Refused):  # raised only here, because a raise inside would roll the counting back
        raise answer
    return answer
