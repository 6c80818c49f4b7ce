"""Signing in by password, and the sessions that follow. All of it lives on real time, whatever the clock says."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ForeignKey, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from services.register import audit
from services.register.base import Base, new_id
from services.register.people import Person
from services.register.unit import Actor, Register, Unit
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Refused
from services.runtime.threads import run_in_thread

ACTOR = Actor("system", "sign-in")
REAL = SystemClock()
WRONG_BEFORE_LOCK = 5
LOCK = timedelta(minutes=15)
WRONG_FROM_ADDRESS = 30  # an office behind one address shares this
WINDOW = timedelta(minutes=15)
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
SEEN_EVERY = timedelta(minutes=1)
# Names that nobody has are counted under a key that ends with the process: what was typed cannot be found from it.
_NAMES_KEY = secrets.token_bytes(32)


class SignIn(Base):
    """A session of a signed-in person; ended by hand, by idleness or at ``expires_at``."""

    __tablename__ = "sign_ins"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class WrongSignIn(Base):
    """A sign-in that failed, by address, and by name where nobody has it; forgotten after ``WINDOW``.

    What was typed is not kept.
    """

    __tablename__ = "wrong_sign_ins"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class SignedIn:
    """``token`` goes into the cookie and is kept nowhere."""

    token: str
    person_id: str


def hash_password(password: str) -> str:
    """An argon2id hash for ``Person.password_hash``."""
    return PasswordHasher().hash(password)


def csrf_token(token: str) -> str:
    """The token that a page sends with every act; follows from the session's and tells nothing of it."""
    return hashlib.sha256(b"footage-desk csrf\x00" + token.encode()).hexdigest()


async def sign_in(register: Register, login: str, password: str, address: str, real: Clock = REAL) -> SignedIn:
    """Sign a person in. Refused alike for a wrong name and a wrong password; 429 when locked.

    The hash is computed outside the transaction: nobody waits for it.
    """
    password_hash = await register.run(ACTOR, _begin, login, address, real.now())
    right = await run_in_thread(_verify, password_hash, password)
    answer = await register.run(ACTOR, _finish, login, address, right, real.now())
    if isinstance(answer, Refused):  # raised only here, because a raise inside would roll the counting back
        raise answer
    return answer


def person_of(unit: Unit, token: str, real_now: datetime) -> Person:
    """The person of a session; Refused with 401 when it is over."""
    row = unit.session.get(SignIn, _sha256(token))
    if row is None or row.ended_at is not None or real_now >= row.expires_at or real_now - row.last_seen_at >= IDLE:
        raise _signed_out()
    person = unit.session.get_one(Person, row.person_id)
    if not person.active:
        raise _signed_out()
    if real_now - row.last_seen_at >= SEEN_EVERY:
        row.last_seen_at = real_now
    return person


def sign_out(unit: Unit, token: str, real_now: datetime) -> None:
    """End a session; nothing when it is over already."""
    row = unit.session.get(SignIn, _sha256(token))
    if row is not None and row.ended_at is None:
        row.ended_at = real_now
        audit.record(unit, "signed-out", "person", row.person_id)


def wrong_signature(unit: Unit, token: str, real_now: datetime) -> None:
    """Count a wrong password at a signature like one at a sign-in; the fifth locks the account and ends its sessions.

    Whoever took over a session must not find the password by trying.
    """
    row = unit.session.get(SignIn, _sha256(token))
    if row is None or row.ended_at is not None:
        return
    person = unit.session.get_one(Person, row.person_id, with_for_update=True)
    person.failed_sign_ins += 1
    audit.record(unit, "signature-refused", "person", person.id, wrong=person.failed_sign_ins)
    if person.failed_sign_ins >= WRONG_BEFORE_LOCK:
        person.failed_sign_ins, person.locked_until = 0, real_now + LOCK
        unit.session.execute(
            update(SignIn).where(SignIn.person_id == person.id, SignIn.ended_at.is_(None)).values(ended_at=real_now)
        )
        audit.record(unit, "account-locked", "person", person.id)


def _begin(unit: Unit, login: str, address: str, real_now: datetime) -> str:
    """The hash to compare with: a made-up one for an unknown name, which takes as long."""
    _check_address(unit, address, real_now)
    person = _person(unit, login)
    if person is None:
        _check_nobody(unit, login, real_now)
        return _nobodys_hash()
    _check_lock(person, real_now)
    return person.password_hash


def _finish(unit: Unit, login: str, address: str, right: bool, real_now: datetime) -> SignedIn | Refused:
    person = _person(unit, login)
    if person is not None:
        _check_lock(person, real_now)
    if person is None or not right:
        return _count_wrong(unit, person, login, address, real_now)
    person.failed_sign_ins, person.locked_until = 0, None
    token = secrets.token_urlsafe(32)
    unit.session.add(
        SignIn(
            token_sha256=_sha256(token),
            person_id=person.id,
            created_at=real_now,
            last_seen_at=real_now,
            expires_at=real_now + LONGEST,
        )
    )
    audit.record(unit, "signed-in", "person", person.id, address=address)
    return SignedIn(token, person.id)


def _count_wrong(unit: Unit, person: Person | None, login: str, address: str, real_now: datetime) -> Refused:
    unit.session.execute(delete(WrongSignIn).where(WrongSignIn.at < real_now - WINDOW))
    unit.session.add(WrongSignIn(address=address, at=real_now))
    if person is not None:
        person.failed_sign_ins += 1
        audit.record(unit, "sign-in-refused", "person", person.id, address=address, wrong=person.failed_sign_ins)
        if person.failed_sign_ins >= WRONG_BEFORE_LOCK:
            person.failed_sign_ins, person.locked_until = 0, real_now + LOCK
            audit.record(unit, "account-locked", "person", person.id, address=address)
            return _locked()
    else:
        audit.record(unit, "sign-in-refused", "address", address)
        unit.session.add(WrongSignIn(address=_nobody(login), at=real_now))
        if _wrong_from(unit, _nobody(login), real_now) >= WRONG_BEFORE_LOCK:
            return _locked()  # as an account that is there would be: the fifth try must not tell who exists
    return Refused(
        "sign-in-wrong",
        "用户名或密码不正确，请重新输入。",
        "The name or the password is wrong: enter them again.",
        status=401,
        field="password",
    )


def _check_lock(person: Person, real_now: datetime) -> None:
    if person.locked_until is not None and person.locked_until > real_now:
        raise _locked()


def _check_nobody(unit: Unit, login: str, real_now: datetime) -> None:
    if _wrong_from(unit, _nobody(login), real_now) >= WRONG_BEFORE_LOCK:
        raise _locked()


def _nobody(login: str) -> str:
    return "name:" + hmac.new(_NAMES_KEY, login.encode(), hashlib.sha256).hexdigest()


def _wrong_from(unit: Unit, address: str, real_now: datetime) -> int:
    count = select(func.count()).where(WrongSignIn.address == address, WrongSignIn.at > real_now - WINDOW)
    return unit.session.scalar(count) or 0


def _check_address(unit: Unit, address: str, real_now: datetime) -> None:
    if _wrong_from(unit, address, real_now) >= WRONG_FROM_ADDRESS:
        raise Refused(
            "address-locked",
            "此地址登录失败次数过多，请 15 分钟后再试。",
            "There were too many wrong sign-ins from this address: try again in 15 minutes.",
            status=429,
        )


def _locked() -> Refused:
    return Refused(
        "account-locked",
        "密码多次输入错误，账户已锁定，请 15 分钟后再试。",
        "The password was wrong too often and the account is locked: try again in 15 minutes.",
        status=429,
        field="password",
    )


def _signed_out() -> Refused:
    return Refused("signed-out", "您尚未登录或登录已过期，请登录。", "You are not signed in: sign in.", status=401)


def _person(unit: Unit, login: str) -> Person | None:
    return unit.session.scalar(select(Person).where(Person.login == login, Person.active).with_for_update(of=Person))


def _verify(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return hash_password(secrets.token_urlsafe(32))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
