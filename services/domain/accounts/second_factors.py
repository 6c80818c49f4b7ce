"""Enrol, check and reset second factors.

The secret is encrypted with the portal's key. Recovery codes are stored as hashes; each works once, for login only.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select

from services.database.base import new_id
from services.database.tables.people import Person
from services.database.tables.second_factors import RecoveryCode, SecondFactor
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.directory import Directory
from services.domain.accounts import passwords, totp
from services.domain.audit import trail as audit_trail
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Group
from services.runtime.errors import Refused

RECOVERY_CODES = 10  # each of 79 random bits: a plain hash of them cannot be searched


@dataclass(frozen=True)
class Enrolment:
    """What the authenticator app needs: the QR code's address, or the secret."""

    secret: str
    address: str


@dataclass(frozen=True)
class State:
    """``required``: by the posts held now; ``recovery_codes``: how many are left."""

    enrolled_at: datetime | None
    required: bool
    recovery_codes: int


def get_factor(uow: UnitOfWork, person_id: str) -> SecondFactor | None:
    """Return a person's second factor."""
    return _get_latest(uow, person_id, confirmed=True)


def list_enrolled(uow: UnitOfWork, person_ids: Select[str]) -> set[str]:
    """Return which of the people have a second factor."""
    query = select(SecondFactor.person_id).where(
        SecondFactor.person_id.in_(person_ids), SecondFactor.confirmed_at.is_not(None), SecondFactor.ended_at.is_(None)
    )
    return set(uow.session.scalars(query))


def is_required(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the organisation's rule requires one of this person."""
    match uow.rules.second_factor:
        case "everyone":
            return True
        case "signers":
            return is_signer(uow, person_id)
        case _:
            return False


def is_signer(uow: UnitOfWork, person_id: str) -> bool:
    """Return whether the person signs with a code (R25, R27, R33).

    Those who sign for Security, decide as management or release footage, and holders of posts of the organisation's own
    stages at that level.
    """
    directory = access_queries.load_directory(uow)
    return (
        directory.holds(person_id, "storage-operator", "manager")
        or directory.holds_in(person_id, "security", "head", "deputy")
        or directory.holds_in(person_id, "management", "head")
        or directory.holds_in(person_id, "storage", "head", "deputy")
        or any(
            _in_group(directory, person_id, group)
            for stage in STAGES.values()
            if stage.level == "password+totp" and not stage.retired
            for group in stage.groups
        )
    )


def _in_group(directory: Directory, person_id: str, group: Group) -> bool:
    if group.departments in ("own", "any"):
        return directory.holds(person_id, *group.posts)
    return directory.holds_in(person_id, group.departments, *group.posts)


def get_state(uow: UnitOfWork, person_id: str) -> State:
    factor = get_factor(uow, person_id)
    left = 0
    if factor is not None:
        codes = select(func.count()).where(RecoveryCode.factor_id == factor.id, RecoveryCode.used_at.is_(None))
        left = uow.session.scalar(codes) or 0
    return State(factor.confirmed_at if factor else None, is_required(uow, person_id), left)


def begin_enrolment(uow: UnitOfWork, person_id: str) -> Enrolment:
    """Begin an enrolment; a confirmed factor stays until the new one is."""
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
    """Return the enrolment that waits for its first code."""
    factor = _get_latest(uow, person_id, confirmed=False)
    if factor is None:
        return None
    secret = uow.secrets.decrypt(factor.encrypted_secret, _purpose(factor))
    return _enrolment(uow, uow.session.get_one(Person, person_id), secret)


def confirm_enrolment(uow: UnitOfWork, person_id: str, code: str) -> list[str]:
    """Confirm the enrolment by its first code; return the recovery codes.

    Refused where no enrolment was begun, or with ``code-wrong``.
    """
    uow.session.get_one(Person, person_id, with_for_update=True)
    factor = _get_latest(uow, person_id, confirmed=False)
    if factor is None:
        raise Refused(
            "nothing-begun",
            "Start the setup of the second factor first: there is no QR code yet.",
        )
    _verify(uow, factor, code)
    previous = get_factor(uow, person_id)
    if previous is not None:
        previous.ended_at = uow.real_now
    factor.confirmed_at = uow.real_now
    audit_trail.record(uow, "second-factor-enrolled", "person", person_id)
    return _create_codes(uow, factor)


def verify_code(uow: UnitOfWork, person_id: str, code: str) -> None:
    """Check a code of the app and use it up.

    Refused with ``code-wrong`` or ``code-used``.
    """
    factor = get_factor(uow, person_id)
    if factor is None:
        raise Refused(
            "no-second-factor",
            "You have no second factor yet: set it up in your account.",
            field="code",
        )
    _verify(uow, factor, code)


def use_recovery_code(uow: UnitOfWork, person_id: str, code: str) -> bool:
    """Use a recovery code; return whether it was one."""
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
    """Replace the recovery codes and return the new ones."""
    factor = get_factor(uow, person_id)
    if factor is None:
        raise Refused("no-second-factor", "You have no second factor: set it up first.")
    audit_trail.record(uow, "recovery-codes-renewed", "person", person_id)
    return _create_codes(uow, factor)


def end(uow: UnitOfWork, person_id: str, action: str) -> bool:
    """End the second factor; return whether there was one.

    A pending enrolment is deleted. ``action`` is the audit action.
    """
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
        "The code is wrong: enter the six digits that your authenticator app shows now.",
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
            "This code has already been used: wait for the next one.",
            status=403,
            field="code",
        )
    if step is None:
        raise wrong_code()
    factor.last_step = step


def _get_latest(uow: UnitOfWork, person_id: str, *, confirmed: bool) -> SecondFactor | None:
    condition = SecondFactor.confirmed_at.is_not(None) if confirmed else SecondFactor.confirmed_at.is_(None)
    query = select(SecondFactor).where(SecondFactor.person_id == person_id, condition, SecondFactor.ended_at.is_(None))
    return uow.session.scalar(query.order_by(SecondFactor.started_at.desc()).limit(1))


def _create_codes(uow: UnitOfWork, factor: SecondFactor) -> list[str]:
    uow.session.flush()
    uow.session.execute(delete(RecoveryCode).where(RecoveryCode.factor_id == factor.id))
    codes = [passwords.generate() for _ in range(RECOVERY_CODES)]
    uow.session.add_all(RecoveryCode(factor_id=factor.id, code_sha256=_hash(code)) for code in codes)
    return codes


def _hash(code: str) -> str:
    return hashlib.sha256("".join(code.lower().replace("-", " ").split()).encode()).hexdigest()


def _purpose(factor: SecondFactor) -> str:
    return f"second-factor {factor.id}"


def _enrolment(uow: UnitOfWork, person: Person, secret: str) -> Enrolment:
    return Enrolment(secret, totp.enrolment_uri(secret, person.login, uow.rules.organisation))
