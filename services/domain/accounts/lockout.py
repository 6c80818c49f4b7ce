"""Wrong passwords and codes: counted by account and by address, and what is locked when there were too many."""

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
# Names that nobody has are counted under a key that ends with the process: what was typed cannot be found from it.
_LOGIN_KEY = secrets.token_bytes(32)


def check(uow: UnitOfWork, person: Person | None, login: str, address: str) -> None:
    """Refused with 429 while the address, the account, or the name that nobody has, is locked."""
    check_address(uow, address)
    if person is None and _count_recent(uow, _unknown_login(login)) >= MAX_FAILURES:
        raise account_locked()
    if person is not None and person.locked_until is not None and person.locked_until > uow.real_now:
        raise account_locked()


def check_address(uow: UnitOfWork, address: str) -> None:
    """Refused with 429 while the address is locked."""
    if _count_recent(uow, address) >= MAX_ADDRESS_FAILURES:
        raise Refused(
            "address-locked",
            "There were too many wrong sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def count_failure(uow: UnitOfWork, person: Person, action: str, **detail: str) -> bool:
    """Count a wrong password or code of this account; True when it is locked with that. The action is audited."""
    person.failed_logins += 1
    audit_trail.record(uow, action, "person", person.id, wrong=person.failed_logins, **detail)
    if person.failed_logins < MAX_FAILURES:
        return False
    person.failed_logins, person.locked_until = 0, uow.real_now + LOCK_DURATION
    audit_trail.record(uow, "account-locked", "person", person.id, **detail)
    return True


def count_unknown_login(uow: UnitOfWork, login: str, address: str) -> bool:
    """Count a name that nobody has; True when it is locked as an account would be: no try tells who exists."""
    audit_trail.record(uow, "login-refused", "address", address)
    uow.session.add(LoginFailure(address=_unknown_login(login), at=uow.real_now))
    return _count_recent(uow, _unknown_login(login)) >= MAX_FAILURES


def count_address_failure(uow: UnitOfWork, address: str) -> None:
    """Count a failure of this address, and forget the old ones of all."""
    uow.session.execute(delete(LoginFailure).where(LoginFailure.at < uow.real_now - WINDOW))
    uow.session.add(LoginFailure(address=address, at=uow.real_now))


def reset(uow: UnitOfWork, person: Person) -> None:
    """Begin the count anew."""
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
