"""The second factor: enrolled with one code, asked for at sign-in and at signatures, reset by an administrator.

The secret is sealed with the portal's key; recovery codes are kept as hashes, each opens once, and for sign-in only.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select

from services.database.base import new_id
from services.database.tables.people import Person
from services.database.tables.second_factors import RecoveryCode, SecondFactor
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.policy import Directory
from services.domain.accounts import totp
from services.domain.audit import trail as audit_trail
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Group
from services.runtime.errors import Refused

RECOVERY_CODES = 10  # each of 79 random bits: a plain hash of them cannot be searched
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Enrolment:
    """What the authenticator app takes: the address as a QR code, or the secret by hand."""

    secret: str
    address: str


@dataclass(frozen=True)
class State:
    """``is_required``: the posts held now want one; ``recovery_codes``: how many are left."""

    enrolled_at: datetime | None
    required: bool
    recovery_codes: int


def get_factor(uow: UnitOfWork, person_id: str) -> SecondFactor | None:
    """The second factor that the person has, or None."""
    return _get_latest(uow, person_id, confirmed=True)


def list_enrolled(uow: UnitOfWork, person_ids: Select[str]) -> set[str]:
    """Those of the people who have a second factor."""
    query = select(SecondFactor.person_id).where(
        SecondFactor.person_id.in_(person_ids), SecondFactor.confirmed_at.is_not(None), SecondFactor.ended_at.is_(None)
    )
    return set(uow.session.scalars(query))


def is_required(uow: UnitOfWork, person_id: str) -> bool:
    """Whether the organisation's rule wants one of this person: of everyone, or of those who sign (``rules``)."""
    match uow.rules.second_factor:
        case "everyone":
            return True
        case "signers":
            return is_signer(uow, person_id)
        case _:
            return False


def is_signer(uow: UnitOfWork, person_id: str) -> bool:
    """Whether the person signs for Security, decides as management, or releases footage (R25, R27, R33).

    So does whoever holds a post that a stage of the organisation's own asks, where it is signed with a code as well.
    """
    staff = access_queries.load_directory(uow)
    return (
        staff.holds(person_id, "storage-operator", "manager")
        or staff.holds_in(person_id, "security", "head", "deputy")
        or staff.holds_in(person_id, "management", "head")
        or staff.holds_in(person_id, "storage", "head", "deputy")
        or any(
            _in_group(staff, person_id, group)
            for stage in STAGES.values()
            if stage.level == "password+totp" and not stage.retired
            for group in stage.groups
        )
    )


def _in_group(staff: Directory, person_id: str, group: Group) -> bool:
    if group.departments in ("own", "any"):
        return staff.holds(person_id, *group.posts)
    return staff.holds_in(person_id, group.departments, *group.posts)


def get_state(uow: UnitOfWork, person_id: str) -> State:
    factor = get_factor(uow, person_id)
    left = 0
    if factor is not None:
        codes = select(func.count()).where(RecoveryCode.factor_id == factor.id, RecoveryCode.used_at.is_(None))
        left = uow.session.scalar(codes) or 0
    return State(factor.confirmed_at if factor else None, is_required(uow, person_id), left)


def begin_enrolment(uow: UnitOfWork, person_id: str) -> Enrolment:
    """Begin to enrol; an enrolment that was begun and not confirmed is replaced, a confirmed one stays until then."""
    person = uow.session.get_one(Person, person_id, with_for_update=True)
    uow.session.execute(
        delete(SecondFactor).where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_(None))
    )
    secret = totp.new_secret()
    factor = SecondFactor(id=new_id(), person_id=person_id, encrypted_secret="", started_at=uow.real_now)
    factor.encrypted_secret = uow.secrets.encrypt(secret, _purpose(factor))
    uow.session.add(factor)
    audit_trail.record(uow, "second-factor-enrolment-started", "person", person_id)
    return _enrolment(uow, person, secret)


def get_enrolment(uow: UnitOfWork, person_id: str) -> Enrolment | None:
    """The enrolment that waits for its first code."""
    factor = _get_latest(uow, person_id, confirmed=False)
    if factor is None:
        return None
    secret = uow.secrets.decrypt(factor.encrypted_secret, _purpose(factor))
    return _enrolment(uow, uow.session.get_one(Person, person_id), secret)


def confirm_enrolment(uow: UnitOfWork, person_id: str, code: str) -> list[str]:
    """The first code of the app makes the enrolment the person's second factor; its recovery codes, told once.

    Refused where nothing was begun, or with ``code-wrong``.
    """
    uow.session.get_one(Person, person_id, with_for_update=True)
    factor = _get_latest(uow, person_id, confirmed=False)
    if factor is None:
        raise Refused(
            "nothing-begun",
            "Begin to set up the second factor first: there is no QR code yet.",
        )
    _verify(uow, factor, code)
    before = get_factor(uow, person_id)
    if before is not None:
        before.ended_at = uow.real_now
    factor.confirmed_at = uow.real_now
    audit_trail.record(uow, "second-factor-enrolled", "person", person_id)
    return _create_codes(uow, factor)


def verify_code(uow: UnitOfWork, person_id: str, code: str) -> None:
    """Take a code of the person's app, which is used up with it; Refused with ``code-wrong`` or ``code-used``."""
    factor = get_factor(uow, person_id)
    if factor is None:
        raise Refused(
            "no-second-factor",
            "You have no second factor yet: set one up in your account.",
            field="code",
        )
    _verify(uow, factor, code)


def use_recovery_code(uow: UnitOfWork, person_id: str, code: str) -> bool:
    """Take a recovery code, once; False where it is none."""
    factor = get_factor(uow, person_id)
    if factor is None:
        return False
    row = uow.session.scalar(
        select(RecoveryCode)
        .where(
            RecoveryCode.factor_id == factor.id,
            RecoveryCode.code_sha256 == _hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .with_for_update()
    )
    if row is None:
        return False
    row.used_at = uow.real_now
    audit_trail.record(uow, "recovery-code-used", "person", person_id)
    return True


def renew_recovery_codes(uow: UnitOfWork, person_id: str) -> list[str]:
    """Fresh recovery codes, told once; the old ones open nothing any more."""
    factor = get_factor(uow, person_id)
    if factor is None:
        raise Refused("no-second-factor", "You have no second factor: set one up first.")
    audit_trail.record(uow, "recovery-codes-renewed", "person", person_id)
    return _create_codes(uow, factor)


def end(uow: UnitOfWork, person_id: str, action: str) -> bool:
    """The second factor is over, and what was begun is gone; False where there was none. ``action`` is audited."""
    uow.session.execute(
        delete(SecondFactor).where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_(None))
    )
    factor = get_factor(uow, person_id)
    if factor is None:
        return False
    factor.ended_at = uow.real_now
    audit_trail.record(uow, action, "person", person_id)
    return True


def wrong_code() -> Refused:
    return Refused(
        "code-wrong",
        "The code is wrong: enter the six digits that your authenticator shows now.",
        status=403,
        field="code",
    )


def _verify(uow: UnitOfWork, factor: SecondFactor, code: str) -> None:
    uow.session.refresh(factor, with_for_update=True)
    secret = uow.secrets.decrypt(factor.encrypted_secret, _purpose(factor))
    step, used = totp.matching_step(secret, code, uow.real_now, after=factor.last_step)
    if used:
        raise Refused(
            "code-used",
            "This code was used already: wait for the next one.",
            status=403,
            field="code",
        )
    if step is None:
        raise wrong_code()
    factor.last_step = step


def _get_latest(uow: UnitOfWork, person_id: str, *, confirmed: bool) -> SecondFactor | None:
    there = SecondFactor.confirmed_at.is_not(None) if confirmed else SecondFactor.confirmed_at.is_(None)
    query = select(SecondFactor).where(SecondFactor.person_id == person_id, there, SecondFactor.ended_at.is_(None))
    return uow.session.scalar(query.order_by(SecondFactor.started_at.desc()).limit(1))


def _create_codes(uow: UnitOfWork, factor: SecondFactor) -> list[str]:
    uow.session.flush()
    uow.session.execute(delete(RecoveryCode).where(RecoveryCode.factor_id == factor.id))
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    uow.session.add_all(RecoveryCode(factor_id=factor.id, code_sha256=_hash(code)) for code in codes)
    return codes


def _new_recovery_code() -> str:
    """Sixteen letters and digits that are not mistaken for each other, in fours."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _hash(code: str) -> str:
    return hashlib.sha256("".join(code.lower().replace("-", " ").split()).encode()).hexdigest()


def _purpose(factor: SecondFactor) -> str:
    return f"second-factor {factor.id}"


def _enrolment(uow: UnitOfWork, person: Person, secret: str) -> Enrolment:
    return Enrolment(secret, totp.enrolment_uri(secret, person.login, uow.rules.organisation))
