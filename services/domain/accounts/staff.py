"""Add, change, deactivate and unlock people, and manage departments."""

import re
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup, require_administrator
from services.domain.accounts import (
    calendar_addresses,
    held_copies,
    identities,
    lockout,
    passkeys,
    passwords,
    posts,
    second_factors,
    sessions,
)
from services.domain.accounts.changes import (
    apply_changes,
    department_to_json,
    get_department,
    get_person_for_update,
    refuse_oneself,
)
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import deciders, holds, open_requests
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.runtime.errors import NotFound, Refused
from services.runtime.threads import run_in_thread
from services.runtime.translations import Message

LOGIN_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
GUARDED = ("name", "department_id", "email", "chat_id")  # of somebody who decides, only with a second person
DEPARTMENT_KINDS = ("business", "administration", "legal", "security", "storage", "management")
# also without people: whoever is above such a department, or moved into it, changes who signs and decides
POWERFUL_KINDS = ("security", "management")


@dataclass(frozen=True)
class Details:
    """A person's details; ``locale`` is zh or en, ``chat_id`` the id in the organisation's chat app."""

    name: str
    department_id: str
    email: str | None = None
    locale: str = "zh"
    chat_id: str | None = None


@dataclass(frozen=True)
class InitialPassword:
    """A person's initial password, shown once and changed at the first login."""

    person_id: str
    login: str
    password: str


async def add_person(database: Database, actor: Actor, login: str, details: Details) -> InitialPassword:
    """Add a person. Refused for a login that is taken or malformed."""
    password = passwords.generate()
    password_hash = await run_in_thread(passwords.hash_password, password)
    person_id = await database.run(actor, add_checked, login, details, password_hash)
    return InitialPassword(person_id, login, password)


async def add_first_administrator(database: Database, actor: Actor, login: str, name: str) -> InitialPassword:
    """Add the first administrator. Refused where the database has people."""
    password = passwords.generate()
    password_hash = await run_in_thread(passwords.hash_password, password)
    person_id = (await database.run(actor, create_first_administrator, login, name, password_hash)).id
    return InitialPassword(person_id, login, password)


async def rescue_administrator(database: Database, actor: Actor, login: str) -> InitialPassword:
    """Set an initial password for an administrator from the machine itself, and end the second factor and passkeys.

    For a sole administrator who has lost one of them. Signatures are held, and whoever watches over changes is told, as
    after any reset. Where nobody administers any more, somebody who once did is activated and administers again.
    Refused for everybody else.
    """
    password = passwords.generate()
    password_hash = await run_in_thread(passwords.hash_password, password)
    person_id = await database.run(actor, _rescue, login, password_hash)
    return InitialPassword(person_id, login, password)


async def reset_password(
    database: Database, actor: Actor, person_id: str, *, change_id: str | None = None
) -> InitialPassword:
    """Set an initial password for a person; their sessions end. ``change_id`` is the request that is carried out."""
    password = passwords.generate()
    password_hash = await run_in_thread(passwords.hash_password, password)

    def act(uow: UnitOfWork) -> str:
        request = change_requests.begin(uow, change_id) if change_id is not None else None
        login = set_password(uow)
        if request is not None:
            change_requests.finish(uow, request)
        return login

    def set_password(uow: UnitOfWork) -> str:
        lock_setup(uow)
        require_administrator(uow)
        refuse_oneself(
            uow,
            person_id,
            Message("You cannot reset your own password here: change it in your account."),
        )
        row = get_person_for_update(uow, person_id)
        change_requests.authorise_account_act(uow, "initial-password", person_id)
        _set_initial_password(uow, row, password_hash)
        return row.login

    return InitialPassword(person_id, await database.run(actor, act), password)


def change_person(uow: UnitOfWork, person_id: str, details: Details) -> Person:
    """Change a person's details."""
    lock_setup(uow)
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    apply_details(uow, row, details)
    return row


def apply_details(uow: UnitOfWork, row: Person, details: Details) -> None:
    """Change the details of a locked person, whoever acts; of one who decides, only with a second person."""
    person_id = row.id
    values = _checked_values(uow, details)
    old = {name: getattr(row, name) for name in GUARDED if getattr(row, name) != values[name]}
    if old and deciders.decides(uow, person_id):
        context = {"department": department_to_json(uow, values["department_id"])} if "department_id" in old else {}
        # what neither had nor gets an id in the chat app is asked for in the form of the first releases
        new = {name: value for name, value in values.items() if name != "chat_id" or value or name in old}
        change_requests.authorise(uow, Change("details", person_id, {"new": new, "old": old}, context))
    if apply_changes(uow, row, "person", values) and old.keys() & {"email", "chat_id"}:
        change_requests.notify_change(uow, person_id)


def deactivate(uow: UnitOfWork, person_id: str) -> Person:
    """Deactivate a person and end their sessions; nothing is deleted.

    Refused for an administrator beside whom no other stays, and for the custodian of copies that are on loan or wait
    for the receipt. What a former administrator asked for is over.
    """
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(uow, person_id, Message("You cannot deactivate your own account: ask another administrator."))
    row = get_person_for_update(uow, person_id)
    if row.active:
        check_may_leave(uow, row)
        held_copies.require_none(uow, row)
        change_requests.notify_change(uow, person_id)
    end_account(uow, row)
    return row


def check_may_leave(uow: UnitOfWork, row: Person) -> None:
    """Refuse what no leaving may do: leave nobody who administers, or silence who objects to a change."""
    if access_queries.load_directory(uow).holds(row.id, "administrator"):
        posts.require_other_administrator(uow, row.id, uow.now)
    change_requests.check_not_objector(uow, row.id)


def end_account(uow: UnitOfWork, row: Person) -> None:
    """Deactivate a locked person of whom the caller has checked that they may leave, and that they hold no copies."""
    if apply_changes(uow, row, "person", {"active": False}):
        sessions.end_all(uow, row.id)
        calendar_addresses.end_all(uow, row.id)
        change_requests.end_all_of(uow, row.id)


def activate(uow: UnitOfWork, person_id: str) -> Person:
    """Activate a person again, with the posts they hold."""
    lock_setup(uow)
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    if not row.active and deciders.decides(uow, person_id):
        change_requests.authorise(uow, Change("activate", person_id, {}))
    apply_changes(uow, row, "person", {"active": True})
    return row


def unlock(uow: UnitOfWork, person_id: str) -> Person:
    """Unlock a locked account."""
    lock_setup(uow)
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    if lockout.is_delayed(uow, row):
        change_requests.authorise_account_act(uow, "unlock", person_id)
        lockout.reset(uow, row)
        audit_trail.record(uow, "account-unlocked", "person", person_id)
    return row


def reset_second_factor(uow: UnitOfWork, person_id: str) -> Person:
    """End a lost second factor, and the person's sessions."""
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(
        uow,
        person_id,
        Message("You cannot reset your own second factor: ask another administrator."),
    )
    row = get_person_for_update(uow, person_id)
    if second_factors.get_factor(uow, person_id) is None:
        raise Refused(
            "no-second-factor",
            "This person has no second factor to reset.",
        )
    change_requests.authorise_account_act(uow, "reset-second-factor", person_id)
    second_factors.end(uow, person_id, "second-factor-reset")
    holds.add(uow, person_id, "second-factor-reset")
    sessions.end_all(uow, person_id)
    return row


def end_passkeys(uow: UnitOfWork, person_id: str) -> Person:
    """End a person's lost passkeys, and their sessions."""
    lock_setup(uow)
    require_administrator(uow)
    refuse_oneself(
        uow,
        person_id,
        Message("You cannot revoke your own passkeys here: remove them in your account."),
    )
    row = get_person_for_update(uow, person_id)
    if not passkeys.list_passkeys(uow, person_id):
        raise Refused("no-passkey", "This person has no passkey to revoke.")
    change_requests.authorise_account_act(uow, "end-passkeys", person_id)
    passkeys.end_all(uow, person_id, "passkey-ended")
    holds.add(uow, person_id, "passkey-ended")
    sessions.end_all(uow, person_id)
    return row


def unbind_identity(uow: UnitOfWork, person_id: str) -> Person:
    """Unbind a person from the provider's account, and end their sessions.

    The next login at the provider binds again.
    """
    lock_setup(uow)
    require_administrator(uow)
    row = get_person_for_update(uow, person_id)
    if not identities.list_identities(uow, person_id):
        raise Refused(
            "not-bound",
            "This person is not linked to an identity provider account.",
        )
    change_requests.authorise_account_act(uow, "unbind-identity", person_id)
    identities.unbind(uow, person_id)
    holds.add(uow, person_id, "identity-unbound")
    sessions.end_all(uow, person_id)
    return row


def create_first_administrator(uow: UnitOfWork, login: str, name: str, password_hash: str) -> Person:
    """Add the first administrator to an empty database.

    Refused where it has people.
    """
    if uow.session.scalar(select(Person.id).limit(1)) is not None:
        raise Refused(
            "not-empty", "There are people in the database already: an administrator adds more in the portal."
        )
    office = Department(id=new_id(), name_zh="系统管理", name_en="Administration", kind="administration")
    uow.session.add(office)
    uow.session.flush()
    row = _add_person(
        uow, login, {"name": name, "department_id": office.id, "email": None, "locale": "zh"}, password_hash
    )
    posts.add(uow, row.id, posts.PostRequest("administrator", office.id))
    return row


def list_departments(uow: UnitOfWork) -> list[Department]:
    require_administrator(uow)
    return list(uow.session.scalars(select(Department).order_by(Department.name_zh, Department.id)))


def add_department(uow: UnitOfWork, *, name_zh: str, name_en: str, kind: str, superior_id: str | None) -> Department:
    """Add a department; of Security or management with a second person."""
    lock_setup(uow)
    require_administrator(uow)
    _check_department(uow, None, kind, superior_id)
    if kind in POWERFUL_KINDS:
        values = {"name_zh": name_zh, "name_en": name_en, "kind": kind, "superior_id": superior_id}
        context = {"superior": department_to_json(uow, superior_id)}
        change_requests.authorise(uow, Change("new-department", None, values, context))
    row = Department(id=new_id(), name_zh=name_zh, name_en=name_en, kind=kind, superior_id=superior_id)
    uow.session.add(row)
    uow.session.flush()
    new = {"nameZh": name_zh, "nameEn": name_en, "kind": kind, "superior": superior_id}
    audit_trail.record(uow, "department-added", "department", row.id, new=new)
    return row


def change_department(
    uow: UnitOfWork, department_id: str, *, name_zh: str, name_en: str, kind: str, superior_id: str | None
) -> Department:
    """Change a department.

    Refused where its superiors would form a cycle, and until a second person has confirmed it of one that has people,
    posts or power.
    """
    lock_setup(uow)
    require_administrator(uow)
    row = uow.session.get(Department, department_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(Message("department"), department_id)
    _check_department(uow, department_id, kind, superior_id)
    values = {"name_zh": name_zh, "name_en": name_en, "kind": kind, "superior_id": superior_id}
    # its kind and its superiors say what its posts may decide, and its name what people take it for
    if any(getattr(row, name) != value for name, value in values.items()) and (
        {row.kind, kind} & {*POWERFUL_KINDS} or _is_staffed(uow, department_id)
    ):
        context = {
            "department": department_to_json(uow, department_id),
            "superior": department_to_json(uow, superior_id),
        }
        change_requests.authorise(uow, Change("department", None, {"department": department_id, **values}, context))
    apply_changes(uow, row, "department", values)
    return row


def _rescue(uow: UnitOfWork, login: str, password_hash: str) -> str:
    lock_setup(uow)
    row = uow.session.scalar(select(Person).where(Person.login == login).with_for_update())
    administrators = access_queries.load_directory(uow).administrators
    if row is None or row.id not in (administrators or _list_former_administrators(uow)):
        raise Refused(
            "not-administrator",
            "Only an administrator's account can be reset here: an administrator resets all others in the portal.",
        )
    if row.id not in administrators:
        apply_changes(uow, row, "person", {"active": True})
        uow.session.flush()
        if not access_queries.load_directory(uow).holds(row.id, "administrator"):
            post = posts.PostRequest("administrator", row.department_id)
            posts.check_compatible(uow, row.id, post)
            posts.add(uow, row.id, post)
    _set_initial_password(uow, row, password_hash)
    second_factors.end(uow, row.id, "second-factor-reset")
    passkeys.end_all(uow, row.id, "passkey-ended")
    change_requests.notify_change(uow, row.id)
    return row.id


def _list_former_administrators(uow: UnitOfWork) -> set[str]:
    return set(uow.session.scalars(select(Post.person_id).where(Post.kind == "administrator", Post.since <= uow.now)))


def _set_initial_password(uow: UnitOfWork, row: Person, password_hash: str) -> None:
    row.password_hash, row.password_set_at, row.must_change_password = password_hash, uow.real_now, True
    lockout.reset(uow, row)
    audit_trail.record(uow, "password-reset", "person", row.id, sessions_ended=sessions.end_all(uow, row.id))
    holds.add(uow, row.id, "password-reset")


def add_checked(uow: UnitOfWork, login: str, details: Details, password_hash: str) -> str:
    """Add a person whose initial password has this hash; return the id. Administrators only."""
    require_administrator(uow)
    return enter(uow, login, details, password_hash)


def enter(uow: UnitOfWork, login: str, details: Details, password_hash: str) -> str:
    """Add a person, whoever acts; return the id."""
    return _add_person(uow, login, _checked_values(uow, details), password_hash).id


def _add_person(uow: UnitOfWork, login: str, values: dict[str, str | None], password_hash: str) -> Person:
    if not LOGIN_PATTERN.fullmatch(login):
        raise Refused(
            "login-malformed",
            "The username needs 2 to 40 lowercase letters, digits, dots, hyphens or underscores.",
            status=422,
            field="login",
        )
    if uow.session.scalar(select(Person.id).where(Person.login == login)) is not None:
        raise Refused(
            "login-taken",
            "This username is already used, perhaps by a deactivated account: choose another.",
            field="login",
        )
    row = partial(Person, id=new_id(), login=login, password_hash=password_hash, must_change_password=True)(**values)
    uow.session.add(row)
    uow.session.flush()
    given = {name: value for name, value in values.items() if name != "chat_id" or value is not None}
    audit_trail.record(uow, "person-added", "person", row.id, new={"login": login, **given})
    return row


def _checked_values(uow: UnitOfWork, details: Details) -> dict[str, str | None]:
    get_department(uow, details.department_id)
    return {
        "name": details.name,
        "department_id": details.department_id,
        "email": details.email,
        "locale": details.locale,
        "chat_id": details.chat_id,
    }


def _is_staffed(uow: UnitOfWork, department_id: str) -> bool:
    """Return whether the department, or one below it, has people or posts, or is to have one by an open request."""
    directory = access_queries.load_directory(uow)
    with_those_below = {
        other for other in directory.departments if department_id in (other, *directory.superiors(other))
    }
    people = select(Person.id).where(Person.department_id.in_(with_those_below))
    held = select(Post.id).where(Post.department_id.in_(with_those_below))
    return any(uow.session.scalar(query.limit(1)) is not None for query in (people, held)) or any(
        request.payload["department"] in with_those_below for request in open_requests.list_open_posts(uow)
    )


def _check_department(uow: UnitOfWork, own_id: str | None, kind: str, superior_id: str | None) -> None:
    if kind not in DEPARTMENT_KINDS:
        raise Refused("kind", "Choose the type of department.", status=422, field="kind")
    if superior_id is None:
        return
    superior = get_department(uow, superior_id, "superiorId")
    if own_id in (superior.id, *access_queries.load_directory(uow).superiors(superior.id)):
        raise Refused(
            "circle",
            "The parent department cannot be this department or one below it.",
            status=422,
            field="superiorId",
        )
