"""People and departments, as administrators keep them: entered, changed, deactivated, unlocked; never deleted."""

import re
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts import identities, lockout, passkeys, passwords, posts, second_factors, sessions
from services.domain.accounts.changes import apply_changes, get_department, get_person_for_update, refuse_oneself
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message

LOGIN_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
DEPARTMENT_KINDS = ("business", "administration", "legal", "security", "storage", "management")


@dataclass(frozen=True)
class Details:
    """What is known of a person; ``locale`` is zh or en."""

    name: str
    department_id: str
    email: str | None = None
    locale: str = "zh"


@dataclass(frozen=True)
class InitialPassword:
    """A person with a password for the first sign-in, told this once; it must be changed there."""

    person_id: str
    login: str
    password: str


async def add_person(database: Database, actor: Actor, login: str, details: Details) -> InitialPassword:
    """Enter a new person. Refused for a login that is taken or malformed."""
    password = passwords.generate()
    hashed = await run_in_thread(passwords.hash_password, password)
    person_id = await database.run(actor, _add_checked, login, details, hashed)
    return InitialPassword(person_id, login, password)


async def add_first_administrator(database: Database, actor: Actor, login: str, name: str) -> InitialPassword:
    """Enter the first administrator, into books that have nobody. Refused where somebody is there already."""
    password = passwords.generate()
    hashed = await run_in_thread(passwords.hash_password, password)
    person_id = (await database.run(actor, create_first_administrator, login, name, hashed)).id
    return InitialPassword(person_id, login, password)


async def reset_password(database: Database, actor: Actor, person_id: str) -> InitialPassword:
    """A fresh password for a person who has lost theirs; the sessions end, and it must be changed at sign-in."""
    password = passwords.generate()
    hashed = await run_in_thread(passwords.hash_password, password)

    def act(uow: UnitOfWork) -> str:
        require_administrator(uow)
        refuse_oneself(
            uow,
            person_id,
            Message("Change your own password in your account."),
        )
        row = get_person_for_update(uow, person_id)
        row.password_hash, row.password_set_at, row.must_change_password = hashed, uow.real_now, True
        lockout.reset(uow, row)
        audit_trail.record(uow, "password-reset", "person", person_id, sessions_ended=sessions.end_all(uow, person_id))
        return row.login

    return InitialPassword(person_id, await database.run(actor, act), password)


def change_person(uow: UnitOfWork, person_id: str, details: Details) -> Person:
    """Change what is known of a person."""
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    apply_changes(uow, row, "person", _checked_values(uow, details))
    return row


def deactivate(uow: UnitOfWork, person_id: str) -> Person:
    """The person leaves: no sign-in, no task, and every session ends. What they did stays theirs."""
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(uow, person_id, Message("Another administrator deactivates your account."))
    row = get_person_for_update(uow, person_id)
    if apply_changes(uow, row, "person", {"active": False}):
        sessions.end_all(uow, person_id)
    return row


def activate(uow: UnitOfWork, person_id: str) -> Person:
    """The person is back, with the posts that the book has."""
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    apply_changes(uow, row, "person", {"active": True})
    return row


def unlock(uow: UnitOfWork, person_id: str) -> Person:
    """Let a person try again whose account was locked."""
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    if row.locked_until is not None or row.failed_logins:
        lockout.reset(uow, row)
        audit_trail.record(uow, "account-unlocked", "person", person_id)
    return row


def reset_second_factor(uow: UnitOfWork, person_id: str) -> Person:
    """End the second factor of a person who has lost it, and the sessions; nobody sees the secret."""
    require_administrator(uow)
    refuse_oneself(
        uow,
        person_id,
        Message("Another administrator resets your second factor."),
    )
    row = get_person_for_update(uow, person_id)
    if not second_factors.end(uow, person_id, "second-factor-reset"):
        raise Refused(
            "no-second-factor",
            "This person has no second factor: nothing to reset.",
        )
    sessions.end_all(uow, person_id)
    return row


def end_passkeys(uow: UnitOfWork, person_id: str) -> Person:
    """End all passkeys of a person who has lost what they lie in, and the sessions."""
    require_administrator(uow)
    refuse_oneself(
        uow,
        person_id,
        Message("Remove your own passkeys in your account."),
    )
    row = get_person_for_update(uow, person_id)
    if not passkeys.end_all(uow, person_id, "passkey-ended"):
        raise Refused("no-passkey", "This person has no passkey: nothing to end.")
    sessions.end_all(uow, person_id)
    return row


def unbind_identity(uow: UnitOfWork, person_id: str) -> Person:
    """End what binds a person to an account of the provider, and the sessions; the next sign-in there binds anew."""
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    if not identities.unbind(uow, person_id):
        raise Refused(
            "not-bound",
            "This person is bound to no account of the provider: nothing to unbind.",
        )
    sessions.end_all(uow, person_id)
    return row


def create_first_administrator(uow: UnitOfWork, login: str, name: str, hashed: str) -> Person:
    """The person who enters all others, in books that have nobody; Refused where somebody is there already."""
    if uow.session.scalar(select(Person.id).limit(1)) is not None:
        raise Refused("not-empty", "The books have people: an administrator enters more.")
    office = Department(id=new_id(), name_zh="系统管理", name_en="Administration", kind="administration")
    uow.session.add(office)
    uow.session.flush()
    row = _add_person(uow, login, {"name": name, "department_id": office.id, "email": None, "locale": "zh"}, hashed)
    posts.add(uow, row.id, posts.PostRequest("administrator", office.id))
    return row


def list_departments(uow: UnitOfWork) -> list[Department]:
    require_administrator(uow)
    return list(uow.session.scalars(select(Department).order_by(Department.name_zh, Department.id)))


def add_department(uow: UnitOfWork, *, name_zh: str, name_en: str, kind: str, superior_id: str | None) -> Department:
    """Enter a department under the one above it."""
    require_administrator(uow)
    _check_department(uow, None, kind, superior_id)
    row = Department(id=new_id(), name_zh=name_zh, name_en=name_en, kind=kind, superior_id=superior_id)
    uow.session.add(row)
    uow.session.flush()
    new = {"nameZh": name_zh, "nameEn": name_en, "kind": kind, "superior": superior_id}
    audit_trail.record(uow, "department-added", "department", row.id, new=new)
    return row


def change_department(
    uow: UnitOfWork, department_id: str, *, name_zh: str, name_en: str, kind: str, superior_id: str | None
) -> Department:
    """Change a department. Refused where the departments above would go round in a circle."""
    require_administrator(uow)
    row = uow.session.get(Department, department_id, with_for_update=True)
    if row is None:
        raise NotFound(Message("department"), department_id)
    _check_department(uow, department_id, kind, superior_id)
    values = {"name_zh": name_zh, "name_en": name_en, "kind": kind, "superior_id": superior_id}
    apply_changes(uow, row, "department", values)
    return row


def _add_checked(uow: UnitOfWork, login: str, details: Details, hashed: str) -> str:
    require_administrator(uow)
    return _add_person(uow, login, _checked_values(uow, details), hashed).id


def _add_person(uow: UnitOfWork, login: str, values: dict[str, str | None], hashed: str) -> Person:
    if not LOGIN_PATTERN.fullmatch(login):
        raise Refused(
            "login-malformed",
            "Give the login 2 to 40 small letters, digits, dots, hyphens or underscores.",
            status=422,
            field="login",
        )
    if uow.session.scalar(select(Person.id).where(Person.login == login)) is not None:
        raise Refused(
            "login-taken",
            "This login is taken, perhaps by an account that is no longer active: choose another.",
            field="login",
        )
    row = partial(Person, id=new_id(), login=login, password_hash=hashed, must_change_password=True)(**values)
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "person-added", "person", row.id, new={"login": login, **values})
    return row


def _checked_values(uow: UnitOfWork, details: Details) -> dict[str, str | None]:
    get_department(uow, details.department_id)
    return {
        "name": details.name,
        "department_id": details.department_id,
        "email": details.email,
        "locale": details.locale,
    }


def _check_department(uow: UnitOfWork, own_id: str | None, kind: str, superior_id: str | None) -> None:
    if kind not in DEPARTMENT_KINDS:
        raise Refused("kind", "Choose what kind of department it is.", status=422, field="kind")
    if superior_id is None:
        return
    above = get_department(uow, superior_id, "superiorId")
    if own_id in (above.id, *access_queries.load_directory(uow).superiors(above.id)):
        raise Refused(
            "circle",
            "The department above must not be this one or one below it.",
            status=422,
            field="superiorId",
        )
