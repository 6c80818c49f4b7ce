"""Delay wrong passwords and codes by account and place; lock an account after wrong signatures.

Anybody who knows a name can send wrong passwords for it. So they delay only the address that they come from; many of
them, from many addresses, delay every browser in which the person has not logged in before. A known browser is counted
by itself.

Codes come after a right password, so who guesses them knows it. They are counted apart, for all unknown browsers of an
account together, and no login of the person from elsewhere forgets them: only the right code in the same login does.
Those after a login at the provider are counted apart again: who knows the password must not keep out who comes by it.
Signatures come after a login, and nothing but time forgets them. Five in 15 minutes, or 15 in a day, are too many.
Failures of an IPv6 address are those of its network of 64 bits, from which one machine takes as many as it likes.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.sql import ColumnElement

from services.database.tables.login_failures import LoginFailure
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import known_browsers, own_notices
from services.domain.accounts.client import Client, counted_address
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Fatal, Refused

MAX_FAILURES = 5  # of one account from one address, or of an account's codes or signatures
MAX_DAILY_FAILURES = 15  # of an account's codes or signatures: below MAX_FAILURES in each window, guessing goes on
MAX_ACCOUNT_FAILURES = 25  # from all addresses, before unknown browsers are delayed
MAX_ADDRESS_FAILURES = 30  # an office behind one address shares this
LOCK_DURATION = timedelta(minutes=15)
WINDOW = timedelta(minutes=15)
LONG_WINDOW = timedelta(days=1)
_CODES, _SIGNATURES = "code", "signature"  # first words of the keys that are kept for LONG_WINDOW
_PURPOSE = "unknown login"
# Without the portal's key unknown logins are counted by each process alone.
_PROCESS_KEY = secrets.token_bytes(32)


def check(uow: UnitOfWork, person: Person | None, login: str, client: Client) -> None:
    """Refuse a password with 429 while the address, the account from there, or the whole account is delayed or locked.

    Unknown logins are delayed like known ones, so that attempts do not show which logins exist.
    """
    known = None if person is None else known_browsers.find(uow, person, client.known_browsers)
    account = _account(uow, person, login)
    if known is None:
        check_address(uow, client.address)
        if _count_recent(uow, account) >= MAX_ACCOUNT_FAILURES:
            raise login_delayed()
    if _count_recent(uow, _pair(account, known, client)) >= MAX_FAILURES:
        raise login_delayed()
    if person is not None:
        check_codes(uow, person, client)


def check_codes(uow: UnitOfWork, person: Person, client: Client) -> None:
    """Refuse with 429 while the account is locked, or codes for it are delayed from there.

    Wrong passwords say nothing about who has proved the password, or was authenticated by the provider.
    """
    if person.locked_until is not None and person.locked_until > uow.real_now:
        raise account_locked()
    if _is_guessed(uow, _codes_from(uow, person, client)):
        raise codes_delayed()


def check_address(uow: UnitOfWork, address: str) -> None:
    """Refuse with 429 while the address is delayed."""
    if _count_recent(uow, counted_address(address)) >= MAX_ADDRESS_FAILURES:
        raise Refused(
            "address-locked",
            "Too many failed sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def count_wrong_password(uow: UnitOfWork, person: Person | None, login: str, client: Client) -> bool:
    """Count a wrong name or password; return whether the next one from there is refused."""
    known = None if person is None else known_browsers.find(uow, person, client.known_browsers)
    account = _account(uow, person, login)
    if known is None:
        count_address_failure(uow, client.address)
    pair = _pair(account, known, client)
    uow.session.add_all(LoginFailure(address=key, at=uow.real_now) for key in (account, pair))
    wrong = _count_recent(uow, pair)
    if person is None:
        audit_trail.record(uow, "login-refused", "address", client.address)
        return wrong >= MAX_FAILURES
    audit_trail.record(uow, "login-refused", "person", person.id, wrong=wrong, address=client.address)
    if wrong == MAX_FAILURES:
        audit_trail.record(uow, "login-delayed", "person", person.id, address=client.address)
    if _count_recent(uow, account) == MAX_ACCOUNT_FAILURES:
        audit_trail.record(uow, "login-delayed", "person", person.id)
    return wrong >= MAX_FAILURES


def count_wrong_code(uow: UnitOfWork, person: Person, client: Client, attempt: str) -> bool:
    """Count a wrong code after a right password; return whether codes from there are delayed now.

    ``attempt`` names the login. The person, whose password somebody knows, is notified: of the first one in unknown
    browsers within a day, and of each delay.
    """
    known = known_browsers.find(uow, person, client.known_browsers)
    place = _codes_from(uow, person, client)
    count_address_failure(uow, client.address)
    key = _code_key(person, known, client) + ("" if known is not None else attempt)
    uow.session.add(LoginFailure(address=key, at=uow.real_now))
    wrong = _count(uow, place, LONG_WINDOW)
    audit_trail.record(uow, "code-refused", "person", person.id, wrong=wrong, address=client.address)
    guessed = _is_guessed(uow, place)
    if guessed:
        audit_trail.record(uow, "account-locked", "person", person.id, address=client.address)
    if guessed or (known is None and wrong == 1):
        own_notices.notify(uow, person.id, "code-refused")
    return guessed


def forget_wrong_codes(uow: UnitOfWork, person: Person, client: Client, attempt: str) -> None:
    """Forget the wrong codes of this login and this known browser, after the right code."""
    known = known_browsers.find(uow, person, client.known_browsers)
    keys = [f"{_code_key(person, None, client)}{attempt}"]
    if known is not None:
        keys.append(_code_key(person, known, client))
    uow.session.execute(delete(LoginFailure).where(LoginFailure.address.in_(keys)))


def check_signature(uow: UnitOfWork, person: Person) -> None:
    """Refuse a signature while the account is locked, or too many were wrong.

    Those that were begun together must not all be tried before the first is counted: lock the person's row before.
    """
    locked = person.locked_until is not None and person.locked_until > uow.real_now
    if locked or _is_guessed(uow, _signatures(person.id)):
        raise Refused(
            "account-locked",
            "Not signed: too many wrong passwords or codes. Try again in 15 minutes (after many attempts, "
            "tomorrow), or ask an administrator to unlock the account.",
            status=403,
            field="password",
        )


def count_wrong_signature(uow: UnitOfWork, person_id: str) -> None:
    """Count a wrong password, code or passkey in a session.

    Waits for no lock: those who wait for the person's row would all be let through before this one is counted.
    """
    _forget_old(uow)
    uow.session.add(LoginFailure(address=f"{_SIGNATURES} {person_id}", at=uow.real_now))
    wrong = _count(uow, _signatures(person_id), LONG_WINDOW)
    audit_trail.record(uow, "signature-refused", "person", person_id, wrong=wrong)


def lock_after_signatures(uow: UnitOfWork, person: Person) -> bool:
    """Lock the account where too many signatures were wrong; return whether they were."""
    if not _is_guessed(uow, _signatures(person.id)):
        return False
    person.locked_until = uow.real_now + LOCK_DURATION
    audit_trail.record(uow, "account-locked", "person", person.id)
    own_notices.notify(uow, person.id, "account-locked")
    return True


def count_address_failure(uow: UnitOfWork, address: str) -> None:
    """Count a failure of this address, and delete old failures."""
    _forget_old(uow)
    uow.session.add(LoginFailure(address=counted_address(address), at=uow.real_now))


def end_delay(uow: UnitOfWork, person: Person, client: Client) -> None:
    """Forget the wrong passwords from where the person has just logged in; those from elsewhere go on counting."""
    account = _account(uow, person, person.login)
    known = known_browsers.find(uow, person, client.known_browsers)
    pairs = {_pair(account, known, client), _pair(account, None, client)}
    uow.session.execute(delete(LoginFailure).where(LoginFailure.address.in_(pairs)))


def is_delayed(uow: UnitOfWork, person: Person) -> bool:
    """Return whether there are recent failures of this account, from wherever."""
    return (
        _count_recent(uow, _account(uow, person, person.login)) > 0
        or _count(uow, _guesses(person), LONG_WINDOW) > 0
        or (person.locked_until is not None and person.locked_until > uow.real_now)
    )


def reset(uow: UnitOfWork, person: Person) -> None:
    """Reset the failures of an account and unlock it, for every address."""
    person.locked_until = None
    account = _account(uow, person, person.login)
    passwords = or_(LoginFailure.address == account, LoginFailure.address.startswith(f"{account} ", autoescape=True))
    uow.session.execute(delete(LoginFailure).where(or_(passwords, _guesses(person))))


def login_delayed() -> Refused:
    return Refused(
        "account-locked",
        "Too many wrong passwords for this username: try again in 15 minutes, sign in from a browser that you "
        "have used before, or ask an administrator to unlock the account.",
        status=429,
        field="password",
    )


def codes_delayed() -> Refused:
    return Refused(
        "account-locked",
        "Too many wrong codes for this username: try again in 15 minutes (after many attempts, tomorrow), sign "
        "in from a browser that you have used before, or ask an administrator to unlock the account.",
        status=429,
        field="code",
    )


def account_locked() -> Refused:
    return Refused(
        "account-locked",
        "The account is locked after too many wrong passwords or codes: try again in 15 minutes, or ask an "
        "administrator to unlock it.",
        status=429,
        field="password",
    )


def _account(uow: UnitOfWork, person: Person | None, login: str) -> str:
    """Return the key of an account; what was typed for an unknown one cannot be recovered from it."""
    if person is not None:
        return f"person:{person.id}"
    try:
        return f"name:{uow.secrets.digest(login, _PURPOSE)}"
    except Fatal:
        return "name:" + hmac.new(_PROCESS_KEY, login.encode(), hashlib.sha256).hexdigest()


def _pair(account: str, known: str | None, client: Client) -> str:
    """Return the key of an account and where it is tried from."""
    return f"{account} {counted_address(client.address)}" if known is None else f"{account} {_sha256(known)}"


def _code_key(person: Person, known: str | None, client: Client) -> str:
    """Return the key of codes in a known browser, or what those in unknown ones, or by the provider, begin with."""
    unknown = "provider " if client.by_provider else "unknown "
    return f"{_CODES} {person.id} {unknown if known is None else _sha256(known)}"


def _codes_from(uow: UnitOfWork, person: Person, client: Client) -> ColumnElement[bool]:
    """Select the wrong codes that are counted together with one from there."""
    known = known_browsers.find(uow, person, client.known_browsers)
    key = _code_key(person, known, client)
    return LoginFailure.address.startswith(key, autoescape=True) if known is None else LoginFailure.address == key


def _guesses(person: Person) -> ColumnElement[bool]:
    return or_(
        LoginFailure.address.startswith(f"{_CODES} {person.id} ", autoescape=True),
        _signatures(person.id),
    )


def _signatures(person_id: str) -> ColumnElement[bool]:
    return LoginFailure.address == f"{_SIGNATURES} {person_id}"


def _is_guessed(uow: UnitOfWork, which: ColumnElement[bool]) -> bool:
    return _count(uow, which, WINDOW) >= MAX_FAILURES or _count(uow, which, LONG_WINDOW) >= MAX_DAILY_FAILURES


def _forget_old(uow: UnitOfWork) -> None:
    kept = or_(*(LoginFailure.address.startswith(f"{kind} ") for kind in (_CODES, _SIGNATURES)))
    old = or_(
        LoginFailure.at < uow.real_now - LONG_WINDOW,
        and_(LoginFailure.at < uow.real_now - WINDOW, ~kept),
    )
    uow.session.execute(delete(LoginFailure).where(old))


def _count_recent(uow: UnitOfWork, key: str) -> int:
    return _count(uow, LoginFailure.address == key, WINDOW)


def _count(uow: UnitOfWork, which: ColumnElement[bool], window: timedelta) -> int:
    query = select(func.count()).where(which, LoginFailure.at > uow.real_now - window)
    return uow.session.scalar(query) or 0


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
