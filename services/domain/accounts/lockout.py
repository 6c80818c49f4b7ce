"""Wrong passwords and codes: counted by account and by address, and what is locked when there were too many."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select

from services.database.tables.lock_out import WrongSignIn
from services.database.tables.people import Person
from services.database.unit_of_work import Unit
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused

WRONG_BEFORE_LOCK = 5
LOCK = timedelta(minutes=15)
WRONG_FROM_ADDRESS = 30  # an office behind one address shares this
WINDOW = timedelta(minutes=15)
# Names that nobody has are counted under a key that ends with the process: what was typed cannot be found from it.
_NAMES_KEY = secrets.token_bytes(32)


def check(unit: Unit, person: Person | None, login: str, address: str) -> None:
    """Refused with 429 while the address, the account, or the name that nobody has, is locked."""
    check_address(unit, address)
    if person is None and _wrong_from(unit, _nobody(login)) >= WRONG_BEFORE_LOCK:
        raise locked()
    if person is not None and person.locked_until is not None and person.locked_until > unit.real_now:
        raise locked()


def check_address(unit: Unit, address: str) -> None:
    """Refused with 429 while the address is locked."""
    if _wrong_from(unit, address) >= WRONG_FROM_ADDRESS:
        raise Refused(
            "address-locked",
            "此地址登录失败次数过多，请 15 分钟后再试。",
            "There were too many wrong sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def count(unit: Unit, person: Person, action: str, **detail: str) -> bool:
    """Count a wrong password or code of this account; True when it is locked with that. The action is audited."""
    person.failed_sign_ins += 1
    audit_trail.record(unit, action, "person", person.id, wrong=person.failed_sign_ins, **detail)
    if person.failed_sign_ins < WRONG_BEFORE_LOCK:
        return False
    person.failed_sign_ins, person.locked_until = 0, unit.real_now + LOCK
    audit_trail.record(unit, "account-locked", "person", person.id, **detail)
    return True


def count_nobody(unit: Unit, login: str, address: str) -> bool:
    """Count a name that nobody has; True when it is locked as an account would be: no try tells who exists."""
    audit_trail.record(unit, "sign-in-refused", "address", address)
    unit.session.add(WrongSignIn(address=_nobody(login), at=unit.real_now))
    return _wrong_from(unit, _nobody(login)) >= WRONG_BEFORE_LOCK


def count_address(unit: Unit, address: str) -> None:
    """Count a failure of this address, and forget the old ones of all."""
    unit.session.execute(delete(WrongSignIn).where(WrongSignIn.at < unit.real_now - WINDOW))
    unit.session.add(WrongSignIn(address=address, at=unit.real_now))


def open_again(unit: Unit, person: Person) -> None:
    """Begin the count anew."""
    person.failed_sign_ins, person.locked_until = 0, None


def locked() -> Refused:
    return Refused(
        "account-locked",
        "密码或验证码多次输入错误，账户已锁定，请 15 分钟后再试，或请管理员解锁。",
        "The password or the code was wrong too often and the account is locked: try again in 15 minutes, "
        "or ask an administrator to unlock it.",
        status=429,
        field="password",
    )


def _nobody(login: str) -> str:
    return "name:" + hmac.new(_NAMES_KEY, login.encode(), hashlib.sha256).hexdigest()


def _wrong_from(unit: Unit, address: str) -> int:
    query = select(func.count()).where(WrongSignIn.address == address, WrongSignIn.at > unit.real_now - WINDOW)
    return unit.session.scalar(query) or 0
