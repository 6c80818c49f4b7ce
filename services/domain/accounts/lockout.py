"""Delay wrong passwords by account and address; lock an account after wrong codes and signatures.

Anybody who knows a name can send wrong passwords for it. So they delay only the address that they come from; many of
them, from many addresses, delay every browser in which the person has not logged in before. A known browser is counted
by itself. Codes and signatures come after a right password: five wrong ones lock the account.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, or_, select

from services.database.tables.login_failures import LoginFailure
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import known_browsers
from services.domain.accounts.client import Client
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused

MAX_FAILURES = 5  # of one account from one address, or of an account's codes and signatures
MAX_ACCOUNT_FAILURES = 25  # from all addresses, before unknown browsers are delayed
MAX_ADDRESS_FAILURES = 30  # an office behind one address shares this
LOCK_DURATION = timedelta(minutes=15)
WINDOW = timedelta(minutes=15)
# Unknown logins are counted under a keyed hash whose key ends with the process: what was typed cannot be recovered.
_LOGIN_KEY = secrets.token_bytes(32)


def check(uow: UnitOfWork, person: Person | None, login: str, client: Client) -> None:
    """Refuse with 429 while the address, the account from there, or the whole account is delayed or locked.

    Unknown logins are delayed like known ones, so that attempts do not show which logins exist.
    """
    known = None if person is None else known_browsers.find(uow, person, client.known_browsers)
    account = _account(person, login)
    if known is None:
        check_address(uow, client.address)
        if _count_recent(uow, account) >= MAX_ACCOUNT_FAILURES:
            raise login_delayed()
    if _count_recent(uow, _pair(account, known, client)) >= MAX_FAILURES:
        raise login_delayed()
    if person is not None and person.locked_until is not None and person.locked_until > uow.real_now:
        raise account_locked()


def check_address(uow: UnitOfWork, address: str) -> None:
    """Refuse with 429 while the address is delayed."""
    if _count_recent(uow, address) >= MAX_ADDRESS_FAILURES:
        raise Refused(
            "address-locked",
            "There were too many wrong sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def count_wrong_password(uow: UnitOfWork, person: Person | None, login: str, client: Client) -> bool:
    """Count a wrong name or password; return whether the next one from there is refused."""
    known = None if person is None else known_browsers.find(uow, person, client.known_browsers)
    account = _account(person, login)
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


def count_failure(uow: UnitOfWork, person: Person, action: str, **detail: str) -> bool:
    """Count a wrong code or signature of this account; return whether it locks the account.

    ``action`` is the audit action.
    """
    person.failed_logins += 1
    audit_trail.record(uow, action, "person", person.id, wrong=person.failed_logins, **detail)
    if person.failed_logins < MAX_FAILURES:
        return False
    person.failed_logins, person.locked_until = 0, uow.real_now + LOCK_DURATION
    audit_trail.record(uow, "account-locked", "person", person.id, **detail)
    return True


def count_address_failure(uow: UnitOfWork, address: str) -> None:
    """Count a failure of this address, and delete old failures."""
    uow.session.execute(delete(LoginFailure).where(LoginFailure.at < uow.real_now - WINDOW))
    uow.session.add(LoginFailure(address=address, at=uow.real_now))


def end_delay(uow: UnitOfWork, person: Person, client: Client) -> None:
    """Forget the failures from where the person has just logged in; those from elsewhere go on counting."""
    person.failed_logins, person.locked_until = 0, None
    account = _account(person, person.login)
    known = known_browsers.find(uow, person, client.known_browsers)
    pairs = {_pair(account, known, client), _pair(account, None, client)}
    uow.session.execute(delete(LoginFailure).where(LoginFailure.address.in_(pairs)))


def is_delayed(uow: UnitOfWork, person: Person) -> bool:
    """Return whether there are recent failures of this account, from wherever."""
    return _count_recent(uow, _account(person, person.login)) > 0


def reset(uow: UnitOfWork, person: Person) -> None:
    """Reset the failures of an account and unlock it, for every address."""
    person.failed_logins, person.locked_until = 0, None
    account = _account(person, person.login)
    every = or_(LoginFailure.address == account, LoginFailure.address.startswith(f"{account} ", autoescape=True))
    uow.session.execute(delete(LoginFailure).where(every))


def login_delayed() -> Refused:
    return Refused(
        "account-locked",
        "There were too many wrong passwords for this name: try again in 15 minutes, sign in where you have signed in "
        "before, or ask an administrator to unlock the account.",
        status=429,
        field="password",
    )


def account_locked() -> Refused:
    return Refused(
        "account-locked",
        "The password or the code was wrong too often and the account is locked: try again "
        "in 15 minutes, or ask an administrator to unlock it.",
        status=429,
        field="password",
    )


def _account(person: Person | None, login: str) -> str:
    if person is not None:
        return f"person:{person.id}"
    return "name:" + hmac.new(_LOGIN_KEY, login.encode(), hashlib.sha256).hexdigest()


def _pair(account: str, known: str | None, client: Client) -> str:
    """Return the key of an account and where it is tried from."""
    if known is None:
        return f"{account} {client.address}"
    return f"{account} {hashlib.sha256(known.encode()).hexdigest()}"


def _count_recent(uow: UnitOfWork, key: str) -> int:
    query = select(func.count()).where(LoginFailure.address == key, LoginFailure.at > uow.real_now - WINDOW)
    return uow.session.scalar(query) or 0
