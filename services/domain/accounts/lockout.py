"""Count wrong passwords and codes by account and address, and lock both."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select

from services.database.tables.login_failures import LoginFailure
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused

MAX_FAILURES = 5
LOCK_DURATION = timedelta(minutes=15)
MAX_ADDRESS_FAILURES = 30  # an office behind one address shares this
WINDOW = timedelta(minutes=15)
# Unknown logins are counted under a keyed hash whose key ends with the process: what was typed cannot be recovered.
_LOGIN_KEY = secrets.token_bytes(32)


def check(uow: UnitOfWork, person: Person | None, login: str, address: str) -> None:
    """Refuse with 429 while the address, account or unknown login is locked."""
    check_address(uow, address)
    if person is None and _count_recent(uow, _unknown_login(login)) >= MAX_FAILURES:
        raise account_locked()
    if person is not None and person.locked_until is not None and person.locked_until > uow.real_now:
        raise account_locked()


def check_address(uow: UnitOfWork, address: str) -> None:
    """Refuse with 429 while the address is locked."""
    if _count_recent(uow, address) >= MAX_ADDRESS_FAILURES:
        raise Refused(
            "address-locked",
            "There were too many wrong sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def count_failure(uow: UnitOfWork, person: Person, action: str, **detail: str) -> bool:
    """Count a failure of this account; return whether it locks the account.

    ``action`` is the audit action.
    """
    person.failed_logins += 1
    audit_trail.record(uow, action, "person", person.id, wrong=person.failed_logins, **detail)
    if person.failed_logins < MAX_FAILURES:
        return False
    person.failed_logins, person.locked_until = 0, uow.real_now + LOCK_DURATION
    audit_trail.record(uow, "account-locked", "person", person.id, **detail)
    return True


def count_unknown_login(uow: UnitOfWork, login: str, address: str) -> bool:
    """Count an unknown login; return whether it is locked.

    It is locked like an account, so that attempts do not show which logins exist.
    """
    audit_trail.record(uow, "login-refused", "address", address)
    uow.session.add(LoginFailure(address=_unknown_login(login), at=uow.real_now))
    return _count_recent(uow, _unknown_login(login)) >= MAX_FAILURES


def count_address_failure(uow: UnitOfWork, address: str) -> None:
    """Count a failure of this address, and delete old failures."""
    uow.session.execute(delete(LoginFailure).where(LoginFailure.at < uow.real_now - WINDOW))
    uow.session.add(LoginFailure(address=address, at=uow.real_now))


def reset(uow: UnitOfWork, person: Person) -> None:
    """Reset the failures of an account and unlock it."""
    person.failed_logins, person.locked_until = 0, None


def account_locked() -> Refused:
    return Refused(
        "account-locked",
        "The password or the code was wrong too often and the account is locked: try again "
        "in 15 minutes, or ask an administrator to unlock it.",
        status=429,
        field="password",
    )


def _unknown_login(login: str) -> str:
    return "name:" + hmac.new(_LOGIN_KEY, login.encode(), hashlib.sha256).hexdigest()


def _count_recent(uow: UnitOfWork, address: str) -> int:
    query = select(func.count()).where(LoginFailure.address == address, LoginFailure.at > uow.real_now - WINDOW)
    return uow.session.scalar(query) or 0
